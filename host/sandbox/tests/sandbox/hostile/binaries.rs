//! Files that only look like modules: cut off, changed at random, and built by hand so that their counts and lengths lie.

use super::tasks::Task;
use super::{Arena, Case, Expected};
use crate::guests::guest;
use std::time::Duration;

const INVALID: Expected = Expected::Refused(&["DoesNotValidate"]);
/// Mutants of each module.
const MUTANTS: u64 = 120;
/// Seed of the first mutant; the others follow.
const SEED: u64 = 0x5eed_0001;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = lies();
    cases.extend(bulk());
    cases.extend(cut_off());
    cases
}

/// A number in LEB128.
pub(super) fn leb(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let byte = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(byte);
            return bytes;
        }
        bytes.push(byte | 0x80);
    }
}

/// A section with an honest length.
pub(super) fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id][..], &leb(content.len() as u64), content].concat()
}

/// A core module of sections.
fn module(sections: &[Vec<u8>]) -> Vec<u8> {
    [b"\0asm\x01\0\0\0".to_vec(), sections.concat()].concat()
}

/// A component of sections.
pub(super) fn component(sections: &[Vec<u8>]) -> Vec<u8> {
    [b"\0asm\x0d\0\x01\0".to_vec(), sections.concat()].concat()
}

/// Files whose counts, lengths and versions lie.
fn lies() -> Vec<Case> {
    let endless = [0x80; 16];
    let huge = leb(u64::from(u32::MAX));
    let locals = [&leb(1)[..], &leb(8), &leb(1), &huge, &[0x7f, 0x0b]].concat();
    let types = section(1, &[1, 0x60, 0, 0]);
    vec![
        Case::new("nothing", Vec::new(), Expected::Refused(&["NotWebAssembly"])),
        Case::new("the magic number alone", b"\0asm".to_vec(), INVALID),
        Case::new("a version that there is not", b"\0asm\xff\0\0\0".to_vec(), INVALID),
        Case::new("a layer that there is not", b"\0asm\x0d\0\x07\0".to_vec(), INVALID),
        Case::new("an ELF file", b"\x7fELF\x02\x01\x01".to_vec(), Expected::Refused(&["NotWebAssembly"])),
        Case::new("an empty module", module(&[]), Expected::Refused(&["CoreModule"])),
        Case::new("an empty component", component(&[]), Expected::Refused(&["MissingExport"])),
        Case::new(
            "a section longer than the file",
            [module(&[]), vec![1, 0xff, 0xff, 0xff, 0x7f]].concat(),
            INVALID,
        ),
        Case::new("a section of four gigabytes", [module(&[]), vec![0], huge.clone()].concat(), INVALID),
        Case::new("a number without end", [module(&[]), vec![1], endless.to_vec()].concat(), INVALID),
        Case::new("four billion types", module(&[section(1, &huge)]), INVALID),
        Case::new("four billion imports", module(&[section(2, &huge)]), INVALID),
        Case::new("four billion exports of a component", component(&[section(11, &huge)]), INVALID),
        Case::new("four billion canonical functions", component(&[section(8, &huge)]), INVALID),
        Case::new(
            "a function with four billion locals",
            module(&[types.clone(), section(3, &[1, 0]), section(10, &locals)]),
            INVALID,
        ),
        Case::new("a name of four gigabytes", module(&[section(7, &[&[1][..], &huge].concat())]), INVALID),
        Case::new("a name that is not UTF-8", module(&[section(7, &[1, 2, 0xff, 0xfe, 0, 0])]), INVALID),
        Case::new("more function bodies than functions", module(&[section(10, &[1, 2, 0, 0x0b])]), INVALID),
        Case::new(
            "a body that does not end",
            module(&[types.clone(), section(3, &[1, 0]), section(10, &[1, 2, 0, 1])]),
            INVALID,
        ),
        Case::new(
            "a code of operation that there is not",
            module(&[types, section(3, &[1, 0]), section(10, &[1, 3, 0, 0xff, 0x0b])]),
            INVALID,
        ),
        Case::new("a start function that is not there", module(&[section(8, &[9])]), INVALID),
        Case::new("sections in the wrong order", module(&[section(7, &[0]), section(1, &[0])]), INVALID),
        Case::new("a component that is inside a module", module(&[section(4, &component(&[]))]), INVALID),
        Case::new(
            "a component that claims to hold more than it does",
            component(&[[vec![4], leb(1_000_000), component(&[])].concat()]),
            Expected::Refused(&["DoesNotValidate", "MissingExport"]),
        ),
    ]
}

/// Large files, and files of which everything is there many times.
fn bulk() -> Vec<Case> {
    let counted = |id: u8, count: u64, one: &dyn Fn(u64) -> Vec<u8>| {
        let mut content = leb(count);
        (0..count).for_each(|number| content.extend(one(number)));
        section(id, &content)
    };
    let export = |number: u64| {
        let name = format!("e{number}");
        [&leb(name.len() as u64)[..], name.as_bytes(), &[3, 0]].concat()
    };
    let exports = module(&[section(6, &[1, 0x7f, 0, 0x41, 0, 0x0b]), counted(7, 500_000, &export)]);
    // Each function is imported from another module.
    let import = |number: u64| {
        let name = format!("m{number:06}");
        [&leb(name.len() as u64)[..], name.as_bytes(), &[0, 0, 0]].concat()
    };
    let start = section(7, &[&[1, 6][..], b"_start", &[0, 0]].concat());
    let types = section(1, &[1, 0x60, 0, 0]);
    let imports = module(&[types.clone(), counted(2, 300_000, &import), start.clone()]);
    let component_import = |number: u64| {
        let name = format!("wasi:cli/m{number}@0.2.0");
        // An instance of the first type.
        [&[0][..], &leb(name.len() as u64), name.as_bytes(), &[5, 0]].concat()
    };
    let instance_type = section(7, &[1, 0x42, 0]);
    let component_imports = component(&[instance_type, counted(10, 1_000, &component_import)]);
    let large = vec![0; 51 << 20];
    let custom = module(&[section(0, &[&[1, b'x'][..], &vec![7; 40 << 20]].concat())]);
    let million = |_| vec![0x60, 0, 0];
    vec![
        Case::new("a file of 51 MiB", large.clone(), Expected::Refused(&["TooLarge"])),
        Case::new("a custom section of 40 MiB", custom, Expected::Refused(&["CoreModule"])),
        Case::new("a file of zeros", large[..20 << 20].to_vec(), Expected::Refused(&["NotWebAssembly"])),
        Case::new("half a million exports", exports, Expected::Refused(&["CoreModule"])),
        Case::new("imports of 300,000 modules", imports, Expected::Refused(&["UnknownImport"])),
        Case::new(
            "a thousand imports that look right",
            component_imports,
            Expected::Refused(&["MissingExport", "DoesNotValidate"]),
        ),
        Case::new(
            "a million types",
            module(&[counted(1, 1_000_000, &million)]),
            Expected::Refused(&["CoreModule"]),
        ),
        Case::new("more than a million types", module(&[counted(1, 1_000_001, &million)]), INVALID),
    ]
}

/// Real modules, cut off at many places.
fn cut_off() -> Vec<Case> {
    let mut cases = Vec::new();
    for name in ["stub", "command", "http_handler"] {
        let wasm = guest(name);
        for part in 1..12 {
            let length = wasm.len() * part / 12;
            let cut = wasm[..length].to_vec();
            cases.push(Case::new(format!("{name} cut after {length} bytes"), cut, INVALID));
        }
    }
    cases
}

/// Numbers that look random and are the same every time.
pub(super) struct Numbers(pub(super) u64);

impl Numbers {
    pub(super) fn next(&mut self) -> u64 {
        // The generator SplitMix64, in its authors' constants.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % (bound as u64)).unwrap_or(0)
    }
}

/// Changes a few bytes, or moves a piece to another place.
fn mutated(wasm: &[u8], seed: u64) -> Vec<u8> {
    let mut numbers = Numbers(seed);
    let mut mutant = wasm.to_vec();
    for _ in 0..=numbers.below(4) {
        let place = 8 + numbers.below(mutant.len() - 8);
        match numbers.below(5) {
            0 => mutant[place] ^= 1 << numbers.below(8),
            1 => mutant[place] = 0xff,
            2 => drop(mutant.remove(place)),
            3 => mutant.insert(place, (numbers.next() & 0xff) as u8),
            _ => {
                let length = numbers.below(64).min(mutant.len() - place);
                let from = 8 + numbers.below(mutant.len() - 8 - length);
                mutant.copy_within(from..from + length, place);
            }
        }
    }
    mutant
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutants_end() {
    let arena = Arena::open().await;
    // Small modules, where every change matters, and one with everything.
    let calling = Task {
        imports: r#"(import "stepwell:task/log@0.1.0" "write" (func $write (param i32 i32 i32)))"#.to_owned(),
        more: r"(table 4 funcref) (elem (i32.const 0) func $f $f) (global $g (mut i32) (i32.const 7))
            (func $f (param i32) (result i32) (local i64)
                (loop $again (global.set $g (i32.sub (global.get $g) (i32.const 1)))
                    (br_if $again (global.get $g)))
                (i32.add (local.get 0) (memory.grow (i32.const 1))))"
            .to_owned(),
        run: "(drop (call_indirect (param i32) (result i32) (i32.const 1) (i32.const 0)))
            (call $write (i32.const 1) (i32.const 1024) (i32.const 4))"
            .to_owned(),
        ..Task::default()
    };
    let mut cases = Vec::new();
    for (name, wasm, count) in [
        ("a task", Task::default().wasm(), MUTANTS),
        ("a task that does more", calling.wasm(), MUTANTS),
        ("stub", guest("stub"), MUTANTS / 4),
    ] {
        for seed in SEED..SEED + count {
            let mut case =
                Case::new(format!("{name}, mutant {seed:#x}"), mutated(&wasm, seed), Expected::Bounded);
            case.timeout = Duration::from_millis(300);
            cases.push(case);
        }
    }
    arena.run_all(cases).await;
}

//! Core modules of world `task`, written by hand: what a module can do wrong with its own code, memory and results.

use super::{Case, Expected, wat};
use stepwell_sandbox::Limits;

pub(super) const TRAP: Expected = Expected::Ends(&["Sandbox.Trap"]);
const STACK: Expected = Expected::Ends(&["Sandbox.StackOverflow"]);
const MEMORY: Expected = Expected::Ends(&["Sandbox.OutOfMemory"]);
const TOO_LARGE: Expected = Expected::Refused(&["DoesNotCompile"]);
/// It returned what every module here returns when it is let.
const HI: Expected = Expected::Returns(|result| result == r#""hi""#);
pub(super) const LOG: &str =
    r#"(import "stepwell:task/log@0.1.0" "write" (func $write (param i32 i32 i32)))"#;

/// A module of the contract. Left alone it returns `"hi"`.
pub(super) struct Task {
    pub(super) imports: String,
    pub(super) memory: String,
    pub(super) more: String,
    /// The body of `cabi_realloc`.
    pub(super) realloc: String,
    /// The body of `run`, before it returns the address of its result.
    pub(super) run: String,
    /// The result: the discriminant, an address, a length, and for errors another pair.
    pub(super) result: [u32; 5],
    /// What is at address 1024.
    pub(super) data: String,
    /// Where `run` says that the result is.
    pub(super) address: u32,
}

impl Default for Task {
    fn default() -> Self {
        Self {
            imports: String::new(),
            memory: r#"(memory (export "memory") 2)"#.to_owned(),
            more: String::new(),
            realloc: "(i32.const 65536)".to_owned(),
            run: String::new(),
            result: [0, 1_024, 4, 1_024, 4],
            data: r#"\"hi\""#.to_owned(),
            address: 16,
        }
    }
}

impl Task {
    pub(super) fn wasm(&self) -> Vec<u8> {
        let Self { imports, memory, more, realloc, run, result, data, address } = self;
        let result: String = result
            .iter()
            .flat_map(|number| number.to_le_bytes())
            .map(|byte| format!("\\{byte:02x}"))
            .collect();
        wat(&format!(
            r#"(module {imports} {memory} {more}
                (data (i32.const 16) "{result}") (data (i32.const 1024) "{data}")
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) {realloc})
                (func (export "stepwell:task/handler@0.1.0#run") (param i32 i32) (result i32)
                    {run} (i32.const {address})))"#
        ))
    }
}

fn running(run: &str) -> Vec<u8> {
    Task { run: run.to_owned(), ..Task::default() }.wasm()
}

/// A module with definitions of its own.
fn with(more: &str, run: &str) -> Vec<u8> {
    Task { more: more.to_owned(), run: run.to_owned(), ..Task::default() }.wasm()
}

/// A module with another memory.
pub(super) fn with_memory(memory: &str, run: &str) -> Vec<u8> {
    Task { memory: memory.to_owned(), run: run.to_owned(), ..Task::default() }.wasm()
}

pub(super) fn logging(run: &str) -> Vec<u8> {
    Task { imports: LOG.to_owned(), run: run.to_owned(), ..Task::default() }.wasm()
}

pub(super) fn answering(result: [u32; 5], data: &str) -> Vec<u8> {
    Task { result, data: data.to_owned(), ..Task::default() }.wasm()
}

pub(super) fn reallocating(realloc: &str) -> Vec<u8> {
    Task { realloc: realloc.to_owned(), imports: LOG.to_owned(), ..Task::default() }.wasm()
}

pub(super) fn post_return(body: &str) -> Vec<u8> {
    let more = format!(r#"(func (export "cabi_post_stepwell:task/handler@0.1.0#run") (param i32) {body})"#);
    Task { more, imports: LOG.to_owned(), ..Task::default() }.wasm()
}

pub(super) fn cases() -> Vec<Case> {
    [loops(), memories(), stacks(), traps(), floods(), shapes()].into_iter().flatten().collect()
}

/// Modules that never come back.
fn loops() -> Vec<Case> {
    let forever = "(loop (br 0))";
    let all = "(i32.const 0) (i32.const 0) (i32.const 33000000)";
    vec![
        Case::endless("loop", running(forever)),
        Case::endless("loop in the start function", with("(start $s) (func $s (loop (br 0)))", "")),
        Case::endless("loop in cabi_realloc", reallocating("(loop (br 0)) (unreachable)")),
        Case::endless("loop in post-return", post_return(forever)),
        Case::endless("loop of tail calls", with("(func $f (return_call $f))", "(call $f)")),
        Case::endless(
            "loop of indirect tail calls",
            with(
                "(type $t (func)) (table 1 funcref) (elem (i32.const 0) func $f)
                 (func $f (return_call_indirect (type $t) (i32.const 0)))",
                "(call $f)",
            ),
        ),
        Case::endless(
            "calls that branch without end",
            with(
                "(func $f (param i32) (if (local.get 0) (then
                    (call $f (i32.sub (local.get 0) (i32.const 1)))
                    (call $f (i32.sub (local.get 0) (i32.const 1))))))",
                "(call $f (i32.const 60))",
            ),
        ),
        Case::endless(
            "loop of memory.fill",
            with_memory(r#"(memory (export "memory") 510)"#, &format!("(loop {all} (memory.fill) (br 0))")),
        ),
        Case::endless(
            "loop of memory.copy",
            with_memory(r#"(memory (export "memory") 510)"#, &format!("(loop {all} (memory.copy) (br 0))")),
        ),
        Case::endless(
            "loop of table.fill",
            with(
                "(table 100000 funcref)",
                "(loop (table.fill (i32.const 0) (ref.null func) (i32.const 100000)) (br 0))",
            ),
        ),
        Case::endless(
            "loop of memory.grow by nothing",
            running("(loop (drop (memory.grow (i32.const 0))) (br 0))"),
        ),
        Case::endless(
            "loop of divisions",
            running("(loop (drop (i64.div_u (i64.const -1) (i64.const 3))) (br 0))"),
        ),
        Case::new(
            "loop within its budget of processor time",
            running(forever),
            Expected::Ends(&["Sandbox.CpuExceeded"]),
        )
        .limits(Limits { cpu_milliseconds: Some(50), ..Limits::default() }),
        Case::new(
            "loop in start within a budget",
            with("(start $s) (func $s (loop (br 0)))", ""),
            Expected::Ends(&["Sandbox.CpuExceeded"]),
        )
        .limits(Limits { cpu_milliseconds: Some(50), ..Limits::default() }),
    ]
}

/// Modules that want all memory and all tables.
fn memories() -> Vec<Case> {
    let eight: String = (0..7).map(|_| "(memory 1)").collect();
    let tables = Expected::Ends(&["Sandbox.TableExceeded"]);
    vec![
        Case::new("memory bomb", running("(loop (drop (memory.grow (i32.const 1))) (br 0))"), MEMORY),
        Case::new("memory bomb in one step", running("(drop (memory.grow (i32.const 65534)))"), MEMORY),
        Case::new(
            "memory bomb of more than there is",
            running("(drop (memory.grow (i32.const -1)))"),
            Expected::Bounded,
        ),
        Case::new(
            "memory bomb in start",
            with("(start $s) (func $s (loop (drop (memory.grow (i32.const 1))) (br 0)))", ""),
            MEMORY,
        ),
        Case::new("eight memories in a module", with(&eight, ""), TOO_LARGE),
        Case::new(
            "memory bomb in cabi_realloc",
            reallocating("(loop (drop (memory.grow (i32.const 1))) (br 0)) (unreachable)"),
            MEMORY,
        ),
        Case::new(
            "four gibibytes to begin with",
            with_memory(r#"(memory (export "memory") 65536)"#, ""),
            TOO_LARGE,
        ),
        Case::new("nine memories", with(&"(memory 1)".repeat(8), ""), TOO_LARGE),
        Case::new("a hundred memories of a page", with(&"(memory 1)".repeat(99), ""), TOO_LARGE),
        Case::new(
            "a shared memory that is waited on",
            with(
                "(memory 1 1 shared)",
                "(drop (memory.atomic.wait32 1 (i32.const 0) (i32.const 0) (i64.const -1)))",
            ),
            Expected::Refused(&["DoesNotCompile", "DoesNotValidate", "DoesNotAdapt"]),
        ),
        Case::new(
            "table bomb",
            with("(table 1 funcref)", "(loop (drop (table.grow (ref.null func) (i32.const 1000))) (br 0))"),
            tables,
        ),
        Case::new(
            "table bomb in one step",
            with("(table 1 funcref)", "(drop (table.grow (ref.null func) (i32.const 100000)))"),
            tables,
        ),
        Case::new("fifteen tables in a module", with(&"(table 10000 funcref)".repeat(15), ""), TOO_LARGE),
        Case::new("ten million entries to begin with", with("(table 10000000 funcref)", ""), TOO_LARGE),
        Case::new("seventeen tables", with(&"(table 1 funcref)".repeat(17), ""), TOO_LARGE),
        Case::new("a segment beyond the memory", with(r#"(data (i32.const 0x7fffffff) "x")"#, ""), TRAP),
        Case::new("a segment at the end of memory", with(r#"(data (i32.const 131072) "x")"#, ""), TRAP),
        Case::new(
            "an element beyond the table",
            with("(table 1 funcref) (elem (i32.const 7) func 0)", ""),
            TRAP,
        ),
        Case::new(
            "segments far apart in a memory of 30 MiB",
            Task {
                memory: r#"(memory (export "memory") 480)"#.to_owned(),
                more: (1..480).map(|page| format!(r#"(data (i32.const {}) "x")"#, page * 65_536)).collect(),
                ..Task::default()
            }
            .wasm(),
            HI,
        ),
        Case::new(
            "copies of a segment that was dropped",
            with(
                r#"(data $d "abc")"#,
                "(data.drop $d) (memory.init $d (i32.const 0) (i32.const 0) (i32.const 3))",
            ),
            TRAP,
        ),
    ]
}

/// Modules that call themselves.
fn stacks() -> Vec<Case> {
    let many = "i64 ".repeat(1_000);
    let given = "(i64.const 1)".repeat(1_000);
    let wide = "v128 ".repeat(40_000);
    vec![
        Case::new("recursion", with("(func $f (call $f) (call $f))", "(call $f)"), STACK),
        Case::new("recursion in start", with("(start $f) (func $f (call $f) (call $f))", ""), STACK),
        Case::new(
            "recursion of two",
            with("(func $f (call $g) (call $g)) (func $g (call $f) (call $f))", "(call $f)"),
            STACK,
        ),
        Case::new(
            "recursion through a table",
            with(
                "(type $t (func)) (table 1 funcref) (elem (i32.const 0) func $f)
                  (func $f (call_indirect (type $t) (i32.const 0)) (call_indirect (type $t) (i32.const 0)))",
                "(call $f)",
            ),
            STACK,
        ),
        Case::new(
            "recursion with a thousand parameters",
            with(
                &format!("(func $f (param {many}) (call $f {given}) (call $f {given}))"),
                &format!("(call $f {given})"),
            ),
            STACK,
        ),
        Case::new(
            "recursion in cabi_realloc",
            Task {
                realloc: "(call $f) (i32.const 65536)".to_owned(),
                more: "(func $f (call $f) (call $f))".to_owned(),
                ..Task::default()
            }
            .wasm(),
            STACK,
        ),
        Case::new(
            "recursion in post-return",
            Task {
                more: r#"(func $f (call $f) (call $f))
                (func (export "cabi_post_stepwell:task/handler@0.1.0#run") (param i32) (call $f))"#
                    .to_owned(),
                ..Task::default()
            }
            .wasm(),
            STACK,
        ),
        Case::new(
            "forty thousand locals",
            with(&format!("(func $f (local {wide}) (call $g)) (func $g)"), "(call $f)"),
            Expected::Bounded,
        ),
        Case::new(
            "fifty thousand locals and one",
            with(&format!("(func $f (local {}))", "i32 ".repeat(50_001)), "(call $f)"),
            Expected::Refused(&["DoesNotValidate"]),
        ),
    ]
}

/// Modules that break off.
fn traps() -> Vec<Case> {
    let table = "(type $t (func)) (type $u (func (param i32))) (table 2 funcref) (elem (i32.const 1) func $n) (func $n)";
    let names = demangling_bomb();
    vec![
        Case::new("unreachable", running("(unreachable)"), TRAP),
        Case::new("unreachable in start", with("(start $s) (func $s (unreachable))", ""), TRAP),
        Case::new("division by zero", running("(drop (i32.div_u (i32.const 1) (i32.const 0)))"), TRAP),
        Case::new(
            "division that overflows",
            running("(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))"),
            TRAP,
        ),
        Case::new(
            "conversion of what is no number",
            running("(drop (i32.trunc_f32_s (f32.const nan)))"),
            TRAP,
        ),
        Case::new("read beyond the memory", running("(drop (i32.load (i32.const 131072)))"), TRAP),
        Case::new(
            "read far beyond the memory",
            running("(drop (i32.load offset=0xffffffff (i32.const -1)))"),
            TRAP,
        ),
        Case::new("write beyond the memory", running("(i64.store (i32.const 131065) (i64.const 1))"), TRAP),
        Case::new("call of nothing", with(table, "(call_indirect (type $t) (i32.const 0))"), TRAP),
        Case::new(
            "call of another type",
            with(table, "(i32.const 0) (call_indirect (type $u) (i32.const 1))"),
            TRAP,
        ),
        Case::new("call beyond the table", with(table, "(call_indirect (type $t) (i32.const -1))"), TRAP),
        Case::new(
            "a trap in a function whose name is a bomb",
            with(&format!("(func $f (@name \"{names}\") (unreachable))"), "(call $f)"),
            TRAP,
        ),
        Case::new(
            "a trap in a function with a name of 100 KB",
            with(&format!("(func $f (@name \"{}\") (unreachable))", "n".repeat(99_999)), "(call $f)"),
            TRAP,
        ),
        Case::new(
            "a stack overflow of names of 100 KB",
            with(&format!("(func $f (@name \"{}\") (call $f) (call $f))", "n".repeat(99_999)), "(call $f)"),
            STACK,
        ),
        Case::endless(
            "a loop in a function whose name is a bomb",
            with(&format!("(func $f (@name \"{names}\") (loop (br 0)))"), "(call $f)"),
        ),
    ]
}

/// A mangled C++ name, some hundred bytes long, that would be written out as 24 gigabytes: each parameter is a pair of the one
/// before it.
pub(super) fn demangling_bomb() -> String {
    let mut name = "_Z1f4pairIiiE".to_owned();
    // S_ is the template, S0_ the first pair, and so on.
    for before in b"0123456789ABCDEFGHIJKLMNOPQRS" {
        let before = char::from(*before);
        name.extend(["S_IS".to_owned(), format!("{before}_S{before}_E")]);
    }
    name
}

/// Modules that write, beat and ask without end.
fn floods() -> Vec<Case> {
    let flood = |length: u32| {
        logging(&format!("(loop (call $write (i32.const 2) (i32.const 1024) (i32.const {length})) (br 0))"))
    };
    let exceeded = Expected::Ends(&["Sandbox.OutputExceeded"]);
    let limits = Limits { output_kib: Some(256), ..Limits::default() };
    vec![
        Case::new("a flood of log messages", flood(1_000), exceeded).limits(limits),
        Case::new("a flood of empty log messages", flood(0), exceeded).limits(limits),
        Case::new("log messages of 100 KB", flood(100_000), exceeded).limits(limits),
        Case::endless(
            "a flood of heartbeats",
            Task {
                imports: r#"(import "stepwell:task/heartbeat@0.1.0" "beat" (func $beat))"#.to_owned(),
                run: "(loop (call $beat) (br 0))".to_owned(),
                ..Task::default()
            }
            .wasm(),
        ),
        Case::endless(
            "a flood of questions",
            Task {
                imports: r#"(import "stepwell:task/context@0.1.0" "current" (func $current (param i32)))"#
                    .to_owned(),
                run: "(loop (call $current (i32.const 2048)) (br 0))".to_owned(),
                ..Task::default()
            }
            .wasm(),
        ),
    ]
}

/// Modules that are built to be hard on compilers.
fn shapes() -> Vec<Case> {
    let branches = "0 ".repeat(65_000);
    let types: String = (0..20_000).map(|_| "(type (func (param i32 i64) (result f64)))").collect();
    let odd: String =
        ["", "..", "../../etc/passwd", "/", "\\00", "\\e2\\80\\ae", "run", "%s%n", "wasi:cli/run"]
            .iter()
            .map(|name| format!("(func (export \"{name}\"))"))
            .collect();
    let nested = format!("{}{}", "(block ".repeat(5_000), ")".repeat(5_000));
    let functions = "(func (drop (i32.const 1)))".repeat(5_000);
    vec![
        Case::new(
            "a br_table of 65,000 targets",
            with(
                &format!("(func $f (param i32) (block (br_table {branches} (local.get 0))))"),
                "(call $f (i32.const 9))",
            ),
            HI,
        ),
        Case::new("20,000 types", with(&types, ""), HI),
        Case::new("exports with odd names", with(&odd, ""), Expected::Bounded),
        Case::new("5,000 blocks in each other", with(&format!("(func $f {nested})"), "(call $f)"), HI),
        Case::new("5,000 functions", with(&functions, ""), HI),
        Case::new(
            "10,000 globals",
            with(&"(global (mut i64) (i64.const 1))".repeat(10_000), ""),
            Expected::Bounded,
        ),
        Case::new(
            "structures of the garbage collector",
            with(
                "(type $s (struct (field i64))) (func $f (drop (struct.new $s (i64.const 1))))",
                "(loop (call $f) (br 0))",
            ),
            Expected::Refused(&["DoesNotCompile", "DoesNotValidate", "DoesNotAdapt"]),
        ),
        Case::new(
            "exceptions",
            with("(tag $t) (func $f (throw $t))", "(call $f)"),
            Expected::Refused(&["DoesNotCompile", "DoesNotValidate", "DoesNotAdapt"]),
        ),
    ]
}

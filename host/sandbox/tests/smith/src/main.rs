//! Makes the random modules of the sandbox's hostile corpus, from fixed seeds:
//!
//! `cargo run --manifest-path host/sandbox/tests/smith/Cargo.toml > host/sandbox/tests/sandbox/hostile/smith.bin`
//!
//! Each is valid by the rules of wasm-smith. Most are nothing that the sandbox knows; others have the exports of a program or
//! of a task, so that what is random in them runs. The file is modules one after the other, each behind its length (four
//! bytes, little-endian).

use arbitrary::Unstructured;
use std::io::Write as _;
use wasm_smith::{Component, Config, Module};

/// Longest module that is kept, in bytes.
const MAX_BYTES: usize = 1_500;

/// A kind of module: how many to make, and how.
type Kind = (usize, fn(&mut Unstructured<'_>) -> arbitrary::Result<Vec<u8>>);

const KINDS: [Kind; 5] =
    [(60, anything), (60, component), (100, program), (60, program_that_asks), (120, task)];

fn main() -> std::io::Result<()> {
    let mut output = std::io::stdout().lock();
    for (kind, (count, make)) in (1..).zip(KINDS) {
        let (mut made, mut seed) = (0, kind << 32);
        while made < count {
            seed += 1;
            let noise = noise(seed);
            let Ok(wasm) = make(&mut Unstructured::new(&noise)) else { continue };
            if wasm.len() <= MAX_BYTES {
                output.write_all(&u32::try_from(wasm.len()).unwrap_or(0).to_le_bytes())?;
                output.write_all(&wasm)?;
                made += 1;
            }
        }
    }
    Ok(())
}

/// Bytes that look random, by SplitMix64.
fn noise(mut seed: u64) -> Vec<u8> {
    let mut next = move || {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    (0..256).flat_map(|_| next().to_le_bytes()).collect()
}

/// Small modules. What the sandbox's engine does not have, most of them must not have, or they would all be refused.
fn config() -> Config {
    Config {
        max_funcs: 8,
        max_instructions: 80,
        max_types: 10,
        max_globals: 6,
        max_data_segments: 4,
        max_element_segments: 4,
        max_tables: 1,
        max_memories: 1,
        max_memory32_bytes: 8 << 20,
        max_table_elements: 1_000,
        gc_enabled: false,
        reference_types_enabled: false,
        exceptions_enabled: false,
        threads_enabled: false,
        memory64_enabled: false,
        custom_page_sizes_enabled: false,
        wide_arithmetic_enabled: false,
        shared_everything_threads_enabled: false,
        ..Config::default()
    }
}

fn anything(noise: &mut Unstructured<'_>) -> arbitrary::Result<Vec<u8>> {
    let everything = Config {
        gc_enabled: true,
        reference_types_enabled: true,
        exceptions_enabled: true,
        threads_enabled: true,
        memory64_enabled: true,
        max_memories: 20,
        max_tables: 20,
        ..config()
    };
    Ok(Module::new(everything, noise)?.to_bytes())
}

fn component(noise: &mut Unstructured<'_>) -> arbitrary::Result<Vec<u8>> {
    Ok(Component::new(config(), noise)?.to_bytes())
}

/// A module with the exports of another.
fn shaped(shape: &str, imports: Option<&str>, noise: &mut Unstructured<'_>) -> arbitrary::Result<Vec<u8>> {
    let bytes = |text: &str| wat::parse_str(text).map_err(|_| arbitrary::Error::IncorrectFormat);
    let mut config = config();
    config.exports = Some(bytes(shape)?);
    config.max_imports = 0;
    if let Some(imports) = imports {
        config.available_imports = Some(bytes(imports)?);
        (config.min_imports, config.max_imports) = (1, 6);
    }
    Ok(Module::new(config, noise)?.to_bytes())
}

const PROGRAM: &str = r#"(module (memory (export "memory") 1) (func (export "_start")))"#;

fn program(noise: &mut Unstructured<'_>) -> arbitrary::Result<Vec<u8>> {
    shaped(PROGRAM, None, noise)
}

fn program_that_asks(noise: &mut Unstructured<'_>) -> arbitrary::Result<Vec<u8>> {
    let imports = r#"(module
        (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_read" (func (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "path_open" (func (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "poll_oneoff" (func (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "random_get" (func (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "environ_get" (func (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func (param i32))))"#;
    shaped(PROGRAM, Some(imports), noise)
}

fn task(noise: &mut Unstructured<'_>) -> arbitrary::Result<Vec<u8>> {
    let shape = r#"(module (memory (export "memory") 1)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0))
        (func (export "stepwell:task/handler@0.1.0#run") (param i32 i32) (result i32) (i32.const 0)))"#;
    shaped(shape, None, noise)
}

//! The command on small modules written by hand. Modules of real compilers run in `tests/module_new.rs`.

use serde_json::Value;

use super::super::super::test_support::{self, Ran};

/// A program that copies standard input to standard output and writes `note` to standard error.
const COPY: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\20\00\00\00\05\00\00\00") (data (i32.const 32) "note\n")
    (data (i32.const 16) "\00\01\00\00\00\01\00\00")
    (func (export "_start")
        (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))
        (drop (call $read (i32.const 0) (i32.const 16) (i32.const 1) (i32.const 24)))
        (i32.store (i32.const 20) (i32.load (i32.const 24)))
        (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 24)))))"#;
const TRAP: &str = r#"(module (memory (export "memory") 1) (func $boom (export "_start") unreachable))"#;

fn run(text: &str, flags: &[&str]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("m.wasm");
    std::fs::write(&file, wat::parse_str(text).unwrap()).unwrap();
    let line =
        ["module", "run", file.to_str().unwrap(), "--no-cache"].into_iter().chain(flags.iter().copied());
    // Nothing listens there: no command of this file may need a server.
    test_support::run("http://127.0.0.1:1", &line.collect::<Vec<_>>())
}

#[test]
fn the_result_goes_out_as_it_came_and_the_rest_beside_it() {
    let ran = run(COPY, &["--input", r#"{"b": 1.50, "a":[]}"#]);
    assert_eq!((ran.standard.as_str(), ran.code), ("{\"b\": 1.50, \"a\":[]}\n", 0), "{}", ran.diagnostic);
    let lines: Vec<&str> = ran.diagnostic.lines().collect();
    assert!(lines[0].ends_with(" s  warn   note"), "{lines:?}");
    assert!(lines[1].starts_with("command of ") && lines[1].contains("; ran in "), "{lines:?}");
    assert_eq!(run(COPY, &[]).standard, "{}\n");
}

#[test]
fn repeated_calls_are_told_once() {
    let ran = run(COPY, &["--repeat", "5", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.diagnostic);
    assert_eq!(ran.diagnostic.matches("note").count(), 1, "{}", ran.diagnostic);
    assert!(ran.diagnostic.contains("; 5 calls in "), "{}", ran.diagnostic);
    let account: Value = serde_json::from_str(&ran.standard).unwrap();
    assert_eq!((&account["calls"], &account["kind"]), (&5.into(), &"command".into()));
    assert_eq!(account["log"][0]["message"], "note");
    assert!(account["result"].is_object(), "{account}");
}

#[test]
fn a_failed_task_has_its_own_exit_code() {
    let ran = run(TRAP, &["--json"]);
    assert_eq!(ran.code, 1);
    assert!(ran.diagnostic.contains("error: Sandbox.Trap: "), "{}", ran.diagnostic);
    assert!(ran.diagnostic.contains("boom"), "{}", ran.diagnostic);
    let account: Value = serde_json::from_str(&ran.standard).unwrap();
    assert_eq!(account["error"], "Sandbox.Trap");
}

#[test]
fn what_is_refused_is_not_run() {
    for (flags, expected) in [
        (&["--input", "{"][..], "--input:1:1: not JSON"),
        (&["--input-file", "/nowhere/x.json"], "/nowhere/x.json: No such file"),
        (&["--secret", "KEY=stripe"], "--secret-file stripe=FILE"),
        (&["--directory", "models=/m"], "--data-directory models=PATH"),
        (&["--env", "STEPWELL_X=1"], "environment.STEPWELL_X"),
        (&["--memory-mib", "0"], "limits.memoryMib: must be at least 1"),
    ] {
        let ran = run(COPY, flags);
        assert_eq!((ran.code, ran.standard.as_str()), (2, ""), "{flags:?}");
        assert!(ran.diagnostic.contains(expected), "{flags:?}: {}", ran.diagnostic);
    }
    let ran = run(r#"(module (import "env" "f" (func)) (func (export "_start")))"#, &[]);
    assert_eq!(ran.code, 2);
    assert!(ran.diagnostic.contains("m.wasm: the module imports env"), "{}", ran.diagnostic);
    let both = ["module", "run", "-", "--input-file", "-"];
    let ran = test_support::run("http://127.0.0.1:1", &both);
    assert!(ran.code == 2 && ran.diagnostic.contains("not both"), "{}", ran.diagnostic);
}

#[test]
fn a_data_directory_that_the_manifest_does_not_name_is_pointed_out() {
    let ran = run(COPY, &["--data-directory", "models=/"]);
    assert_eq!(ran.code, 0, "{}", ran.diagnostic);
    assert!(ran.diagnostic.starts_with("warning: the manifest does not name the data directory models"));
}

//! A new project as somebody makes it who has just installed Stepwell: written, tested, built and run, without a server.
//!
//! It needs cargo and the target wasm32-wasip2, and takes no crate from the network: `make guests` has fetched those
//! that a project needs, since the example modules need the same. Projects in other languages need tools that are
//! fetched when they are built; the tests of the conformance guests cover those.

#![allow(clippy::unwrap_used)] // a test may panic, its helpers too

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

const INPUT: &str = r#"{"order": "7", "cents": 1999}"#;

/// Runs a command in a folder, with a home of its own.
fn run(program: &str, arguments: &[&str], folder: &Path) -> Output {
    Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env("XDG_CACHE_HOME", folder.join("cache"))
        .env("CARGO_NET_OFFLINE", "true")
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("RUSTFLAGS")
        .output()
        .unwrap()
}

fn stepwell(arguments: &[&str], folder: &Path) -> Output {
    run(env!("CARGO_BIN_EXE_stepwell"), arguments, folder)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Asserts that a command did its work, and returns what it printed.
fn done(output: &Output) -> String {
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn a_new_project_in_rust_is_tested_built_and_run() {
    let home = tempfile::tempdir().unwrap();
    let told = done(&stepwell(&["module", "new", "--lang", "rust", "charge-card"], home.path()));
    assert!(
        told.contains("\n  cd charge-card\n  ./build.sh\n  stepwell module run charge-card.wasm"),
        "{told}"
    );
    let project = home.path().join("charge-card");
    let tested = done(&run("bash", &["build.sh", "test"], &project));
    assert!(tested.contains("2 passed"), "{tested}");
    done(&run("./build.sh", &[], &project));

    let call = ["module", "run", "charge-card.wasm", "--attempt", "2", "--input", INPUT];
    let ran = stepwell(&call, &project);
    let result: Value = serde_json::from_str(&done(&ran)).unwrap();
    assert_eq!(result, json!({"id": "charge-7", "cents": 1999}));
    let told = text(&ran.stderr);
    assert!(told.contains(" s  info   attempt 2 charges 1999 cents\n"), "{told}");
    assert!(told.contains("component of ") && told.contains("compiled in "), "{told}");
    // What was compiled is kept for the next run.
    let again = text(&stepwell(&call, &project).stderr);
    assert!(again.contains("compiled earlier"), "{again}");

    let declined = r#"{"order": "7", "cents": 100001}"#;
    let ran = stepwell(&["module", "run", "charge-card.wasm", "--input", declined], &project);
    assert_eq!((ran.status.code(), ran.stdout.len()), (Some(1), 0));
    assert!(
        text(&ran.stderr).contains("error: CardDeclined: 100001 cents is too much\n"),
        "{}",
        text(&ran.stderr)
    );

    let inspected = done(&stepwell(&["module", "inspect", "charge-card.wasm", "--json"], &project));
    let module: Value = serde_json::from_str(&inspected).unwrap();
    assert_eq!((&module["kind"], &module["refusal"]), (&json!("component"), &Value::Null));
    assert_eq!(module["hasFunctionNames"], true);
    assert!(module["exports"][0].as_str().unwrap().starts_with("stepwell:task/handler@0.1."), "{module}");
    assert!(module["tools"].as_array().unwrap().iter().any(|tool| tool["name"] == "Rust"), "{module}");
}

#[test]
fn a_damaged_cache_only_costs_time() {
    let home = tempfile::tempdir().unwrap();
    let program = r#"(module (import "wasi_snapshot_preview1" "fd_write" (func $w (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1) (data (i32.const 0) "\08\00\00\00\02\00\00\00[]")
        (func (export "_start") (drop (call $w (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))))"#;
    std::fs::write(home.path().join("m.wasm"), wat::parse_str(program).unwrap()).unwrap();
    let run = || {
        let ran = stepwell(&["module", "run", "m.wasm"], home.path());
        (done(&ran), text(&ran.stderr).contains("compiled earlier"))
    };
    assert_eq!(run(), ("[]\n".to_owned(), false));
    assert_eq!(run(), ("[]\n".to_owned(), true));
    let cache = home.path().join("cache/stepwell/modules");
    let kept = std::fs::read_dir(&cache).unwrap().next().unwrap().unwrap().path();
    let mut artifact = std::fs::read(&kept).unwrap();
    let middle = artifact.len() / 2;
    artifact[middle] ^= 1;
    std::fs::write(&kept, artifact).unwrap();
    assert_eq!(run(), ("[]\n".to_owned(), false));
    assert_eq!(run(), ("[]\n".to_owned(), true));
    let ran = stepwell(&["module", "run", "m.wasm", "--no-cache"], home.path());
    assert!(text(&ran.stderr).contains("compiled in "), "{}", text(&ran.stderr));
}

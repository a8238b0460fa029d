//! Every kind of module: how it gets its input, how it gives its result, how it fails.

use crate::guests::{Fixture, Recorder, call, call_for, call_with, guest};
use serde_json::{Value, json};
use std::sync::Arc;
use stepwell_sandbox::{CallError, Manifest, ModuleKind};

/// A program for WASI preview 1 that writes what it read, compiled by hand: `fd_read`, then `fd_write` to standard output.
const ECHO_PREVIEW1: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "_start")
        (i32.store (i32.const 0) (i32.const 64))
        (i32.store (i32.const 4) (i32.const 4096))
        (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
        (i32.store (i32.const 4) (i32.load (i32.const 8)))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#;

#[tokio::test]
async fn kinds_are_recognised() {
    let fixture = Fixture::new();
    for (name, kind, adapted) in [
        ("stub", ModuleKind::Component, false),
        ("command", ModuleKind::Command, false),
        ("http_handler", ModuleKind::Http, false),
    ] {
        let installed = fixture.install(guest(name)).await.unwrap();
        assert_eq!((installed.kind, installed.adapted), (kind, adapted), "{name}");
    }
    let installed = fixture.install(wat::parse_str(ECHO_PREVIEW1).unwrap()).await.unwrap();
    assert_eq!((installed.kind, installed.adapted), (ModuleKind::Command, true));
}

#[tokio::test]
async fn a_command_reads_its_input_and_writes_its_result() {
    let fixture = Fixture::new();
    let manifest =
        Manifest::parse(br#"{"arguments":["--fast","x y"],"environment":{"MODE":"test"}}"#).unwrap();
    let digest = fixture.install(guest("command")).await.unwrap().digest;
    let output =
        fixture.sandbox.invoke(&digest, call_with(r#"{"do":"echo","n":1}"#, manifest)).await.unwrap();
    let result: Value = serde_json::from_str(&output.result).unwrap();
    assert_eq!(result["input"], json!({"do": "echo", "n": 1}));
    assert_eq!(result["arguments"], json!(["task", "--fast", "x y"]));
    let environment = &result["environment"];
    assert_eq!(environment["MODE"], "test");
    assert_eq!(environment["STEPWELL_ATTEMPT"], "2");
    assert_eq!(environment["STEPWELL_STATE_NAME"], "Charge \"card\"");
    assert_eq!(environment["STEPWELL_TASK_TOKEN"], "token");
    assert_eq!(environment.as_object().unwrap().len(), 6);
}

#[tokio::test]
async fn a_command_fails_by_its_status() {
    let fixture = Fixture::new();
    let run = |input: &str| {
        let (fixture, input) = (&fixture, input.to_owned());
        async move { fixture.run(guest("command"), &input).await }
    };
    let error = run(r#"{"do":"exit","code":3,"error":"CardDeclined","cause":"no money"}"#).await.unwrap_err();
    assert_eq!(error, CallError::Task { error: "CardDeclined".into(), cause: "no money".into() });
    let error = run(r#"{"do":"exit","code":3}"#).await.unwrap_err();
    assert_eq!(error.name(), "Sandbox.Exit");
    assert!(matches!(error, CallError::Exit { status: 1, .. }), "{error:?}");
    assert_eq!(run(r#"{"do":"exit","code":0}"#).await.as_deref(), Ok("null"));
    assert_eq!(run(r#"{"do":"nothing"}"#).await.as_deref(), Ok("null"));
    assert_eq!(run(r#"{"do":"garbage"}"#).await.unwrap_err().name(), "Sandbox.InvalidResult");
}

#[tokio::test]
async fn a_command_gives_signs_of_life_by_a_line() {
    let fixture = Fixture::new();
    let digest = fixture.install(guest("command")).await.unwrap().digest;
    let host = Arc::new(Recorder::default());
    let beating = call_for(r#"{"do":"heartbeat","beats":3,"pauseMilliseconds":1}"#, Arc::clone(&host));
    assert_eq!(fixture.sandbox.invoke(&digest, beating).await.unwrap().result, r#"{"beats":3}"#);
    assert_eq!(*host.beats.lock().unwrap(), 3);
    assert!(host.lines.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_program_for_preview_1_runs_as_a_command() {
    let fixture = Fixture::new();
    let result = fixture.run(wat::parse_str(ECHO_PREVIEW1).unwrap(), r#"{"a":[1,2]}"#).await;
    assert_eq!(result.as_deref(), Ok(r#"{"a":[1,2]}"#));
}

#[tokio::test]
async fn a_web_server_is_posted_to() {
    let fixture = Fixture::new();
    let result = fixture.run(guest("http_handler"), r#"{"a":1}"#).await.unwrap();
    let result: Value = serde_json::from_str(&result).unwrap();
    assert_eq!(result["echo"], json!({"a": 1}));
    assert_eq!(result["headers"]["stepwell-attempt"], "2");
    assert_eq!(result["headers"]["stepwell-idempotency-key"], "orders/1/7");
}

#[tokio::test]
async fn a_web_server_fails_by_its_status() {
    let fixture = Fixture::new();
    let error = fixture.run(guest("http_handler"), r#"{"status":503,"body":"busy"}"#).await.unwrap_err();
    assert_eq!(error.name(), "Sandbox.HttpStatus.503");
    assert!(error.cause().contains("busy"), "{}", error.cause());
    let named = r#"{"status":418,"error":"Teapot","cause":"short and stout"}"#;
    let error = fixture.run(guest("http_handler"), named).await.unwrap_err();
    assert_eq!(error, CallError::Task { error: "Teapot".into(), cause: "short and stout".into() });
}

#[tokio::test]
async fn a_core_module_of_the_contract_is_a_task() {
    // It answers `ok` with the text at 1024, four bytes long.
    let text = r#"(module (memory (export "memory") 1)
        (data (i32.const 16) "\00\00\00\00\00\04\00\00\04\00\00\00") (data (i32.const 1024) "\"hi\"")
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 2048))
        (func (export "stepwell:task/handler@0.1.0#run") (param i32 i32) (result i32) (i32.const 16)))"#;
    let fixture = Fixture::new();
    let installed = fixture.install(wat::parse_str(text).unwrap()).await.unwrap();
    assert_eq!((installed.kind, installed.adapted), (ModuleKind::Component, true));
    let result = fixture.sandbox.invoke(&installed.digest, call("1")).await.unwrap().result;
    assert_eq!(result, r#""hi""#);
    // After a restart without compiled files it is adapted again.
    std::fs::remove_dir_all(fixture.directory.path().join("compiled")).unwrap();
    let fixture = fixture.restart();
    assert_eq!(fixture.sandbox.invoke(&installed.digest, call("1")).await.unwrap().result, r#""hi""#);
}

//! Every wall of the sandbox, with a guest that runs into it: one test per [`CallError`], and what is out of reach.

use crate::guests::{Fixture, Recorder, call, call_for, guest};
use std::sync::Arc;
use std::time::{Duration, Instant};
use stepwell_sandbox::{Call, CallError};

#[tokio::test]
async fn a_panic_is_a_trap_with_message_and_function_names() {
    let error = Fixture::new().hostile(r#"{"do":"trap"}"#).await.unwrap_err();
    assert_eq!(error.name(), "Sandbox.Trap");
    let cause = error.cause();
    assert!(cause.contains("`unreachable` instruction executed"), "{cause}");
    assert!(cause.contains("trapped on purpose"), "{cause}");
    assert!(cause.contains("hostile.wasm!") && cause.contains("give_up"), "{cause}");
}

#[tokio::test]
async fn a_busy_loop_meets_its_deadline() {
    let fixture = Fixture::new();
    let digest = fixture.install(guest("hostile")).await.unwrap().digest;
    let started = Instant::now();
    let timeout = Duration::from_millis(200);
    let error =
        fixture.sandbox.invoke(&digest, Call { timeout, ..call(r#"{"do":"loop"}"#) }).await.unwrap_err();
    let took = started.elapsed();
    assert!(took >= timeout && took < Duration::from_secs(5), "{took:?}");
    assert_eq!(error.name(), "Sandbox.Timeout");
    assert!(error.cause().contains("did not finish within 200 ms; it was at"), "{}", error.cause());
    assert!(error.cause().contains("spin"), "{}", error.cause());
}

#[tokio::test]
async fn a_sleeper_meets_its_deadline_inside_the_host() {
    let fixture = Fixture::new();
    let digest = fixture.install(guest("hostile")).await.unwrap().digest;
    let timeout = Duration::from_millis(100);
    let sleeper = Call { timeout, ..call(r#"{"do":"sleep","seconds":3600}"#) };
    let error = fixture.sandbox.invoke(&digest, sleeper).await.unwrap_err();
    assert_eq!(error, CallError::Timeout { timeout, backtrace: None });
}

#[tokio::test]
async fn memory_ends_at_its_limit() {
    let fixture = Fixture::with(|config| config.memory_limit_bytes = 16 << 20);
    let error = fixture.hostile(r#"{"do":"allocate"}"#).await.unwrap_err();
    assert_eq!(error.name(), "Sandbox.OutOfMemory");
    let CallError::OutOfMemory { wanted_bytes, limit_bytes } = error else { panic!("{error:?}") };
    assert_eq!(limit_bytes, 16 << 20);
    assert!(wanted_bytes > limit_bytes && wanted_bytes < 64 << 20, "{wanted_bytes}");
}

#[tokio::test]
async fn endless_recursion_ends_with_the_stack() {
    let error = Fixture::new().hostile(r#"{"do":"recurse"}"#).await.unwrap_err();
    assert_eq!(error.name(), "Sandbox.StackOverflow");
    assert!(error.cause().contains("recurse"), "{}", error.cause());
}

#[tokio::test]
async fn results_end_at_their_limit() {
    let fixture = Fixture::with(|config| config.max_result_bytes = 100_000);
    let expected = CallError::ResultTooLarge { limit_bytes: 100_000 };
    for bytes in [100_000, 200_000, 20_000_000] {
        let input = format!(r#"{{"do":"big-result","bytes":{bytes}}}"#);
        let error = fixture.hostile(&input).await.unwrap_err();
        assert_eq!((&error, error.name()), (&expected, "Sandbox.ResultTooLarge"), "{bytes}");
    }
    assert_eq!(fixture.hostile(r#"{"do":"big-result","bytes":99998}"#).await.unwrap().len(), 100_000);
}

#[tokio::test]
async fn logs_end_at_their_limit() {
    let fixture = Fixture::with(|config| config.max_log_bytes = 10_000);
    let digest = fixture.install(guest("hostile")).await.unwrap().digest;
    let host = Arc::new(Recorder::default());
    let spam = call_for(r#"{"do":"spam-log","bytes":10000000}"#, Arc::clone(&host));
    let output = fixture.sandbox.invoke(&digest, spam).await.unwrap();
    assert_eq!(output.result, r#""spammed""#);
    let lines = host.lines.lock().unwrap();
    let bytes: usize = lines.iter().map(|(_, line)| line.len()).sum();
    assert!((9_000..=10_200).contains(&bytes), "{bytes}");
    assert!(lines.last().unwrap().1.contains("limited to 10000 bytes"), "{lines:?}");
}

#[tokio::test]
async fn a_message_beyond_the_copy_limit_is_a_trap() {
    // One log message longer than result limit and slack together: the host refuses to copy it.
    let fixture = Fixture::with(|config| config.max_result_bytes = 1);
    let error = fixture.run(shouting(), "null").await.unwrap_err();
    assert_eq!(error.name(), "Sandbox.Trap");
    assert!(error.cause().contains("too much data is being copied"), "{}", error.cause());
}

#[tokio::test]
async fn a_result_that_is_not_json_is_named() {
    let fixture = Fixture::new();
    let error = fixture.run(returning("{not json}"), "null").await.unwrap_err();
    assert_eq!(error.name(), "Sandbox.InvalidResult");
    assert!(error.cause().contains("key must be a string"), "{}", error.cause());
    let error = fixture.run(returning(""), "null").await.unwrap_err();
    assert!(error.cause().contains("EOF while parsing"), "{}", error.cause());
    assert_eq!(fixture.run(returning("[1]"), "null").await.as_deref(), Ok("[1]"));
}

#[tokio::test]
async fn unknown_modules_are_named() {
    let fixture = Fixture::new();
    let absent = "0".repeat(64);
    for digest in [absent.as_str(), "../../etc/passwd", ""] {
        let error = fixture.sandbox.invoke(digest, call("1")).await.unwrap_err();
        assert_eq!(error, CallError::UnknownModule { digest: digest.to_owned() });
        assert_eq!(error.name(), "Sandbox.UnknownModule");
    }
}

#[tokio::test]
async fn files_and_environment_are_out_of_reach() {
    let fixture = Fixture::new();
    let result = fixture.hostile(r#"{"do":"read-file"}"#).await.unwrap();
    assert!(result.contains(r#""listing":false"#), "{result}");
    assert!(!result.contains(r#""error":null"#), "{result}");
    let result = fixture.hostile(r#"{"do":"env"}"#).await.unwrap();
    assert_eq!(result, r#"{"variables":[],"arguments":0}"#);
}

#[tokio::test]
async fn nothing_stays_in_memory_between_calls() {
    // A module that answers with a counter in its memory always answers with the first number.
    let fixture = Fixture::new();
    let digest = fixture.install(counting()).await.unwrap().digest;
    for _ in 0..50 {
        assert_eq!(fixture.sandbox.invoke(&digest, call("0")).await.unwrap().result, "1");
    }
}

/// A component written by hand: its `run` is the given WebAssembly text, which returns the address of its result.
fn component(data: &str, run: &str) -> Vec<u8> {
    let text = format!(
        r#"(component
            (import "stepwell:task/log@0.1.0" (instance $log
                (type $level' (enum "trace" "debug" "info" "warn" "error"))
                (export "level" (type $level (eq $level')))
                (export "write" (func (param "level" $level) (param "message" string)))))
            (core module $memory
                (memory (export "memory") 8)
                (global $free (mut i32) (i32.const 300000))
                (func (export "realloc") (param i32 i32 i32 i32) (result i32)
                    (global.get $free)
                    (global.set $free (i32.add (global.get $free) (local.get 3)))))
            (core instance $memory (instantiate $memory))
            (alias core export $memory "memory" (core memory $mem))
            (alias core export $memory "realloc" (core func $realloc))
            (core func $write (canon lower (func $log "write") (memory $mem)))
            (core module $main
                (import "host" "memory" (memory 1))
                (import "host" "write" (func $write (param i32 i32 i32)))
                (data (i32.const 1024) "{data}")
                (func (export "run") (param i32 i32) (result i32) {run} (i32.const 16)))
            (core instance $main (instantiate $main (with "host" (instance
                (export "memory" (memory $mem)) (export "write" (func $write))))))
            (type $error (record (field "error" string) (field "cause" string)))
            (type $outcome (result string (error $error)))
            (type $signature (func (param "input" string) (result $outcome)))
            (func $run (type $signature)
                (canon lift (core func $main "run") (memory $mem) (realloc (func $realloc))))
            (component $shim
                (type $record (record (field "error" string) (field "cause" string)))
                (import "error" (type $error (eq $record)))
                (type $outcome (result string (error $error)))
                (import "run" (func $run (param "input" string) (result $outcome)))
                (export $named "task-error" (type $record))
                (type $named-outcome (result string (error $named)))
                (export "run" (func $run) (func (param "input" string) (result $named-outcome))))
            (instance $handler (instantiate $shim
                (with "error" (type $error)) (with "run" (func $run))))
            (export "stepwell:task/handler@0.1.0" (instance $handler)))"#
    );
    wat::parse_str(text).unwrap()
}

/// Returns a fixed text. The result record: 0 for ok, address, length.
fn returning(text: &str) -> Vec<u8> {
    let store = format!(
        "(i32.store (i32.const 16) (i32.const 0))
         (i32.store (i32.const 20) (i32.const 1024))
         (i32.store (i32.const 24) (i32.const {}))",
        text.len()
    );
    component(text, &store)
}

/// Writes a log message of 200,000 bytes.
fn shouting() -> Vec<u8> {
    component("1", "(call $write (i32.const 2) (i32.const 1024) (i32.const 200000))")
}

/// Adds one to a digit in its memory and returns it.
fn counting() -> Vec<u8> {
    let run = "(i32.store8 (i32.const 1024) (i32.add (i32.load8_u (i32.const 1024)) (i32.const 1)))
         (i32.store (i32.const 20) (i32.const 1024))
         (i32.store (i32.const 24) (i32.const 1))";
    component("0", run)
}

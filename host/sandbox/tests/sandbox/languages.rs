//! The same three guests in every language of `guest-sdk`: echo with context, fail with a name, slow with heartbeats.
//!
//! `make languages` builds them (`tests/guests/build.sh`). A language whose compiler could not be installed is skipped by
//! name; one that is simply missing fails.

use crate::guests::{Fixture, Recorder, call_for};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use stepwell_sandbox::{Call, CallError, LogLevel};

const BUILD: &str = "bash tests/guests/build.sh target/guests";

/// Returns the folder of a language's guests, or why there are none.
fn folder(language: &str) -> Result<PathBuf, String> {
    let all = std::env::var_os("STEPWELL_LANGUAGE_GUESTS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/guests")),
        PathBuf::from,
    );
    let folder = all.join(language);
    match std::fs::read_to_string(folder.join("SKIPPED")) {
        Ok(reason) => Err(reason),
        Err(_) => Ok(folder),
    }
}

fn guest(folder: &Path, name: &str) -> Vec<u8> {
    let path = folder.join(name).with_extension("wasm");
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}\nbuild the guests first:\n    {BUILD}", path.display()))
}

/// Runs the three guests of a language.
async fn conforms(language: &str) {
    let folder = match folder(language) {
        Ok(folder) => folder,
        Err(reason) => {
            eprintln!("{reason}");
            return;
        }
    };
    let fixture = Fixture::new();
    echoes(&fixture, language, guest(&folder, "echo")).await;
    fails(&fixture, guest(&folder, "fail")).await;
    beats(&fixture, guest(&folder, "slow")).await;
}

/// A call that a debug build on a busy machine finishes in any language.
fn patient(input: &str, host: &Arc<Recorder>) -> Call {
    Call { timeout: Duration::from_mins(2), ..call_for(input, Arc::clone(host)) }
}

async fn echoes(fixture: &Fixture, language: &str, wasm: Vec<u8>) {
    let digest = fixture.install(wasm).await.unwrap().digest;
    let host = Arc::new(Recorder::default());
    let input = json!({"text": "Grüße, 世界 \u{1F980}", "numbers": [0, -1, 2.5, 1e21], "none": null, "deep": {"a": [{}]}});
    let output = fixture.sandbox.invoke(&digest, patient(&input.to_string(), &host)).await.unwrap();
    let result: Value = serde_json::from_str(&output.result).unwrap();
    let expected = json!({
        "executionArn": "arn:aws:states:us-east-1:123456789012:execution:orders:1",
        "stateName": "Charge \"card\"",
        "attempt": 2,
        "idempotencyKey": "orders/1/7",
        "taskToken": "token",
    });
    assert_eq!(result["context"], expected);
    assert_eq!(result["timeLeft"], true);
    assert_same(&result["input"], &input);
    let line = (LogLevel::Info, format!("echo in {language}"));
    let lines = host.lines.lock().unwrap();
    assert!(lines.contains(&line), "{lines:?}");
}

/// Compares values as JSON has them: 1e21 is a number, however it is written.
fn assert_same(got: &Value, expected: &Value) {
    match (got, expected) {
        (Value::Number(got), Value::Number(expected)) => assert_eq!(got.as_f64(), expected.as_f64()),
        (Value::Array(got), Value::Array(expected)) => {
            assert_eq!(got.len(), expected.len());
            got.iter().zip(expected).for_each(|(got, expected)| assert_same(got, expected));
        }
        (Value::Object(got), Value::Object(expected)) => {
            assert_eq!(got.len(), expected.len());
            expected.iter().for_each(|(name, expected)| assert_same(&got[name], expected));
        }
        (got, expected) => assert_eq!(got, expected),
    }
}

async fn fails(fixture: &Fixture, wasm: Vec<u8>) {
    let digest = fixture.install(wasm).await.unwrap().digest;
    let host = Arc::new(Recorder::default());
    let input = r#"{"error":"CardDeclined","cause":"no money – try \"later\""}"#;
    let error = fixture.sandbox.invoke(&digest, patient(input, &host)).await.unwrap_err();
    let expected =
        CallError::Task { error: "CardDeclined".into(), cause: "no money – try \"later\"".into() };
    assert_eq!(error, expected);
}

async fn beats(fixture: &Fixture, wasm: Vec<u8>) {
    let digest = fixture.install(wasm).await.unwrap().digest;
    let host = Arc::new(Recorder::default());
    let started = Instant::now();
    let slow = patient(r#"{"beats":3,"pauseMilliseconds":20}"#, &host);
    let result = fixture.sandbox.invoke(&digest, slow).await.unwrap().result;
    assert_eq!(serde_json::from_str::<Value>(&result).unwrap(), json!({"beats": 3}));
    assert_eq!(*host.beats.lock().unwrap(), 3);
    assert!(started.elapsed() >= Duration::from_millis(60));
}

macro_rules! languages {
    ($($language:ident)*) => {
        $(#[tokio::test]
        async fn $language() {
            conforms(stringify!($language)).await;
        })*
    };
}

languages! { rust python javascript go c zig }

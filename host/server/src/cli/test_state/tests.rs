//! Tests of `stepwell test-state` against scripted answers.

use clap::Parser as _;
use serde_json::{Value, json};

use super::super::Cli;
use super::super::test_responder::Responder;
use super::super::test_support::run;

/// A definition in a file that lives as long as the returned directory.
fn definition() -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.json");
    std::fs::write(&path, "{\"Type\": \"Pass\",  \"End\": true}\n").unwrap();
    (directory, path.to_str().unwrap().to_owned())
}

#[test]
fn flags_become_members_of_the_request() {
    let (_directory, file) = definition();
    let responder = Responder::start([(200, r#"{"status":"SUCCEEDED"}"#); 2]);
    run(&responder.endpoint, &["test-state", &file, "--account", "000000000001"]);
    let line =
        ["test-state", &file, "--state", "S", "--input", "{\"a\":1.10}", "--error", "E", "--cause", "C"];
    let more = [
        "--level",
        "trace",
        "--retries",
        "2",
        "--caused-by",
        "T",
        "--variables",
        &file,
        "--validation",
        "none",
    ];
    run(&responder.endpoint, &[&line[..], &more[..]].concat());
    let requests = responder.requests();
    assert_eq!(requests[0].header("x-amz-target"), Some("AWSStepFunctions.TestState"));
    let text = "{\"Type\": \"Pass\",  \"End\": true}\n";
    let role = "arn:aws:iam::000000000001:role/stepwell";
    assert_eq!(requests[0].json(), json!({"definition": text, "roleArn": role, "inspectionLevel": "DEBUG"}));
    let mut second = requests[1].json();
    second.as_object_mut().unwrap().remove("roleArn");
    let expected = json!({"definition": text, "stateName": "S", "input": "{\"a\":1.10}", "inspectionLevel": "TRACE",
        "variables": text, "mock": {"errorOutput": {"error": "E", "cause": "C"}, "fieldValidationMode": "NONE"},
        "stateConfiguration": {"retrierRetryCount": 2, "errorCausedByState": "T"}});
    assert_eq!(second, expected);
}

#[test]
fn the_outcome_comes_first_and_stages_in_their_order() {
    let (_directory, file) = definition();
    let answer = json!({"status": "CAUGHT_ERROR", "nextState": "Refund", "error": "Declined", "cause": "no money",
        "output": "{\"a\":1}", "inspectionData": {"result": "[2]", "input": "{}", "maxConcurrency": 3,
        "errorDetails": {"catchIndex": 1}}});
    let text: &'static str = answer.to_string().leak();
    let responder = Responder::start([(200, text)]);
    let ran = run(&responder.endpoint, &["test-state", &file]);
    let expected = "Status   CAUGHT_ERROR\nNext     Refund\nError    Declined\nCause    no money\nCatcher  1\n\
        \ninput\n  {}\n\niterations at a time\n  3\n\nresult\n  [\n    2\n  ]\n\noutput\n  {\n    \"a\": 1\n  }\n";
    let shown: Vec<&str> = ran.standard.lines().map(str::trim_end).collect();
    assert_eq!(shown, expected.lines().collect::<Vec<_>>());
    assert_eq!((ran.diagnostic.as_str(), ran.code), ("", 0));
}

#[test]
fn a_state_that_fails_ends_with_its_error() {
    let (_directory, file) = definition();
    let responder = Responder::start([(200, r#"{"status":"RETRIABLE","error":"E","cause":"c\u0007"}"#)]);
    let ran = run(&responder.endpoint, &["test-state", &file, "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&ran.standard).unwrap()["status"], "RETRIABLE");
    assert_eq!(ran.code, 1);
    assert!(ran.diagnostic.contains("E: c"), "{}", ran.diagnostic);
    assert!(!ran.diagnostic.contains('\u{7}'));
}

#[test]
fn what_excludes_each_other_is_refused() {
    for line in [
        vec!["--mock", "1", "--error", "E"],
        vec!["--cause", "c"],
        vec!["--input", "1", "--input-file", "f"],
        vec!["--level", "ALL"],
    ] {
        let line = ["stepwell", "test-state", "f"].into_iter().chain(line);
        assert_eq!(Cli::try_parse_from(line).unwrap_err().exit_code(), 2);
    }
    let ran = run("http://127.0.0.1:9", &["test-state", "-", "--variables", "-"]);
    assert_eq!(ran.code, 2);
}

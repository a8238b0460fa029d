//! Tests of `stepwell machine` against scripted answers.

use serde_json::json;

use super::super::test_responder::Responder;
use super::super::test_support::{Ran, run};
use super::outline;

const ORDER: &str = "arn:aws:states:us-east-1:123456789012:stateMachine:order";

/// A definition file that lives as long as the returned directory.
fn definition(text: &str) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("order.asl.json");
    std::fs::write(&path, text).unwrap();
    (directory, path.to_str().unwrap().to_owned())
}

#[test]
fn create_sends_the_definition_as_written() {
    let (_directory, file) = definition("{ \"StartAt\": \"A\" }\n");
    let responder = Responder::start([(200, &format!("{{\"stateMachineArn\":\"{ORDER}\"}}"))]);
    let line = ["machine", "create", "order", "--definition", &file, "--account", "111122223333"];
    let ran = run(&responder.endpoint, &line);
    assert_eq!((ran.standard, ran.code), (format!("{ORDER}\n"), 0));
    let request = responder.requests().remove(0);
    assert_eq!(request.operation(), "CreateStateMachine");
    let expected = json!({
        "name": "order",
        "definition": "{ \"StartAt\": \"A\" }\n",
        "roleArn": "arn:aws:iam::111122223333:role/stepwell",
        "type": "STANDARD"
    });
    assert_eq!(request.json(), expected);
}

#[test]
fn a_broken_definition_is_not_sent() {
    let (_directory, file) = definition("{\"StartAt\": }");
    let responder = Responder::start([]);
    let ran = run(&responder.endpoint, &["machine", "update", "order", "--definition", &file]);
    assert_eq!(ran.code, 2);
    assert_eq!(ran.diagnostic, format!("error: {file}:1:13: not JSON: expected value\n"));
    assert!(responder.requests().is_empty());
}

#[test]
fn machines_are_listed_over_all_pages() {
    let first = format!(
        r#"{{"stateMachines":[{{"name":"order","type":"STANDARD","creationDate":1795365148.123,
            "stateMachineArn":"{ORDER}"}}],"nextToken":"t"}}"#
    );
    let second = r#"{"stateMachines":[{"name":"b","type":"EXPRESS","creationDate":1795365149,
        "stateMachineArn":"arn:b"}]}"#;
    let responder = Responder::start([(200, &first), (200, second), (200, &first), (200, second)]);
    let Ran { standard, .. } = run(&responder.endpoint, &["machine", "list"]);
    let expected = format!(
        "\
NAME   TYPE      CREATED (UTC)        ARN
order  STANDARD  2026-11-22 16:32:28  {ORDER}
b      EXPRESS   2026-11-22 16:32:29  arn:b
"
    );
    assert_eq!(standard, expected);
    let Ran { standard, .. } = run(&responder.endpoint, &["machine", "list", "--json"]);
    let printed: serde_json::Value = serde_json::from_str(&standard).unwrap();
    assert_eq!(printed["stateMachines"].as_array().unwrap().len(), 2);
    assert_eq!(printed["stateMachines"][0]["creationDate"], json!(1_795_365_148.123));
}

#[test]
fn describe_can_print_the_definition_alone() {
    let body = format!(
        r#"{{"name":"order","stateMachineArn":"{ORDER}","type":"STANDARD","status":"ACTIVE",
            "definition":"{{\"StartAt\":\"A\",\"States\":{{\"A\":{{}}}}}}\n","creationDate":1795365148}}"#
    );
    let responder = Responder::start([(200, &body), (200, &body)]);
    let ran = run(&responder.endpoint, &["machine", "describe", "order", "--definition"]);
    assert_eq!(ran.standard, "{\"StartAt\":\"A\",\"States\":{\"A\":{}}}\n");
    let ran = run(&responder.endpoint, &["machine", "describe", ORDER]);
    assert!(ran.standard.contains("created     2026-11-22 16:32:28\n"), "{}", ran.standard);
    assert!(ran.standard.contains("definition  1 state from A, 34 B ("), "{}", ran.standard);
    assert_eq!(responder.requests()[0].json(), responder.requests()[1].json());
}

#[test]
fn validate_reports_errors_with_exit_code_1() {
    let (_directory, file) = definition("{}");
    let report = r#"{"result":"FAIL","diagnostics":[
        {"severity":"ERROR","code":"MISSING_FIELD","message":"no States","location":"/"},
        {"severity":"WARNING","code":"NO_COMMENT","message":"no Comment"}]}"#;
    let responder = Responder::start([(200, report), (200, r#"{"result":"OK","diagnostics":[]}"#)]);
    let ran = run(&responder.endpoint, &["machine", "validate", &file, "--type", "express"]);
    let expected = "\
SEVERITY  CODE           LOCATION  MESSAGE
ERROR     MISSING_FIELD  /         no States
WARNING   NO_COMMENT     -         no Comment
";
    assert_eq!((ran.standard.as_str(), ran.code), (expected, 1));
    assert_eq!(ran.diagnostic, format!("error: {file}: 1 error, 1 warning\n"));
    assert_eq!(responder.requests()[0].json()["type"], "EXPRESS");
    assert_eq!(responder.requests()[0].json()["severity"], "WARNING", "warnings are asked for");
    let ran = run(&responder.endpoint, &["machine", "validate", &file]);
    assert_eq!((ran.standard, ran.code), (format!("{file}: OK\n"), 0));
}

#[test]
fn outlines_survive_any_text() {
    assert!(outline("not json").starts_with("0 states from -, 8 B"));
}

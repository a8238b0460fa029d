//! Tests of `stepwell execution` against scripted answers.

use serde_json::{Value, json};

use super::super::test_responder::{NO_ANSWER, Responder, closed_port};
use super::super::test_support::run;

const RUN: &str = "arn:aws:states:us-east-1:123456789012:execution:order:run-1";
const STARTED: &str = r#"{"executionArn":"arn:aws:states:us-east-1:123456789012:execution:order:run-1","startDate":1795365148.0}"#;
const STANDARD: &str = r#"{"type":"STANDARD"}"#;

/// What DescribeExecution says, with more members.
fn described(status: &str, more: &str) -> String {
    format!(
        r#"{{"executionArn":"{RUN}","name":"run-1","status":"{status}","startDate":1795365148.0,
            "stateMachineArn":"arn:aws:states:us-east-1:123456789012:stateMachine:order"{more}}}"#
    )
}

fn ended(status: &str, more: &str) -> String {
    described(status, &format!(r#","stopDate":1795365149.25{more}"#))
}

#[test]
fn start_prints_the_arn_and_sends_what_was_given() {
    let responder = Responder::start([(200, STARTED), (200, STARTED)]);
    let line = ["execution", "start", "order", "--name", "run-1", "--input", "{\"id\": 7}"];
    let ran = run(&responder.endpoint, &line);
    assert_eq!((ran.standard, ran.code), (format!("{RUN}\n"), 0));
    run(&responder.endpoint, &["execution", "start", "order"]);
    let requests = responder.requests();
    let machine = "arn:aws:states:us-east-1:123456789012:stateMachine:order";
    assert_eq!(
        requests[0].json(),
        json!({"stateMachineArn": machine, "name": "run-1", "input": "{\"id\": 7}"})
    );
    assert_eq!(requests[1].json(), json!({"stateMachineArn": machine}));
}

#[test]
fn broken_input_is_located_and_not_sent() {
    let responder = Responder::start([]);
    let ran = run(&responder.endpoint, &["execution", "start", "order", "--input", "{\"id\": 07}"]);
    assert_eq!(ran.code, 2);
    assert_eq!(ran.diagnostic, "error: --input:1:9: not JSON: invalid number\n");
    let ran = run(&responder.endpoint, &["execution", "start", "order", "--input-file", "/nowhere.json"]);
    assert_eq!(ran.diagnostic, "error: /nowhere.json: No such file or directory\n");
    assert!(responder.requests().is_empty());
}

#[test]
fn waiting_asks_the_server_to_wait_and_prints_the_output() {
    let running = described("RUNNING", "");
    let done = ended("SUCCEEDED", r#","output":"{\"total\":12.50}""#);
    let responder = Responder::start([(200, STANDARD), (200, STARTED), (200, &running), (200, &done)]);
    let ran = run(&responder.endpoint, &["execution", "start", "order", "--wait"]);
    assert_eq!((ran.standard.as_str(), ran.code), ("{\n  \"total\": 12.5\n}\n", 0));
    let path = format!("/api/executions/{}/wait", RUN.replace(':', "%3A"));
    let waits = format!("GET {path}?timeout=5 HTTP/1.1");
    assert_eq!(responder.operations(), ["DescribeStateMachine", "StartExecution", &waits, &waits]);
}

#[test]
fn waiting_polls_an_older_server() {
    let running = described("RUNNING", "");
    let missing = r#"{"__type":"NotFound","message":"There is nothing at /api"}"#;
    let done = ended("SUCCEEDED", r#","output":"{\"total\":12.50}""#);
    let responder = Responder::start([
        (200, STANDARD),
        (200, STARTED),
        (404, missing),
        (200, &running),
        (200, &running),
        (200, &done),
    ]);
    let ran = run(&responder.endpoint, &["execution", "start", "order", "--wait"]);
    assert_eq!((ran.standard.as_str(), ran.code), ("{\n  \"total\": 12.5\n}\n", 0));
    assert_eq!(ran.diagnostic, format!("started {RUN}\norder:run-1 SUCCEEDED after 1.250s\n"));
    let operations = responder.operations();
    assert_eq!(operations[..2], ["DescribeStateMachine", "StartExecution"]);
    assert_eq!(operations[3..], ["DescribeExecution"; 3]);
}

#[test]
fn waiting_for_a_failure_ends_with_code_1_and_the_reason() {
    let failed = ended("FAILED", r#","error":"CardExpired","cause":"on 1 May""#);
    let answers = [(200, STANDARD), (200, STARTED), (200, failed.as_str())];
    let responder = Responder::start(answers);
    let ran = run(&responder.endpoint, &["execution", "start", "order", "--wait"]);
    assert_eq!((ran.standard.as_str(), ran.code), ("", 1));
    assert!(ran.diagnostic.contains("error: order:run-1 FAILED after 1.250s: CardExpired: on 1 May\n"));
    assert!(ran.diagnostic.contains(&format!("stepwell execution history {RUN}")), "{}", ran.diagnostic);
    let responder = Responder::start(answers);
    let ran = run(&responder.endpoint, &["execution", "start", "order", "--wait", "--json"]);
    let printed: Value = serde_json::from_str(&ran.standard).unwrap();
    assert_eq!((printed["status"].as_str(), ran.code), (Some("FAILED"), 1));
}

#[test]
fn waiting_ends_at_the_timeout() {
    let running = described("RUNNING", "");
    let responder = Responder::start([(200, STANDARD), (200, STARTED), (200, &running)]);
    let ran = run(&responder.endpoint, &["execution", "start", "order", "--wait", "--timeout", "0"]);
    assert_eq!(ran.code, 1);
    assert!(ran.diagnostic.contains("order:run-1 is still running after 0 s"), "{}", ran.diagnostic);
}

#[test]
fn waiting_outlives_a_server_that_goes_away() {
    let busy = r#"{"__type":"ServiceUnavailable","message":"starting"}"#;
    let done = ended("SUCCEEDED", r#","output":"1""#);
    let responder =
        Responder::start([(200, STANDARD), (200, STARTED), (NO_ANSWER, ""), (503, busy), (200, &done)]);
    let ran = run(&responder.endpoint, &["execution", "start", "order", "--wait"]);
    assert_eq!((ran.standard.as_str(), ran.code), ("1\n", 0), "{}", ran.diagnostic);
    assert_eq!(responder.operations().iter().filter(|operation| *operation == "StartExecution").count(), 1);
}

#[test]
fn express_machines_run_through_the_synchronous_call() {
    let done = r#"{"executionArn":"arn:aws:states:r:a:express:order:x:u","status":"FAILED","startDate":1,
        "stopDate":1.5,"error":"Bad"}"#;
    let responder = Responder::start([(200, r#"{"type":"EXPRESS"}"#), (200, done)]);
    let ran = run(&responder.endpoint, &["execution", "start", "order", "--wait"]);
    assert_eq!(ran.code, 1);
    assert_eq!(ran.diagnostic, "error: order:x:u FAILED after 0.500s: Bad\n");
    assert_eq!(responder.operations(), ["DescribeStateMachine", "StartSyncExecution"]);
}

#[test]
fn describe_shows_times_and_data() {
    let done = ended("SUCCEEDED", r#","input":"{\"id\":7}","output":"[]","redriveCount":0"#);
    let responder = Responder::start([(200, &done)]);
    let ran = run(&responder.endpoint, &["execution", "describe", "order:run-1"]);
    for part in [
        "status        SUCCEEDED\n",
        "took          1.250s\n",
        "input:\n  {\n    \"id\": 7\n  }\noutput:\n  []\n",
    ] {
        assert!(ran.standard.contains(part), "no {part:?} in\n{}", ran.standard);
    }
    assert_eq!(responder.requests()[0].json(), json!({"executionArn": RUN}));
}

#[test]
fn executions_are_listed_with_filter_and_limit() {
    let page = format!(
        r#"{{"executions":[{{"executionArn":"{RUN}","name":"run-1","status":"TIMED_OUT",
            "startDate":1795365148.0,"stopDate":1795365149.25}}],"nextToken":"t"}}"#
    );
    let responder = Responder::start([(200, &page)]);
    let line = ["execution", "list", "order", "--status", "timed_out", "--limit", "1"];
    let ran = run(&responder.endpoint, &line);
    let expected = "\
EXECUTION    STATUS     STARTED (UTC)              TOOK
order:run-1  TIMED_OUT  2026-11-22 16:32:28.000  1.250s
";
    assert_eq!(ran.standard, expected);
    assert!(ran.diagnostic.contains("--limit N"), "{}", ran.diagnostic);
    let sent = responder.requests()[0].json();
    assert_eq!((&sent["statusFilter"], &sent["maxResults"]), (&json!("TIMED_OUT"), &json!(1)));
}

#[test]
fn the_children_of_a_map_run_are_listed_by_its_arn() {
    let responder = Responder::start([(200, r#"{"executions":[]}"#)]);
    let arn = "arn:aws:states:us-east-1:123456789012:mapRun:order/each:uuid";
    let ran = run(&responder.endpoint, &["execution", "list", arn]);
    assert_eq!((ran.diagnostic.as_str(), ran.code), ("no executions\n", 0));
    assert_eq!(responder.requests()[0].json()["mapRunArn"], arn);
}

#[test]
fn history_reads_all_pages() {
    let first = r#"{"events":[{"id":1,"previousEventId":0,"timestamp":1,"type":"ExecutionStarted"}],"nextToken":"t"}"#;
    let second = r#"{"events":[{"id":2,"previousEventId":1,"timestamp":2,"type":"ExecutionAborted"}]}"#;
    let responder = Responder::start([(200, first), (200, second)]);
    let ran = run(&responder.endpoint, &["execution", "history", "order:run-1", "--json", "--reverse"]);
    let printed: Value = serde_json::from_str(&ran.standard).unwrap();
    assert_eq!(printed["events"].as_array().unwrap().len(), 2);
    assert_eq!(responder.requests()[1].json()["nextToken"], "t");
    assert_eq!(responder.requests()[1].json()["reverseOrder"], true);
}

#[test]
fn stop_sends_only_what_was_given() {
    let responder = Responder::start([(200, r#"{"stopDate":1795365149.25}"#)]);
    let ran = run(&responder.endpoint, &["execution", "stop", "order:run-1", "--error", "Cancelled"]);
    assert_eq!(ran.standard, "stopped order:run-1 at 2026-11-22 16:32:29.250 UTC\n");
    assert_eq!(responder.requests()[0].json(), json!({"executionArn": RUN, "error": "Cancelled"}));
}

#[test]
fn the_log_is_read_from_its_own_endpoint() {
    let log = r#"{"lines":[{"timestamp":1795365148.5,"level":"info","state":"Charge","attempt":0,"message":"hi"}]}"#;
    let responder = Responder::start([(200, log)]);
    let ran = run(&responder.endpoint, &["execution", "log", "order:run-1"]);
    assert_eq!(ran.standard, "2026-11-22 16:32:28.500  info  Charge  hi\n");
    assert!(responder.requests()[0].line.starts_with("GET /executions/arn%3Aaws%3Astates%3A"));
}

#[test]
fn refusals_and_silence_have_their_own_codes() {
    let refusal = format!(
        r#"{{"__type":"com.amazonaws.swf.service.v2.model#ExecutionDoesNotExist","message":"Execution Does Not Exist: '{RUN}'"}}"#
    );
    let responder = Responder::start([(400, &refusal)]);
    let ran = run(&responder.endpoint, &["execution", "history", "order:run-1"]);
    assert_eq!(ran.code, 3);
    assert_eq!(ran.diagnostic, format!("error: ExecutionDoesNotExist: Execution Does Not Exist: '{RUN}'\n"));
    let ran = run(&closed_port(), &["execution", "describe", "order:run-1"]);
    assert_eq!(ran.code, 4);
    assert!(ran.diagnostic.contains("hint: start a server with `stepwell serve`"), "{}", ran.diagnostic);
}

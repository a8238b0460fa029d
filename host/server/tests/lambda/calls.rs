//! Calls: results, errors, logs, and calls in the background.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use stepwell_store::MemoryBackend;

use crate::client::{FUNCTIONS, arn, module};
use crate::support::{Callee, TestServer};

fn with_modules() -> TestServer {
    TestServer::start_on(Arc::new(MemoryBackend::new()), Callee::Modules)
}

#[test]
fn a_call_gives_the_result_of_the_module() {
    let server = with_modules();
    server.function("echo", &module(""));
    let reply = server.invoke("echo", &[], r#"{"a": [1, 2.50]}"#);
    assert_eq!((reply.status, &reply.body), (200, &json!({"a": [1, 2.50]})));
    assert_eq!(reply.header("x-amz-executed-version"), Some("$LATEST"));
    assert_eq!((reply.header("x-amz-function-error"), reply.header("x-amz-log-result")), (None, None));
    let by_arn =
        server.invoke(&arn("echo").replace(':', "%3A"), &[("X-Amz-Invocation-Type", "RequestResponse")], "");
    assert_eq!(by_arn.body, json!({}));
}

#[test]
fn a_modules_own_error_is_handled() {
    let server = with_modules();
    server.function("echo", &module(""));
    let reply = server.invoke("echo", &[], "[7]");
    assert_eq!((reply.status, reply.header("x-amz-function-error")), (200, Some("Handled")));
    assert_eq!(reply.body, json!({"errorType": "Refused", "errorMessage": "[7]"}));
}

#[test]
fn a_payload_must_be_json() {
    let server = with_modules();
    server.function("echo", &module(""));
    let reply = server.invoke("echo", &[], "{");
    assert_eq!(
        (reply.status, reply.header("x-amzn-errortype")),
        (400, Some("InvalidRequestContentException"))
    );
    let message = reply.body["message"].as_str().unwrap();
    assert!(message.starts_with("Could not parse request body into json: "), "{message}");
    let large = format!("\"{}\"", "x".repeat(6_291_556));
    let reply = server.invoke("echo", &[], &large);
    assert_eq!(
        (reply.status, reply.header("x-amzn-errortype")),
        (413, Some("RequestEntityTooLargeException"))
    );
}

#[test]
fn logs_come_with_the_answer_when_asked_for() {
    // Functions that the test plays: no module behind them.
    let server = TestServer::start();
    let reply = server.invoke("chatty", &[("X-Amz-Log-Type", "Tail")], "{}");
    let tail = STANDARD.decode(reply.header("x-amz-log-result").unwrap()).unwrap();
    let tail = String::from_utf8(tail).unwrap();
    let request_id = reply.header("x-amzn-requestid").unwrap();
    let expected = format!(
        "START RequestId: {request_id} Version: $LATEST\nINFO one\nWARN two\nEND RequestId: {request_id}\n"
    );
    assert_eq!(tail, expected);
    let quiet = server.invoke("chatty", &[("X-Amz-Log-Type", "None")], "{}");
    assert_eq!(quiet.header("x-amz-log-result"), None);
}

#[test]
fn a_dry_run_and_a_call_in_the_background_do_not_wait() {
    let server = with_modules();
    server.function("echo", &module(""));
    let kind = |kind| [("X-Amz-Invocation-Type", kind)];
    for (name, status) in [("DryRun", 204), ("Event", 202)] {
        let reply = server.invoke("echo", &kind(name), "{}");
        assert_eq!((reply.status, reply.body), (status, Value::Null), "{name}");
        let missing = server.invoke("nobody", &kind(name), "{}");
        let message = format!("Function not found: {}", arn("nobody:$LATEST"));
        assert_eq!((missing.status, &missing.body["Message"]), (404, &json!(message)), "{name}");
    }
    let large = format!("\"{}\"", "x".repeat(1 << 20));
    let reply = server.invoke("echo", &kind("Event"), &large);
    assert_eq!(
        (reply.status, reply.header("x-amzn-errortype")),
        (413, Some("RequestEntityTooLargeException"))
    );
    let reply = server.invoke("echo", &kind("Later"), "{}");
    assert_eq!((reply.status, reply.header("x-amzn-errortype")), (400, Some("ValidationException")));
}

#[test]
fn a_call_of_nothing_is_refused() {
    let server = with_modules();
    server.function("echo", &module(""));
    for (name, qualified) in [("nobody", "nobody:$LATEST"), ("echo:7", "echo:7"), ("echo:live", "echo:live")]
    {
        let reply = server.invoke(name, &[], "{}");
        let message = format!("Function not found: {}", arn(qualified));
        assert_eq!((reply.status, &reply.body["Message"]), (404, &json!(message)), "{name}");
    }
    let path = format!("{FUNCTIONS}/echo:1/invocations?Qualifier=2");
    let (_, code, message) = server.failed_at("POST", &path, &json!({}));
    assert_eq!(code, "InvalidParameterValueException", "{message}");
}

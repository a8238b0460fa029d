//! Tests of the HTTP client against scripted answers.

use serde_json::{Map, json};

use super::super::exit::Failure;
use super::super::test_responder::{Responder, closed_port};
use super::{Client, decode, encode_segment, is_loopback, parse_endpoint};

#[test]
fn a_call_is_an_aws_json_request() {
    let responder = Responder::start([(200, r#"{"name":"m","creationDate":1764000000.123}"#)]);
    let answer =
        Client::new(&responder.endpoint, false).call("DescribeStateMachine", &json!({"a": "ü"})).unwrap();
    assert_eq!(answer["creationDate"], json!(1_764_000_000.123));
    let request = responder.requests().remove(0);
    assert_eq!(request.line, "POST / HTTP/1.1");
    assert_eq!(request.header("x-amz-target"), Some("AWSStepFunctions.DescribeStateMachine"));
    assert_eq!(request.header("content-type"), Some("application/x-amz-json-1.0"));
    assert_eq!(request.body, "{\"a\":\"ü\"}".as_bytes());
}

#[test]
fn own_endpoints_get_encoded_paths() {
    let responder = Responder::start([(200, r#"{"lines":[]}"#), (201, "{}"), (204, "")]);
    let client = Client::new(&responder.endpoint, false);
    client.get(&["executions", "arn:aws:x/y", "log"]).unwrap();
    client.put(&["modules", "a b"], "application/wasm", b"\0asm").unwrap();
    assert_eq!(client.delete(&["modules", "ä"]).unwrap(), json!({}));
    let requests = responder.requests();
    assert_eq!(requests[0].line, "GET /executions/arn%3Aaws%3Ax%2Fy/log HTTP/1.1");
    assert_eq!(requests[1].line, "PUT /modules/a%20b HTTP/1.1");
    assert_eq!(requests[1].header("content-type"), Some("application/wasm"));
    assert_eq!(requests[1].body, b"\0asm");
    assert_eq!(requests[2].line, "DELETE /modules/%C3%A4 HTTP/1.1");
}

#[test]
fn lists_follow_their_tokens_and_stop_at_the_limit() {
    let pages = [
        (200, r#"{"executions":[1,2],"nextToken":"t1"}"#),
        (200, r#"{"executions":[],"nextToken":"t2"}"#),
        (200, r#"{"executions":[3]}"#),
        (200, r#"{"executions":[1,2],"nextToken":"t1"}"#),
    ];
    let responder = Responder::start(pages);
    let client = Client::new(&responder.endpoint, false);
    let all = client.list("ListExecutions", "executions", Map::new(), 1_000).unwrap();
    assert_eq!((all.items, all.more), (vec![json!(1), json!(2), json!(3)], false));
    let some = client.list("ListExecutions", "executions", Map::new(), 2).unwrap();
    assert_eq!((some.items.len(), some.more), (2, true));
    let bodies: Vec<_> =
        responder.requests().iter().map(super::super::test_responder::Request::json).collect();
    assert_eq!(bodies[0], json!({"maxResults": 500}));
    assert_eq!(bodies[1], json!({"maxResults": 500, "nextToken": "t1"}));
    assert_eq!(bodies[2]["nextToken"], "t2");
    assert_eq!(bodies[3], json!({"maxResults": 2}));
}

#[test]
fn errors_keep_the_code_and_the_message() {
    let body =
        br#"{"__type":"com.amazonaws.swf.service.v2.model#InvalidName","message":"Invalid Name: 'a b'"}"#;
    let failure = decode("http://h", 400, body).unwrap_err();
    assert_eq!(failure.to_string(), "InvalidName: Invalid Name: 'a b'");
    assert_eq!(failure.exit_code(), 3);
}

#[test]
fn other_servers_are_recognised() {
    for (status, body) in [(404, "<html>Not Found</html>"), (200, "<html>"), (502, "{\"error\":1}")] {
        let failure = decode("http://h:1", status, body.as_bytes()).unwrap_err();
        let text = failure.to_string();
        assert!(text.starts_with(&format!("HTTP {status}: ")) && text.contains("http://h:1"), "{text}");
        assert_eq!(failure.exit_code(), 3);
    }
}

#[test]
fn a_closed_port_is_unreachable() {
    let endpoint = closed_port();
    let failure = Client::new(&endpoint, false).call("ListStateMachines", &json!({})).unwrap_err();
    assert!(matches!(failure, Failure::Unreachable { .. }), "{failure:?}");
    assert!(failure.to_string().contains("connection refused"), "{failure}");
}

#[test]
fn a_broken_connection_is_unreachable() {
    let responder = Responder::start([]);
    let failure = Client::new(&responder.endpoint, false).get(&["healthz"]).unwrap_err();
    assert_eq!(failure.exit_code(), 4, "{failure:?}");
}

#[test]
fn endpoints_are_checked_and_trimmed() {
    assert_eq!(parse_endpoint("http://h:1/").unwrap(), "http://h:1");
    assert_eq!(parse_endpoint("https://h").unwrap(), "https://h");
    for wrong in ["", "h:1", "ftp://h", "https://", "http://h/?a=b", "http://a b"] {
        assert!(parse_endpoint(wrong).is_err(), "{wrong}");
    }
    assert!(["http://127.0.0.1:1", "http://localhost", "http://[::1]:8083"].into_iter().all(is_loopback));
    assert!(!is_loopback("http://example.org"));
    assert_eq!(encode_segment("a-b.c_d~e/é"), "a-b.c_d~e%2F%C3%A9");
}

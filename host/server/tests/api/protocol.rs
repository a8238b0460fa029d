//! The wire protocol itself: routing, headers, bodies.

use serde_json::json;

use crate::support::TestServer;

const LIST: &str = "AWSStepFunctions.ListStateMachines";

#[test]
fn every_answer_carries_the_headers_that_clients_read() {
    let server = TestServer::start();
    let reply = server.ok("ListStateMachines", &json!({}));
    assert_eq!(reply.header("content-type"), Some("application/x-amz-json-1.0"));
    assert_eq!(reply.header("content-length"), Some(reply.body.to_string().len().to_string().as_str()));
    assert_eq!(reply.header("x-amzn-requestid").map(str::len), Some(36));
    assert!(reply.header("date").is_some_and(|date| date.ends_with(" GMT")), "{reply:?}");
    let refused = server.call("DescribeExecution", &json!({"executionArn": "x"}));
    assert_eq!(refused.header("content-type"), Some("application/x-amz-json-1.0"));
    assert_eq!(refused.header("x-amzn-errortype"), Some("InvalidArn"));
    assert_ne!(refused.header("x-amzn-requestid"), reply.header("x-amzn-requestid"));
    assert_eq!(refused.body["__type"], "com.amazonaws.swf.service.v2.model#InvalidArn");
}

#[test]
fn the_target_header_alone_decides() {
    let server = TestServer::start();
    for name in ["X-Amz-Target", "x-amz-target", "X-AMZ-TARGET"] {
        assert_eq!(server.post(&[(name, LIST)], b"{}").status, 200, "{name}");
    }
    let unsigned =
        server.post(&[("X-Amz-Target", LIST), ("Host", "sync-anything"), ("Content-Type", "x/y")], b"");
    assert_eq!(unsigned.status, 200);
    for target in
        ["AWSStepFunctions.Nonsense", "ListStateMachines", "AWSStepFunctions.", "Logs.ListStateMachines"]
    {
        let reply = server.post(&[("X-Amz-Target", target)], b"{}");
        assert_eq!((reply.status, reply.code()), (400, "UnknownOperationException"), "{target}");
        assert!(reply.message().contains(target), "{reply:?}");
    }
    assert_eq!(server.post(&[], b"{}").code(), "UnknownOperationException");
}

#[test]
fn bodies_that_are_no_objects_are_refused() {
    let server = TestServer::start();
    for body in ["[]", "{", "nonsense", "\"x\"", "{\"a\": \"\u{1}\"}"] {
        let reply = server.post(&[("X-Amz-Target", LIST)], body.as_bytes());
        assert_eq!((reply.status, reply.code()), (400, "SerializationException"), "{body}");
    }
    let reply = server.call("ListStateMachines", &json!({"maxResults": "5"}));
    assert_eq!(reply.message(), "STRING_VALUE can not be converted to an Integer");
    assert_eq!(reply.body["__type"], "com.amazon.coral.service#SerializationException");
}

#[test]
fn a_request_that_is_too_large_still_gets_an_answer() {
    let server = TestServer::start();
    let body = vec![b' '; 3 << 20];
    let reply = server.post(&[("X-Amz-Target", LIST)], &body);
    assert_eq!((reply.status, reply.code()), (413, "RequestEntityTooLargeException"));
    assert_eq!(server.post(&[("X-Amz-Target", LIST)], b"{}").status, 200);
}

#[test]
fn other_addresses_say_that_nothing_is_there() {
    let server = TestServer::start();
    let reply = server.send("GET", "/nothing", &[], None);
    assert_eq!((reply.status, reply.code()), (404, "NotFound"));
    assert_eq!(server.send("GET", "/", &[], None).status, 405);
    let health = server.send("GET", "/healthz", &[], None);
    assert_eq!((health.status, &health.body["status"]), (200, &json!("ok")));
    assert_eq!(health.body["version"], env!("CARGO_PKG_VERSION"));
    assert!(health.body["store"].is_string());
}

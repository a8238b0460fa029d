//! Requests that are no requests (API reference, section 1.4), and inputs that are none (StartExecution).

use crate::{assert_works, install_echo};
use serde_json::json;
use stepwell_it::{Refusal, Server, Setup};

/// Largest input of an execution, in bytes (quota "payload").
const INPUT_BYTES: usize = 262_144;

#[test]
fn broken_requests_are_refused_by_name() {
    let server = Server::start();
    let client = server.client();
    let echo = install_echo(&client);
    for body in
        [&b"{"[..], b"[]", b"\"text\"", b"\xff\xfe", b"{\"stateMachineArn\": 5}", b"{} {}", b"{\"a\":1,}"]
    {
        let reply = client.post("StartExecution", body).expect("an answer");
        let refusal = reply.refusal();
        let seen = (refusal.status, refusal.code.as_str());
        assert_eq!(seen, (400, "SerializationException"), "{}: {refusal:?}", String::from_utf8_lossy(body));
        assert!(!refusal.message.is_empty(), "{}", String::from_utf8_lossy(body));
    }
    let deep = "[".repeat(200_000);
    let refusal = client.post("StartExecution", deep.as_bytes()).expect("an answer").refusal();
    assert_eq!((refusal.status, refusal.code.as_str()), (400, "SerializationException"), "{refusal:?}");
    assert_works(&client, &echo, "after-broken-bodies");
}

#[test]
fn unknown_operations_are_refused_by_name() {
    let server = Server::start();
    let client = server.client();
    let unknown = |refusal: &Refusal| {
        assert_eq!(refusal.code, "UnknownOperationException", "{refusal:?}");
        assert!([400, 404].contains(&refusal.status), "{refusal:?}");
    };
    unknown(&client.post("StartExecutions", b"{}").expect("an answer").refusal());
    unknown(&client.post("", b"{}").expect("an answer").refusal());
    for headers in [&[("x-amz-target", "DynamoDB_20120810.GetItem")][..], &[]] {
        unknown(&client.send("POST", "/", headers, b"{}").expect("an answer").refusal());
    }
    let listed = client.expect("ListStateMachines", &json!({}));
    assert_eq!(listed["stateMachines"], json!([]));
}

#[test]
fn inputs_beyond_the_limit_or_without_json_are_refused() {
    let server = Setup::default().flags(&["--profile", "strict"]).start();
    let client = server.client();
    let echo = install_echo(&client);
    let refused = |input: &str| {
        let request = json!({"stateMachineArn": echo, "input": input});
        client.call("StartExecution", &request).expect_err("a refusal").refusal()
    };
    // Two quotation marks make a string of it; the limit itself is allowed, one byte more is not.
    let largest = format!("\"{}\"", "a".repeat(INPUT_BYTES - 2));
    let over = format!("\"{}\"", "a".repeat(INPUT_BYTES - 1));
    let far_over = format!("\"{}\"", "a".repeat(300 * 1_024));
    // The limit is in bytes: this has half as many characters.
    let over_in_bytes = format!("\"{}\"", "é".repeat(INPUT_BYTES / 2));
    for input in [&over, &far_over, &over_in_bytes] {
        let refusal = refused(input);
        assert_eq!((refusal.status, refusal.code.as_str()), (400, "ValidationException"), "{refusal:?}");
        assert!(
            refusal.message.contains("'input'") && refusal.message.contains("262144"),
            "{}",
            refusal.message
        );
    }
    for input in ["", "{", "nonsense", "{} {}"] {
        assert_eq!(refused(input).code, "InvalidExecutionInput", "{input:?}");
    }
    let request = json!({"stateMachineArn": echo, "name": "largest", "input": largest});
    let started = client.expect("StartExecution", &request);
    let execution = client.ended(started["executionArn"].as_str().expect("an ARN"), crate::QUICK);
    assert_eq!((&execution["status"], &execution["output"]), (&json!("SUCCEEDED"), &json!(largest)));
    assert_works(&client, &echo, "after-large-inputs");
}

#[test]
fn a_request_of_many_mebibytes_does_not_hurt() {
    let server = Server::start();
    let client = server.client();
    let echo = install_echo(&client);
    let body = format!("{{\"input\":\"{}\"}}", "a".repeat(32 << 20));
    // Refusing it may also close the connection before all of it is sent.
    if let Ok(reply) = client.post("StartExecution", body.as_bytes()) {
        assert!((400..500).contains(&reply.status), "HTTP {}", reply.status);
    }
    assert_works(&client, &echo, "after-a-large-request");
}

//! `POST /jsonata` and states of the query language JSONata: a whole server with the real evaluator.

#![allow(clippy::unwrap_used)] // a test may panic, its helpers too

#[allow(dead_code)] // each test binary uses its part of it
mod support;

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use support::{Reply, TestServer};

/// An expression that runs until its bound.
const ENDLESS: &str = "($f := function($n) { $f($n + 1) }; $f(0))";

fn post(server: &TestServer, body: &[u8]) -> Reply {
    server.send("POST", "/jsonata", &[("Content-Type", "application/json")], Some(body))
}

/// The answer to a request that must be right.
fn tried(server: &TestServer, request: &Value) -> Value {
    let reply = post(server, request.to_string().as_bytes());
    assert_eq!(reply.status, 200, "{request}: {reply:?}");
    assert_eq!(reply.header("content-type"), Some("application/json"));
    reply.body
}

#[test]
fn expressions_get_their_values() {
    let server = TestServer::start();
    let request = json!({
        "expression": "{% $sum($states.input.items.price) * $rate %}",
        "states": {"input": {"items": [{"price": 10}, {"price": 2.5}]}},
        "variables": {"rate": 2},
    });
    let expected = json!({"valid": true, "variables": ["rate", "states"], "value": 25});
    assert_eq!(tried(&server, &request), expected);
    let unasked = json!({"expression": "$a.b", "evaluate": false});
    assert_eq!(tried(&server, &unasked), json!({"valid": true, "variables": ["a"]}));
    for (expression, outcome) in [
        ("null", json!({"value": null})),
        ("$states.input.missing", json!({"undefined": true})),
        ("$missing", json!({"undefined": true})),
        ("[1..3]", json!({"value": [1, 2, 3]})),
        (
            "$states.result.a & $states.errorOutput.Error & $states.context.State.Name",
            json!({"value": "xEN"}),
        ),
        ("$parse('[1,2]')", json!({"value": [1, 2]})),
    ] {
        let states = json!({
            "input": {}, "result": {"a": "x"}, "errorOutput": {"Error": "E"}, "context": {"State": {"Name": "N"}}
        });
        let mut answer = tried(&server, &json!({"expression": expression, "states": states}));
        let answer = answer.as_object_mut().unwrap();
        answer.remove("variables");
        assert_eq!(answer.remove("valid"), Some(json!(true)), "{expression}");
        assert_eq!(Value::Object(answer.clone()), outcome, "{expression}");
    }
}

#[test]
fn the_time_is_real_and_the_seed_is_another_each_time() {
    let server = TestServer::start();
    let value = |expression: &str| tried(&server, &json!({"expression": expression}))["value"].clone();
    let now = value("$millis()").as_i64().unwrap();
    let here = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    assert!((i64::try_from(here).unwrap() - now).abs() < 60_000, "{now}");
    assert_ne!(value("$uuid()"), value("$uuid()"));
}

#[test]
fn what_is_wrong_with_an_expression_is_an_answer() {
    let server = TestServer::start();
    let syntax = tried(&server, &json!({"expression": "$sum($states.input.a]"}));
    assert_eq!((&syntax["valid"], &syntax["error"]["position"]), (&json!(false), &json!(21)), "{syntax}");
    assert!(syntax["error"]["message"].is_string() && syntax.get("value").is_none(), "{syntax}");
    let thrown = tried(&server, &json!({"expression": "'a' + 1"}));
    assert_eq!((&thrown["valid"], &thrown["error"]["code"]), (&json!(true), &json!("T2001")), "{thrown}");
    let function = tried(&server, &json!({"expression": "function($x) { $x }"}));
    assert!(function["error"]["message"].as_str().unwrap().contains("function"), "{function}");
    let warned = tried(&server, &json!({"expression": "b + 1"}));
    assert!(warned["warning"].as_str().unwrap().contains("'b'"), "{warned}");
    assert_eq!(warned["undefined"], true, "{warned}");
}

#[test]
fn bad_requests_name_the_member() {
    let server = TestServer::start();
    for (body, member) in [
        (json!({}), "expression"),
        (json!({"expression": ["1"]}), "expression"),
        (json!({"expression": "1", "states": "x"}), "states"),
        (json!({"expression": "1", "input": {}}), "input"),
        (json!({"expression": "1", "variables": 7}), "variables"),
    ] {
        let reply = post(&server, body.to_string().as_bytes());
        assert_eq!((reply.status, reply.code()), (400, "ValidationException"), "{reply:?}");
        assert!(reply.message().contains(&format!("at '{member}' failed to satisfy")), "{reply:?}");
    }
    for body in [&b""[..], b"[]", b"{\"expression\":\"1\"", b"\xff"] {
        let reply = post(&server, body);
        assert_eq!((reply.status, reply.code()), (400, "SerializationException"), "{reply:?}");
    }
    let large = post(&server, &vec![b' '; 12 << 20]);
    assert_eq!((large.status, large.code()), (413, "RequestEntityTooLargeException"));
    assert_eq!(server.send("GET", "/jsonata", &[], None).status, 405);
}

#[test]
fn a_hostile_expression_ends_while_others_are_answered() {
    let server = TestServer::start();
    let began = mpsc::channel();
    thread::scope(|scope| {
        let hostile = scope.spawn(|| {
            began.0.send(()).unwrap();
            tried(&server, &json!({"expression": ENDLESS}))
        });
        began.1.recv().unwrap();
        let mut answered = 0;
        while !hostile.is_finished() {
            assert_eq!(server.send("GET", "/healthz", &[], None).status, 200);
            answered += 1;
        }
        assert!(answered > 1, "others waited for the evaluation");
        let ended = hostile.join().unwrap();
        assert!(ended["error"]["message"].is_string(), "{ended}");
    });
    assert_eq!(tried(&server, &json!({"expression": "1 + 1"}))["value"], 2);
}

#[test]
fn hostile_texts_get_an_answer() {
    let server = TestServer::start();
    for (beginning, end) in
        [("(", ""), ("(", ")"), ("[", "]"), ("{'a':", "}"), ("-", ""), ("1+", ""), ("'", "")]
    {
        for times in [1_000, 100_000] {
            let expression = format!("{}1{}", beginning.repeat(times), end.repeat(times));
            let answer = tried(&server, &json!({"expression": expression}));
            assert!(answer["valid"].is_boolean(), "{beginning}{end} {times}");
        }
    }
    let deep = format!("{{\"expression\":\"1\",\"states\":{}{}}}", "[".repeat(50_000), "]".repeat(50_000));
    assert_eq!(post(&server, deep.as_bytes()).code(), "SerializationException");
}

#[test]
fn callers_who_leave_leave_no_queue() {
    let server = TestServer::start();
    tried(&server, &json!({"expression": "1"}));
    let began = Instant::now();
    tried(&server, &json!({"expression": ENDLESS}));
    let one = began.elapsed();
    let address = server.endpoint.trim_start_matches("http://");
    let body = json!({"expression": ENDLESS}).to_string();
    for _ in 0..40 {
        let mut connection = TcpStream::connect(address).unwrap();
        let head = format!("POST /jsonata HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", body.len());
        connection.write_all(format!("{head}{body}").as_bytes()).unwrap();
    }
    // One or two are under way before they are missed; as many as have a place would take twice the time allowed.
    let deadline = Instant::now() + 8 * one;
    loop {
        let reply = post(&server, br#"{"expression":"2"}"#);
        assert!(Instant::now() < deadline, "they who left are worked for");
        if reply.status == 200 {
            assert_eq!(reply.body["value"], 2);
            break;
        }
        assert_eq!(reply.code(), "ThrottlingException");
    }
}

#[test]
fn executions_evaluate_while_an_editor_tries() {
    let server = TestServer::start();
    let definition = json!({
        "QueryLanguage": "JSONata",
        "StartAt": "A",
        "States": {"A": {"Type": "Pass", "Output": "{% $states.input.a + 1 %}", "End": true}},
    });
    let machine = server.machine("m", &definition);
    thread::scope(|scope| {
        scope.spawn(|| tried(&server, &json!({"expression": ENDLESS})));
        let ended = server.ended(&server.execution(&machine, "{\"a\":1}"));
        assert_eq!((&ended["status"], &ended["output"]), (&json!("SUCCEEDED"), &json!("2")), "{ended}");
    });
}

//! Virtual time and waiting for the end, as a user has them: over HTTP and on the command line.

use serde_json::{Value, json};
use stepwell_it::{Client, Server, Setup};

const YEAR_SECONDS: f64 = 31_536_000.0;

/// A year, then a task that always fails and is tried again after hours, then the end.
fn slow_machine() -> Value {
    let retry = json!([{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 3_600, "BackoffRate": 2, "MaxAttempts": 3}]);
    json!({"StartAt": "Year", "States": {
        "Year": {"Type": "Wait", "Seconds": 31_536_000, "Next": "Missing"},
        "Missing": {
            "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:missing",
            "TimeoutSeconds": 60, "Retry": retry, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Done"}],
            "End": true,
        },
        "Done": {"Type": "Succeed"},
    }})
}

fn wait_machine(seconds: u64) -> Value {
    json!({"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": seconds, "End": true}}})
}

/// The server's answer once an execution has ended, or after `timeout` seconds.
fn wait(client: &Client, arn: &str, timeout: &str) -> Value {
    let path = format!("/api/executions/{arn}/wait?timeout={timeout}");
    let reply = client.send("GET", &path, &[], b"").expect("an answer");
    assert_eq!(reply.status, 200, "{}", reply.json());
    reply.json()
}

fn clock(client: &Client) -> Value {
    client.send("GET", "/api/clock", &[], b"").expect("an answer").json()
}

fn advance(client: &Client, body: &Value) -> (u16, Value) {
    let headers = [("content-type", "application/json")];
    let reply =
        client.send("POST", "/api/clock/advance", &headers, body.to_string().as_bytes()).expect("an answer");
    (reply.status, reply.json())
}

#[test]
fn a_workflow_that_waits_for_a_year_ends_and_its_history_says_so() {
    let server = Setup::default().flags(&["--virtual-clock"]).start();
    let client = server.client();
    assert!(server.output().contains("clock         VIRTUAL: waits are skipped"), "the banner says so");
    let machine = client.create_machine("slow", &slow_machine());
    let arn = client.start(&machine, "e", &json!({}));
    let ended = wait(&client, &arn, "60");
    assert_eq!(ended["status"], "SUCCEEDED");
    let describe = client.describe(&arn);
    assert_eq!(ended, describe);
    let took = |from: &Value, to: &Value| to.as_f64().expect("a time") - from.as_f64().expect("a time");
    let whole = took(&ended["startDate"], &ended["stopDate"]);
    assert!(whole >= YEAR_SECONDS + 7.0 * 3_600.0, "it took {whole} s");
    let history = client.history(&arn).expect("the history");
    let of = |kind: &str| history.iter().find(|event| event["type"] == kind).expect(kind);
    let year = took(&of("WaitStateEntered")["timestamp"], &of("WaitStateExited")["timestamp"]);
    // To the millisecond, but for the binary fraction of a time and the pace of real time meanwhile.
    assert!(year >= YEAR_SECONDS - 0.001, "the wait took {year} s");
    let clock = clock(&client);
    assert_eq!(clock["mode"], "auto");
    assert!(clock["offsetSeconds"].as_f64().expect("a number") >= YEAR_SECONDS - 60.0, "{clock}");
    let health = client.send("GET", "/healthz", &[], b"").expect("an answer").json();
    assert_eq!(health["clock"], "auto");
}

#[test]
fn manual_time_is_moved_over_http_and_on_the_command_line_only() {
    let server = Setup::default().flags(&["--virtual-clock", "manual"]).start();
    let client = server.client();
    let (status, refusal) = advance(&client, &json!({"next": true}));
    assert_eq!((status, refusal["__type"].as_str()), (409, Some("NothingToSkipTo")));
    let machine = client.create_machine("waits", &wait_machine(31_536_000));
    let arn = client.start(&machine, "e", &json!({}));
    assert_eq!(wait(&client, &arn, "0")["status"], "RUNNING");
    let moved = server.command_line(&["clock", "advance", "--next", "--json"]);
    let moved: Value = serde_json::from_slice(&moved.stdout).expect("JSON");
    assert!(moved["offsetSeconds"].as_f64().expect("a number") >= YEAR_SECONDS - 60.0, "{moved}");
    assert_eq!(wait(&client, &arn, "60")["status"], "SUCCEEDED");

    let arn = client.start(&machine, "f", &json!({}));
    let (status, moved) = advance(&client, &json!({"seconds": YEAR_SECONDS}));
    assert_eq!((status, &moved["mode"]), (200, &json!("manual")));
    assert_eq!(wait(&client, &arn, "60")["status"], "SUCCEEDED");
    let (status, refusal) = advance(&client, &json!({"to": "2001-01-01T00:00:00Z"}));
    let message = refusal["message"].as_str().expect("a message");
    assert!(status == 400 && message.starts_with("to: time never goes backwards"), "{refusal}");
}

#[test]
fn real_time_is_told_and_not_moved() {
    let server = Server::start();
    let client = server.client();
    let told = clock(&client);
    assert_eq!((&told["mode"], &told["offsetSeconds"]), (&json!("real"), &json!(0)));
    for body in [json!({"seconds": 1}), json!({"next": true}), json!({"to": "9999-01-01T00:00:00Z"})] {
        let (status, refusal) = advance(&client, &body);
        assert_eq!((status, refusal["__type"].as_str()), (409, Some("ClockIsReal")), "{body}");
        assert!(refusal["message"].as_str().expect("a message").contains("--virtual-clock"));
    }
}

#[test]
fn waits_are_bounded_checked_and_let_the_server_stop() {
    let mut server = Server::start();
    let client = server.client();
    let machine = client.create_machine("waits", &wait_machine(3_600));
    let arn = client.start(&machine, "e", &json!({}));
    let missing = format!("/api/executions/{arn}x/wait");
    let reply = client.send("GET", &missing, &[], b"").expect("an answer");
    assert_eq!((reply.status, reply.refusal().code.as_str()), (404, "ExecutionDoesNotExist"));
    for timeout in ["301", "-1", "soon"] {
        let path = format!("/api/executions/{arn}/wait?timeout={timeout}");
        let refusal = client.send("GET", &path, &[], b"").expect("an answer").refusal();
        assert!(refusal.status == 400 && refusal.message.starts_with("timeout: "), "{refusal:?}");
    }
    // Stopped by another request, and told of it.
    let stopper = {
        let (client, arn) = (client.clone(), arn.clone());
        std::thread::spawn(move || client.expect("StopExecution", &json!({"executionArn": arn})))
    };
    assert_eq!(wait(&client, &arn, "300")["status"], "ABORTED");
    stopper.join().expect("the stop");

    let arn = client.start(&machine, "f", &json!({}));
    let waiter = std::thread::spawn(move || wait(&client, &arn, "300"));
    // A request that the server does not have yet is refused by the network, which is no matter here.
    let status = server.terminate();
    assert!(status.success(), "{status}");
    assert!(!server.output().contains("did not end in time"), "a request that only waits held the server up");
    if let Ok(answer) = waiter.join() {
        assert_eq!(answer["status"], "RUNNING");
    }
}

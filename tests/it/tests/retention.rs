//! `--retention`: closed executions go after a while, also when the server is killed meanwhile; their names are free
//! then, and what has the name now is another execution.

use serde_json::{Value, json};
use std::time::Duration;
use stepwell_it::{Client, Server, Setup, eventually};

/// Longest time until something has gone that is kept for three seconds.
const LIMIT: Duration = Duration::from_mins(1);

fn exists(client: &Client, execution: &str) -> bool {
    match client.call("DescribeExecution", &json!({"executionArn": execution})) {
        Ok(_) => true,
        Err(failure) => {
            assert_eq!(failure.refusal().code, "ExecutionDoesNotExist");
            false
        }
    }
}

fn listed(client: &Client, machine: &str) -> Vec<Value> {
    client.list("ListExecutions", "executions", json!({"stateMachineArn": machine})).expect("a list")
}

#[test]
fn a_name_is_free_once_its_execution_has_gone_and_not_before() {
    let mut server = Setup::default().flags(&["--retention", "3s"]).start();
    let client = server.client();
    let pass = json!({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}});
    let wait = json!({"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 3600, "End": true}}});
    let (pass, wait) = (client.create_machine("pass", &pass), client.create_machine("wait", &wait));
    let running = client.start(&wait, "runs", &json!({}));
    let first = client.start(&pass, "e", &json!({"life": 1}));
    client.ended(&first, LIMIT);
    let again = client.call("StartExecution", &json!({"stateMachineArn": pass, "name": "e", "input": "{}"}));
    assert_eq!(again.expect_err("the name is taken").refusal().code, "ExecutionAlreadyExists");
    for number in 0..20 {
        client.start(&pass, &format!("e{number}"), &json!({}));
    }

    server.kill9();
    let client = server.restart();
    eventually(LIMIT, "no closed execution is left", || listed(&client, &pass).is_empty().then_some(()));
    assert!(!exists(&client, &first));
    let history = client.call("GetExecutionHistory", &json!({"executionArn": first}));
    assert_eq!(history.expect_err("it is gone").refusal().code, "ExecutionDoesNotExist");
    assert!(exists(&client, &running), "what runs stays");

    let second = client.start(&pass, "e", &json!({"life": 2}));
    assert_eq!(first, second, "the same ARN");
    let description = client.ended(&second, LIMIT);
    assert_eq!(description["input"], json!({"life": 2}).to_string());
    let events = client.history(&second).expect("its history");
    assert_eq!(events.len(), 4, "only its own events: {events:#?}");
    eventually(LIMIT, "the second is gone", || (!exists(&client, &second)).then_some(()));
    client.call("StopExecution", &json!({"executionArn": running})).expect("it still runs");
    eventually(LIMIT, "the stopped one is gone", || (!exists(&client, &running)).then_some(()));
    assert!(server.output().contains("removed closed executions"), "{}", server.output());
}

#[test]
fn for_ever_is_said_with_a_word() {
    let server: Server = Setup::default().flags(&["--retention", "none"]).start();
    assert!(server.output().contains("retention"), "it is shown at the start: {}", server.output());
    let refused = server.command_line(&["serve", "--retention", "0"]);
    assert_eq!(refused.status.code(), Some(2));
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(message.contains("`none`"), "{message}");
}

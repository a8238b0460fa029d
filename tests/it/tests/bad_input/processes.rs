//! The server as a process: a data directory that another one holds, and the signal to stop.

use crate::{QUICK, assert_works, install_echo};
use serde_json::{Value, json};
use std::time::Duration;
use stepwell_it::{Client, Server, extends, function_arn, linear_history_problems, soon, stub};

#[test]
fn a_data_directory_has_one_server() {
    let server = Server::start();
    let client = server.client();
    let echo = install_echo(&client);
    let rival = server.rival();
    let errors = String::from_utf8_lossy(&rival.stderr);
    assert!(rival.status.code().is_some_and(|code| code != 0), "{:?}: {errors}", rival.status);
    assert!(errors.contains("held by another running server"), "{errors}");
    assert!(errors.contains(&format!("process {}", server.process())), "{errors}");
    assert!(errors.contains(server.data().to_str().expect("a plain path")), "{errors}");
    assert_works(&client, &echo, "after-the-rival");
}

/// A machine whose first state is a task of `seconds` or, for 0, a Wait of 3 s.
fn slow_machine(client: &Client, name: &str, seconds: u32) -> String {
    let first = if seconds == 0 {
        json!({"Type": "Wait", "Seconds": 3, "Next": "Last"})
    } else {
        client.install(name, &stub(&json!({"behaviour": "sleep_then_return_event", "seconds": seconds})));
        json!({"Type": "Task", "Resource": function_arn(name), "Next": "Last"})
    };
    let states = json!({"First": first, "Last": {"Type": "Pass", "End": true}});
    client.create_machine(name, &json!({"StartAt": "First", "States": states}))
}

/// Waits until an execution has begun its first state, and returns its history so far.
fn begun(client: &Client, arn: &str) -> Vec<Value> {
    soon("the first state", || {
        let history = client.history(arn).expect("the history");
        let begins = ["LambdaFunctionStarted", "WaitStateEntered"];
        let begun = history.iter().any(|event| begins.iter().any(|kind| event["type"] == *kind));
        begun.then_some(history)
    })
}

#[test]
fn sigterm_ends_the_server_in_good_order_and_the_executions_go_on_later() {
    let mut server = Server::start();
    let client = server.client();
    let machines = [("waits", 0), ("naps", 2), ("sleeps", 3_600)];
    let started: Vec<(String, Vec<Value>)> = machines
        .iter()
        .map(|(name, seconds)| {
            let machine = slow_machine(&client, name, *seconds);
            let arn = client.start(&machine, "e", &json!({"from": name}));
            let history = begun(&client, &arn);
            (arn, history)
        })
        .collect();
    let status = server.terminate();
    assert_eq!(status.code(), Some(0), "{status}");

    let client = server.restart();
    for ((arn, before), (name, seconds)) in started.iter().zip(machines) {
        // Nobody waits for the task of an hour: it is running again, and can be stopped.
        if seconds == 3_600 {
            assert_eq!(client.describe(arn)["status"], "RUNNING");
            client.expect("StopExecution", &json!({"executionArn": arn}));
        }
        let execution = client.ended(arn, QUICK);
        let history = client.history(arn).expect("the history");
        assert!(extends(&history, before), "{} became {}", json!(before), json!(history));
        if seconds == 3_600 {
            assert_eq!(execution["status"], "ABORTED", "{execution}");
            continue;
        }
        assert_eq!(execution["status"], "SUCCEEDED", "{execution}");
        assert_eq!(execution["output"], json!({"from": name}).to_string());
        assert_eq!(linear_history_problems(&history), Vec::<String>::new());
    }
    let echo = install_echo(&client);
    assert_works(&client, &echo, "after-the-restart");
}

#[test]
fn an_idle_server_stops_at_once() {
    let mut server = Server::start();
    let client = server.client();
    let echo = install_echo(&client);
    assert_works(&client, &echo, "before");
    let begun = std::time::Instant::now();
    let status = server.terminate();
    assert_eq!(status.code(), Some(0), "{status}");
    // Nothing runs, so no grace period is waited for: an idle connection of ours must not hold it up.
    assert!(begun.elapsed() < Duration::from_secs(8), "it took {:?}", begun.elapsed());
    assert_works(&server.restart(), &echo, "after");
}

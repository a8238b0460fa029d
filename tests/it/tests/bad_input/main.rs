//! What goes wrong from outside, against the real server: requests, definitions, uploads and guests that are broken or
//! hostile, a data directory that is taken, a signal, a full disk.
//!
//! Each is answered with the error that belongs to it, and the server goes on for everybody else. No test here may only
//! look at the answer: each also sees to it that the server still works.

mod definitions;
mod full_disk;
mod hostile;
mod processes;
mod requests;
mod uploads;

use serde_json::{Value, json};
use std::time::Duration;
use stepwell_it::{Client, function_arn, guest};

/// Longest time for an execution without a slow task, on a machine that is busy with other work.
const QUICK: Duration = Duration::from_secs(30);

/// A machine with one Task state that hands its whole input to `module`.
fn one_task(module: &str) -> Value {
    let task = json!({"Type": "Task", "Resource": function_arn(module), "End": true});
    json!({"StartAt": "Call", "States": {"Call": task}})
}

/// Uploads the stub that returns its input and creates the machine `echo` around it; returns the machine's ARN.
fn install_echo(client: &Client) -> String {
    client.install("echo", &guest("stub"));
    client.create_machine("echo", &one_task("echo"))
}

/// Sees to it that the server answers and that a new execution of the machine `echo` gives the right result.
fn assert_works(client: &Client, echo: &str, name: &str) {
    let health = client.send("GET", "/healthz", &[], b"").expect("the health page");
    assert_eq!(health.status, 200, "{}", String::from_utf8_lossy(&health.body));
    let input = json!({"called": name});
    let execution = client.ended(&client.start(echo, name, &input), QUICK);
    assert_eq!(execution["status"], "SUCCEEDED", "{execution}");
    assert_eq!(execution["output"], input.to_string(), "{execution}");
}

/// Sees to it that an ended execution failed with `error`, and that its history says so twice: at the task, and at the
/// end. Returns the cause.
fn assert_failed(client: &Client, execution: &Value, error: &str) -> String {
    assert_eq!((&execution["status"], &execution["error"]), (&json!("FAILED"), &json!(error)), "{execution}");
    let arn = execution["executionArn"].as_str().expect("an ARN");
    let history = client.history(arn).expect("the history");
    let problems = stepwell_it::linear_history_problems(&history);
    assert!(problems.is_empty(), "{problems:?}");
    for details in ["lambdaFunctionFailedEventDetails", "executionFailedEventDetails"] {
        let told = history.iter().filter(|event| event[details]["error"] == error).count();
        assert_eq!(told, 1, "{details} in {}", Value::from(history));
    }
    execution["cause"].as_str().unwrap_or_default().to_owned()
}

//! Guests that misbehave: each runs into the wall that was built for it, by name, and nobody else notices.

use crate::{QUICK, assert_failed, assert_works, install_echo, one_task};
use serde_json::{Value, json};
use std::time::Duration;
use stepwell_it::{Client, Server, Setup, function_arn, guest, soon};

/// What a module call may take here, in seconds.
const CALL_SECONDS: u32 = 2;
/// The same where executions run beside a loop: long enough to see that they do.
const LONG_CALL_SECONDS: u32 = 12;
/// Loops at the same time: more than there are cores on most machines that run tests.
const LOOPS: usize = 8;
/// Executions beside them.
const NEIGHBOURS: usize = 20;

fn serve(call_seconds: u32) -> Server {
    let seconds = call_seconds.to_string();
    let flags = ["--call-timeout-seconds", &seconds, "--memory-limit-mib", "64", "--profile", "strict"];
    Setup::default().flags(&flags).start()
}

/// Uploads the hostile guest and creates the machine around it; returns the machine's ARN.
fn install_hostile(client: &Client) -> String {
    client.install("hostile", &guest("hostile"));
    client.create_machine("hostile", &one_task("hostile"))
}

#[test]
fn each_misdeed_fails_its_own_execution_by_name() {
    let server = serve(CALL_SECONDS);
    let client = server.client();
    let echo = install_echo(&client);
    let hostile = install_hostile(&client);
    let misdeeds = [
        (json!({"do": "trap"}), "Sandbox.Trap", "trapped on purpose"),
        (json!({"do": "loop"}), "Sandbox.Timeout", "2000 ms"),
        (json!({"do": "sleep", "seconds": 3_600}), "Sandbox.Timeout", "2000 ms"),
        (json!({"do": "allocate"}), "Sandbox.OutOfMemory", "memory"),
        (json!({"do": "recurse"}), "Sandbox.StackOverflow", "stack"),
        (json!({"do": "big-result", "bytes": 64 << 20}), "Sandbox.OutOfMemory", "memory"),
        (json!({"do": "big-result", "bytes": 10 << 20}), "Sandbox.ResultTooLarge", "6291456"),
        (
            json!({"do": "big-result", "bytes": 300 << 10}),
            "States.DataLimitExceeded",
            "exceeding the maximum number",
        ),
        (json!({"do": "what?"}), "InvalidInput", "what?"),
        (json!(null), "InvalidInput", ""),
    ];
    let started: Vec<String> = misdeeds
        .iter()
        .enumerate()
        .map(|(number, (input, ..))| client.start(&hostile, &format!("misdeed-{number}"), input))
        .collect();
    assert_works(&client, &echo, "amidst-misdeeds");
    for (arn, (input, error, cause)) in started.iter().zip(&misdeeds) {
        let execution = client.ended(arn, QUICK);
        assert_eq!(execution["error"], *error, "{input}: {execution}");
        let told = assert_failed(&client, &execution, error);
        assert!(told.contains(cause), "{input}: {cause:?} in {told}");
    }
    assert_works(&client, &echo, "after-misdeeds");
}

#[test]
fn what_a_guest_may_not_see_it_does_not_see() {
    let server = serve(CALL_SECONDS);
    let client = server.client();
    let hostile = install_hostile(&client);
    let output = |name: &str, input: &Value| {
        let execution = client.ended(&client.start(&hostile, name, input), QUICK);
        assert_eq!(execution["status"], "SUCCEEDED", "{execution}");
        serde_json::from_str::<Value>(execution["output"].as_str().expect("an output")).expect("JSON")
    };
    assert_eq!(output("env", &json!({"do": "env"}))["variables"], json!([]));
    let read = output("read-file", &json!({"do": "read-file"}));
    assert!(read["error"].is_string() && read["listing"] == false, "{read}");
    // A log of many mebibytes is cut, and harms neither the call nor the store.
    let spam = json!({"do": "spam-log", "bytes": 8 << 20});
    assert_eq!(output("spam-log", &spam), "spammed");
}

#[test]
fn a_misdeed_can_be_caught_like_any_error() {
    let server = serve(CALL_SECONDS);
    let client = server.client();
    client.install("hostile", &guest("hostile"));
    let definition = json!({
        "StartAt": "Call",
        "States": {
            "Call": {
                "Type": "Task", "Resource": function_arn("hostile"), "End": true,
                "Catch": [{"ErrorEquals": ["Sandbox.Trap"], "ResultPath": "$.problem", "Next": "Sorry"}],
            },
            "Sorry": {"Type": "Pass", "OutputPath": "$.problem.Error", "End": true},
        },
    });
    let machine = client.create_machine("careful", &definition);
    let execution = client.ended(&client.start(&machine, "e", &json!({"do": "trap"})), QUICK);
    assert_eq!(
        (&execution["status"], &execution["output"]),
        (&json!("SUCCEEDED"), &json!("\"Sandbox.Trap\""))
    );
}

#[test]
fn loops_on_every_core_do_not_hold_up_the_others() {
    let server = serve(LONG_CALL_SECONDS);
    let client = server.client();
    let echo = install_echo(&client);
    let hostile = install_hostile(&client);
    let loops: Vec<String> = (0..LOOPS)
        .map(|number| client.start(&hostile, &format!("loop-{number}"), &json!({"do": "loop"})))
        .collect();
    for arn in &loops {
        soon("the loop's start", || {
            let history = client.history(arn).expect("the history");
            history.iter().any(|event| event["type"] == "LambdaFunctionStarted").then_some(())
        });
    }
    for number in 0..NEIGHBOURS {
        assert_works(&client, &echo, &format!("neighbour-{number}"));
    }
    // No measure of time: all neighbours have ended before the first of the loops was stopped.
    for arn in &loops {
        assert_eq!(client.describe(arn)["status"], "RUNNING", "the neighbours took longer than the loops");
    }
    for arn in &loops {
        let execution = client.ended(arn, Duration::from_secs(u64::from(LONG_CALL_SECONDS)) + QUICK);
        assert_failed(&client, &execution, "Sandbox.Timeout");
    }
    assert_works(&client, &echo, "after-the-loops");
}

#[test]
fn a_loop_that_is_stopped_gives_its_core_back() {
    let server = serve(3_600);
    let client = server.client();
    let echo = install_echo(&client);
    let hostile = install_hostile(&client);
    let arn = client.start(&hostile, "endless", &json!({"do": "loop"}));
    soon("the loop's start", || {
        let history = client.history(&arn).expect("the history");
        history.iter().any(|event| event["type"] == "LambdaFunctionStarted").then_some(())
    });
    client.expect("StopExecution", &json!({"executionArn": arn, "error": "Enough"}));
    let execution = client.describe(&arn);
    assert_eq!(
        (&execution["status"], &execution["error"]),
        (&json!("ABORTED"), &json!("Enough")),
        "{execution}"
    );
    // The loop would keep a core busy for an hour: its processor time stands still once it is gone.
    soon("the processor's rest", || {
        let before = server.processor_ticks();
        assert_works(&client, &echo, &format!("rest-{before}"));
        std::thread::sleep(Duration::from_millis(500));
        let used = server.processor_ticks() - before;
        (used < 25).then_some(())
    });
}

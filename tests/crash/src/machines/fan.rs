//! A Map of tasks inside a Parallel, beside a branch that is retried: a checkpoint in many parts.

use super::{count_problems, differs, output};
use serde_json::{Value, json};
use stepwell_it::function_arn;

/// Most items of the Map.
const ITEMS: usize = 7;

pub(super) fn definition() -> Value {
    json!({
        "StartAt": "Fan",
        "States": {"Fan": {
            "Type": "Parallel",
            "Branches": [
                {"StartAt": "Each", "States": {"Each": {
                    "Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 3,
                    "ItemSelector": {"item.$": "$$.Map.Item.Value"},
                    "ItemProcessor": {"StartAt": "Key", "States": {
                        "Key": {
                            "Type": "Task", "Resource": function_arn("key"), "ResultPath": "$.ran", "Next": "Rest",
                        },
                        "Rest": {"Type": "Wait", "Seconds": 1, "Next": "Tell"},
                        "Tell": {
                            "Type": "Pass", "End": true,
                            "Parameters": {"item.$": "$.item", "arn.$": "$.ran.executionArn"},
                        },
                    }},
                    "End": true,
                }}},
                {"StartAt": "Flaky", "States": {
                    "Flaky": {
                        "Type": "Task", "Resource": function_arn("broken"),
                        "Retry": [{"ErrorEquals": ["Broken"], "IntervalSeconds": 1, "MaxAttempts": 2, "BackoffRate": 1.0}],
                        "Catch": [{"ErrorEquals": ["Broken"], "Next": "Gave up"}],
                        "End": true,
                    },
                    "Gave up": {"Type": "Pass", "Result": "gave up", "End": true},
                }},
            ],
            "End": true,
        }},
    })
}

/// Also the input of the same machine in JSONata.
pub(super) fn input(number: usize) -> Value {
    let items: Vec<usize> = (0..=number / 5 % ITEMS).collect();
    json!({"number": number, "items": items})
}

pub(super) fn problems(input: &Value, description: &Value, history: &[Value]) -> Vec<String> {
    let items = input["items"].as_array().cloned().unwrap_or_default();
    let told: Vec<Value> =
        items.iter().map(|item| json!({"item": item, "arn": description["executionArn"]})).collect();
    let n = items.len();
    let mut problems = count_problems(
        history,
        &[
            ("ParallelStateEntered", "Fan", 1),
            ("ParallelStateStarted", "", 1),
            ("ParallelStateSucceeded", "", 1),
            ("ParallelStateExited", "Fan", 1),
            ("MapStateEntered", "Each", 1),
            ("MapStateExited", "Each", 1),
            ("MapIterationStarted", "", n),
            ("MapIterationSucceeded", "", n),
            ("TaskStateEntered", "Key", n),
            ("TaskStateExited", "Key", n),
            ("WaitStateEntered", "Rest", n),
            ("WaitStateExited", "Rest", n),
            ("PassStateEntered", "Tell", n),
            ("PassStateExited", "Tell", n),
            ("TaskStateEntered", "Flaky", 1),
            ("TaskStateExited", "Flaky", 1),
            ("PassStateExited", "Gave up", 1),
            ("LambdaFunctionScheduled", "", n + 3),
            ("LambdaFunctionStarted", "", n + 3),
            ("LambdaFunctionSucceeded", "", n),
            ("LambdaFunctionFailed", "", 3),
        ],
    );
    problems.extend(differs("status", &description["status"], &json!("SUCCEEDED")));
    problems.extend(differs("output", &output(description), &json!([told, "gave up"])));
    problems
}

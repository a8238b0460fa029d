//! JSONata: items in an order made by chance, which must come out the same after every restart; retries; variables.

use super::{count_problems, differs, output};
use serde_json::{Value, json};
use stepwell_it::function_arn;

pub(super) fn definition() -> Value {
    json!({
        "QueryLanguage": "JSONata",
        "StartAt": "Prepare",
        "States": {
            "Prepare": {"Type": "Pass", "Assign": {"offset": "{% 10 * 100 %}"}, "Next": "Each"},
            "Each": {
                "Type": "Map", "Items": "{% $shuffle($states.input.items) %}", "MaxConcurrency": 3,
                "ItemSelector": {"item": "{% $states.context.Map.Item.Value %}"},
                "ItemProcessor": {"StartAt": "Key", "States": {
                    "Key": {
                        "Type": "Task", "Resource": function_arn("key"), "Next": "Tell",
                        "Output": {"item": "{% $states.input.item + 0 %}"},
                    },
                    "Tell": {"Type": "Pass", "End": true, "Output": "{% $states.input.item + $offset %}"},
                }},
                "Output": "{% [$sort($states.result)] %}", "Next": "Rest",
            },
            "Rest": {"Type": "Wait", "Seconds": "{% 2 - 1 %}", "Next": "Flaky"},
            "Flaky": {
                "Type": "Task", "Resource": function_arn("broken"),
                "Retry": [{"ErrorEquals": ["Broken"], "IntervalSeconds": 1, "MaxAttempts": 1}],
                "Catch": [{"ErrorEquals": ["Broken"], "Output": "{% $states.input %}", "Next": "Gave up"}],
                "End": true,
            },
            "Gave up": {"Type": "Pass", "End": true},
        },
    })
}

pub(super) fn problems(input: &Value, description: &Value, history: &[Value]) -> Vec<String> {
    let items = input["items"].as_array().cloned().unwrap_or_default();
    let sums: Vec<u64> = items.iter().filter_map(Value::as_u64).map(|item| item + 1_000).collect();
    let n = items.len();
    let mut problems = count_problems(
        history,
        &[
            ("PassStateExited", "Prepare", 1),
            ("MapStateEntered", "Each", 1),
            ("MapStateExited", "Each", 1),
            ("MapIterationStarted", "", n),
            ("MapIterationSucceeded", "", n),
            ("TaskStateEntered", "Key", n),
            ("TaskStateExited", "Key", n),
            ("PassStateEntered", "Tell", n),
            ("PassStateExited", "Tell", n),
            ("WaitStateEntered", "Rest", 1),
            ("WaitStateExited", "Rest", 1),
            ("TaskStateEntered", "Flaky", 1),
            ("TaskStateExited", "Flaky", 1),
            ("PassStateExited", "Gave up", 1),
            ("LambdaFunctionScheduled", "", n + 2),
            ("LambdaFunctionSucceeded", "", n),
            ("LambdaFunctionFailed", "", 2),
        ],
    );
    problems.extend(differs("status", &description["status"], &json!("SUCCEEDED")));
    problems.extend(differs("output", &output(description), &json!(sums)));
    problems
}

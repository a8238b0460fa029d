//! Pass states around a task: many transitions, little work.

use super::{differs, output};
use serde_json::{Map, Value, json};
use stepwell_it::{Visit, function_arn, linear_history_problems, visits};

/// Pass states before the task, and as many behind it.
const HALF: usize = 6;

pub(super) fn definition() -> Value {
    let mut states = Map::new();
    for at in 0..HALF {
        let after = 100 + at;
        let next = if at + 1 == HALF { "Key".to_owned() } else { format!("P{}", at + 1) };
        states.insert(format!("P{at}"), json!({"Type": "Pass", "Next": next}));
        let end = if at + 1 == HALF {
            json!({"Type": "Pass", "End": true})
        } else {
            json!({"Type": "Pass", "Next": format!("P{}", after + 1)})
        };
        states.insert(format!("P{after}"), end);
    }
    let key = json!({
        "Type": "Task", "Resource": function_arn("key"), "Next": "P100",
        "ResultSelector": {"arn.$": "$.executionArn"}, "ResultPath": "$.ran",
    });
    states.insert("Key".to_owned(), key);
    json!({"StartAt": "P0", "States": states})
}

pub(super) fn problems(input: &Value, description: &Value, history: &[Value]) -> Vec<String> {
    let visit = |state: String, scheduled| Visit { state, scheduled, exited: true };
    let mut path: Vec<Visit> = (0..HALF).map(|at| visit(format!("P{at}"), 0)).collect();
    path.push(visit("Key".to_owned(), 1));
    path.extend((0..HALF).map(|at| visit(format!("P{}", 100 + at), 0)));
    let mut wanted = input.clone();
    wanted["ran"] = json!({"arn": description["executionArn"]});
    let mut problems = linear_history_problems(history);
    problems.extend(differs("status", &description["status"], &json!("SUCCEEDED")));
    problems.extend(differs("output", &output(description), &wanted));
    let found = visits(history);
    if found != path {
        problems.push(format!("the path is {found:?}, not {path:?}"));
    }
    problems
}

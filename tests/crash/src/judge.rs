//! The rules that every history obeys, with branches or without, whatever happened to the server.
//!
//! What is expected of one machine's result is its own file's business; nothing here may know a machine.

use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Events that end an execution, and the status that each stands for.
const ENDS: [(&str, &str); 4] = [
    ("ExecutionSucceeded", "SUCCEEDED"),
    ("ExecutionFailed", "FAILED"),
    ("ExecutionAborted", "ABORTED"),
    ("ExecutionTimedOut", "TIMED_OUT"),
];

/// Everything that is wrong with the description and the history of an execution. The history must have been read
/// after the description.
pub fn problems(description: &Value, history: &[Value]) -> Vec<String> {
    let mut problems = numbering(history);
    problems.extend(doubles(history));
    problems.extend(keys(description, history));
    let status = description["status"].as_str().unwrap_or_default();
    let ends: Vec<usize> = (0..history.len()).filter(|at| end(&history[*at]).is_some()).collect();
    let last = history.len().wrapping_sub(1);
    if ends.iter().any(|at| *at != last) || (status != "RUNNING" && ends.is_empty()) {
        problems.push(format!("{status}, but events at {ends:?} of {} end the execution", history.len()));
    }
    if let (Some(found), true) = (history.last().and_then(end), status != "RUNNING") {
        if found != status {
            problems.push(format!("the description says {status}, the history {found}"));
        }
        let output = &history[last]["executionSucceededEventDetails"]["output"];
        if *output != description["output"] {
            problems.push(format!("the output is {}, in the history {output}", description["output"]));
        }
    }
    let given =
        &history.first().map_or(Value::Null, |first| first["executionStartedEventDetails"]["input"].clone());
    if *given != description["input"] {
        problems.push(format!("the input is {}, in the history {given}", description["input"]));
    }
    problems
}

/// Name of the state that an event is about, or the index of the iteration; empty for others.
pub fn name(event: &Value) -> String {
    for details in ["stateEnteredEventDetails", "stateExitedEventDetails"] {
        if let Some(name) = event[details]["name"].as_str() {
            return name.to_owned();
        }
    }
    for details in [
        "mapIterationStartedEventDetails",
        "mapIterationSucceededEventDetails",
        "mapIterationFailedEventDetails",
    ] {
        if let Some(index) = event[details]["index"].as_u64() {
            return index.to_string();
        }
    }
    String::new()
}

/// The idempotency keys that tasks have told, in order.
pub fn told_keys(history: &[Value]) -> Vec<(String, Value)> {
    let outputs =
        history.iter().filter_map(|event| event["lambdaFunctionSucceededEventDetails"]["output"].as_str());
    let told = outputs.filter_map(|output| serde_json::from_str::<Value>(output).ok());
    told.filter_map(|told| Some((told["idempotencyKey"].as_str()?.to_owned(), told["executionArn"].clone())))
        .collect()
}

/// Which status an event stands for, if it ends the execution.
fn end(event: &Value) -> Option<&'static str> {
    ENDS.iter().find(|(kind, _)| event["type"] == *kind).map(|(_, status)| *status)
}

/// Ids from 1 without a gap, causes that lie before, timestamps that never run backwards, one start at the beginning.
fn numbering(history: &[Value]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut latest = f64::MIN;
    for (event, number) in history.iter().zip(1_u64..) {
        if event["id"] != number {
            problems.push(format!("event {number} has the id {}", event["id"]));
        }
        if event["previousEventId"].as_u64().is_none_or(|cause| cause >= number) {
            problems.push(format!("event {number} points to {}", event["previousEventId"]));
        }
        let timestamp = event["timestamp"].as_f64().unwrap_or(f64::MIN);
        if timestamp < latest {
            problems.push(format!("event {number} is dated {timestamp}, after {latest}"));
        }
        latest = timestamp;
        if (event["type"] == "ExecutionStarted") != (number == 1) {
            problems.push(format!("event {number} is {}", event["type"]));
        }
    }
    if history.is_empty() {
        problems.push("the history is empty".to_owned());
    }
    problems
}

/// A transition that was made twice shows as two events of the same kind about the same state with the same cause.
/// What ends a branch from outside has no cause of its own.
fn doubles(history: &[Value]) -> Vec<String> {
    let mut seen: BTreeMap<(u64, &str, String), u64> = BTreeMap::new();
    let mut problems = Vec::new();
    for (event, number) in history.iter().zip(1_u64..) {
        let kind = event["type"].as_str().unwrap_or_default();
        if kind.ends_with("Aborted") {
            continue;
        }
        let cause = event["previousEventId"].as_u64().unwrap_or_default();
        if let Some(first) = seen.insert((cause, kind, name(event)), number) {
            problems
                .push(format!("events {first} and {number} are the same transition: {kind} after {cause}"));
        }
    }
    problems
}

/// Each attempt that told its idempotency key has one of its own, and was told the right execution.
fn keys(description: &Value, history: &[Value]) -> Vec<String> {
    let keys = told_keys(history);
    let mut sorted: Vec<&String> = keys.iter().map(|(key, _)| key).collect();
    sorted.sort();
    sorted.dedup();
    let strangers = keys.iter().filter(|(_, arn)| *arn != description["executionArn"]);
    let mut problems: Vec<String> =
        strangers.map(|(key, arn)| format!("the task with the key {key} was called for {arn}")).collect();
    if sorted.len() != keys.len() {
        problems.push(format!("an idempotency key was used for two attempts: {}", json!(keys)));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks a history.
    type Spoil<'a> = &'a dyn Fn(&mut Vec<Value>);

    fn event(id: u64, cause: u64, kind: &str) -> Value {
        json!({"id": id, "previousEventId": cause, "type": kind, "timestamp": 1.0})
    }

    fn sound() -> Vec<Value> {
        let mut events = vec![event(1, 0, "ExecutionStarted"), event(2, 0, "PassStateEntered")];
        events.extend([event(3, 2, "PassStateExited"), event(4, 3, "ExecutionSucceeded")]);
        events
    }

    #[test]
    fn a_sound_history_has_no_problems_and_a_broken_one_has() {
        let description = json!({"status": "SUCCEEDED"});
        assert_eq!(problems(&description, &sound()), Vec::<String>::new());
        let spoil: [Spoil; 6] = [
            &|events| drop(events.remove(2)),
            &|events| drop(events.pop()),
            &|events| events[2]["timestamp"] = json!(0.5),
            &|events| events[3]["type"] = json!("ExecutionFailed"),
            &|events| events[0]["executionStartedEventDetails"]["input"] = json!("1"),
            &|events| events.insert(2, event(3, 0, "PassStateEntered")),
        ];
        for (at, spoil) in spoil.iter().enumerate() {
            let mut events = sound();
            spoil(&mut events);
            assert_ne!(problems(&description, &events), Vec::<String>::new(), "{at}");
        }
    }

    #[test]
    fn one_key_for_two_attempts_is_seen() {
        let told = |id| {
            let mut told = event(id, id - 1, "LambdaFunctionSucceeded");
            told["lambdaFunctionSucceededEventDetails"]["output"] =
                json!(json!({"idempotencyKey": "k", "executionArn": "a"}).to_string());
            told
        };
        assert_eq!(keys(&json!({"executionArn": "a"}), &[told(2)]), Vec::<String>::new());
        assert_eq!(keys(&json!({"executionArn": "a"}), &[told(2), told(3)]).len(), 1);
        assert_eq!(keys(&json!({"executionArn": "b"}), &[told(2)]).len(), 1);
    }
}

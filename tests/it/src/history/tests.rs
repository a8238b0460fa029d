//! The judge is judged: each rule has a history that breaks it.

use super::{Visit, extends, linear_history_problems, visits};
use serde_json::{Value, json};

/// A history of the given types; `X:name` puts a state's name into the details.
fn history(kinds: &[&str]) -> Vec<Value> {
    let event = |(at, text): (usize, &&str)| {
        let (kind, state) = text.split_once(':').unwrap_or((text, ""));
        let cause = if at < 2 { 0 } else { at };
        let mut event = json!({"id": at + 1, "previousEventId": cause, "timestamp": at, "type": kind});
        if kind.ends_with("StateEntered") {
            event["stateEnteredEventDetails"] = json!({"name": state});
        } else if kind.ends_with("StateExited") {
            event["stateExitedEventDetails"] = json!({"name": state});
        }
        event
    };
    kinds.iter().enumerate().map(event).collect()
}

/// A task that is tried twice, then a Fail state.
fn retried_and_failed() -> Vec<Value> {
    history(&[
        "ExecutionStarted",
        "TaskStateEntered:A",
        "LambdaFunctionScheduled",
        "LambdaFunctionStarted",
        "LambdaFunctionFailed",
        "LambdaFunctionScheduled",
        "LambdaFunctionStarted",
        "LambdaFunctionTimedOut",
        "TaskStateExited:A",
        "FailStateEntered:B",
        "ExecutionFailed",
    ])
}

#[test]
fn a_sound_history_has_no_problems() {
    let none: Vec<String> = Vec::new();
    assert_eq!(linear_history_problems(&retried_and_failed()), none);
    let visit = |state: &str, scheduled, exited| Visit { state: state.to_owned(), scheduled, exited };
    assert_eq!(visits(&retried_and_failed()), [visit("A", 2, true), visit("B", 0, false)]);
}

#[test]
fn numbers_and_times_that_are_wrong_are_found() {
    for (at, member, value, found) in [
        (4, "id", json!(4), "event 5 has the id Some(4)"),
        (4, "id", json!(4), "same id"),
        (1, "previousEventId", json!(1), "event 2 points to 1, not to 0"),
        (5, "previousEventId", json!(4), "event 6 points to 4, not to 5"),
        (7, "timestamp", json!(5.999), "event 8 is dated Some(5.999)"),
        (7, "timestamp", json!("7"), "event 8 is dated None"),
    ] {
        let mut events = retried_and_failed();
        events[at][member] = value;
        let problems = linear_history_problems(&events).join("; ");
        assert!(problems.contains(found), "{problems}");
    }
}

#[test]
fn events_that_are_missing_or_too_many_are_found() {
    let sound = retried_and_failed();
    for without in 0..sound.len() {
        let mut events = sound.clone();
        events.remove(without);
        assert!(!linear_history_problems(&events).is_empty(), "without {}", sound[without]);
    }
    for twice in 0..sound.len() {
        let mut kinds = sound.clone();
        kinds.insert(twice, sound[twice].clone());
        for (at, event) in kinds.iter_mut().enumerate() {
            // Even with perfect numbers, the order is wrong.
            event["id"] = json!(at + 1);
            event["previousEventId"] = json!(if at < 2 { 0 } else { at });
        }
        assert!(!linear_history_problems(&kinds).is_empty(), "twice {}", sound[twice]);
    }
}

#[test]
fn impossible_orders_are_found() {
    for kinds in [
        &["ExecutionStarted", "PassStateEntered:A", "PassStateExited:B", "ExecutionSucceeded"][..],
        &["ExecutionStarted", "PassStateEntered:A", "ExecutionSucceeded"],
        &["ExecutionStarted", "PassStateEntered:A", "PassStateEntered:B"],
        &["ExecutionStarted", "TaskStateEntered:A", "TaskScheduled", "TaskScheduled"],
        &["ExecutionStarted", "TaskStateEntered:A", "TaskScheduled", "TaskSucceeded"],
        &[
            "ExecutionStarted",
            "TaskStateEntered:A",
            "TaskScheduled",
            "TaskStarted",
            "TaskSucceeded",
            "TaskScheduled",
        ],
        &["ExecutionStarted", "PassStateEntered:A", "PassStateExited:A"],
        &["ExecutionStarted", "ExecutionSucceeded", "ExecutionSucceeded"],
        &[],
    ] {
        assert!(!linear_history_problems(&history(kinds)).is_empty(), "{kinds:?}");
    }
}

#[test]
fn a_history_that_was_read_stays() {
    let longer = retried_and_failed();
    assert!(extends(&longer, &longer[..4]) && extends(&longer, &longer));
    assert!(!extends(&longer[..4], &longer));
    let mut changed = longer[..4].to_vec();
    changed[3]["timestamp"] = json!(3.001);
    assert!(!extends(&longer, &changed));
}

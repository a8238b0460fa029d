//! Which events a level has, and what a log record looks like (Step Functions developer guide, "Log levels"; API
//! reference, section 14).
//!
//! It must never let execution data into a record whose machine keeps it out.

use serde_json::{Map, Value, json};
use stepwell_asl::HistoryEvent;
use stepwell_store::LogLevel;

/// Members of an event's details that hold execution data, or speak of it.
const DATA: [&str; 7] = [
    "input",
    "inputDetails",
    "output",
    "outputDetails",
    "parameters",
    "assignedVariables",
    "assignedVariablesDetails",
];

/// Whether a level has events of this type.
pub(super) fn has(level: LogLevel, event_type: &str) -> bool {
    let is_fatal = matches!(event_type, "ExecutionAborted" | "ExecutionFailed" | "ExecutionTimedOut");
    match level {
        LogLevel::All => true,
        LogLevel::Fatal => is_fatal,
        LogLevel::Error => {
            let ends = ["Failed", "Aborted", "TimedOut"];
            is_fatal || event_type == "FailStateEntered" || ends.iter().any(|end| event_type.ends_with(end))
        }
    }
}

/// The record of an event.
pub(in crate::observe) fn record(
    event: &HistoryEvent,
    event_type: &str,
    include_data: bool,
    execution_arn: &str,
    redrive_count: u64,
) -> Value {
    json!({
        "id": event.id.to_string(),
        "type": event_type,
        "details": details(event, include_data),
        "previous_event_id": event.previous_event_id.to_string(),
        "event_timestamp": event.timestamp.0.to_string(),
        "execution_arn": execution_arn,
        "redrive_count": redrive_count.to_string(),
    })
}

/// What the API's form of an event has in its `...EventDetails` member; an empty object where it has none.
fn details(event: &HistoryEvent, include_data: bool) -> Value {
    let mut details = Map::new();
    if let Value::Object(members) = event.to_api_json(include_data) {
        let found = members.into_iter().find(|(name, _)| name.ends_with("EventDetails"));
        if let Some((_, Value::Object(found))) = found {
            details = found;
        }
    }
    if !include_data {
        details.retain(|name, _| !DATA.contains(&name.as_str()));
    }
    Value::Object(details)
}

#[cfg(test)]
mod tests {
    use stepwell_asl::{HistoryDetails, StateType, Timestamp};

    use super::*;

    #[test]
    fn each_level_has_its_events() {
        for (event_type, error, fatal) in [
            ("ExecutionStarted", false, false),
            ("ExecutionSucceeded", false, false),
            ("ExecutionFailed", true, true),
            ("ExecutionAborted", true, true),
            ("ExecutionTimedOut", true, true),
            ("FailStateEntered", true, false),
            ("PassStateEntered", false, false),
            ("LambdaFunctionFailed", true, false),
            ("LambdaFunctionTimedOut", true, false),
            ("TaskScheduled", false, false),
            ("TaskStateAborted", true, false),
            ("MapIterationFailed", true, false),
            ("EvaluationFailed", true, false),
        ] {
            assert!(has(LogLevel::All, event_type));
            assert_eq!(has(LogLevel::Error, event_type), error, "{event_type}");
            assert_eq!(has(LogLevel::Fatal, event_type), fatal, "{event_type}");
        }
    }

    #[test]
    fn records_hold_data_only_where_that_is_asked_for() {
        let details = HistoryDetails::StateEntered {
            state_type: StateType::Pass,
            name: "S".into(),
            input: "{\"secret\":1}".into(),
        };
        let event = HistoryEvent { id: 2, previous_event_id: 1, timestamp: Timestamp(1_500), details };
        let with = record(&event, "PassStateEntered", true, "arn", 0);
        assert_eq!(with["details"]["input"], "{\"secret\":1}");
        let without = record(&event, "PassStateEntered", false, "arn", 3);
        let expected = json!({
            "id": "2", "type": "PassStateEntered", "details": {"name": "S"}, "previous_event_id": "1",
            "event_timestamp": "1500", "execution_arn": "arn", "redrive_count": "3",
        });
        assert_eq!(without, expected);
        let ended = HistoryDetails::ExecutionSucceeded { output: "1".into() };
        let event = HistoryEvent { details: ended, ..event };
        assert_eq!(record(&event, "ExecutionSucceeded", false, "arn", 0)["details"], json!({}));
    }
}

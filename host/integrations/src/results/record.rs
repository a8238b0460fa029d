//! How one child's end is written (ResultWriter, "WriterConfig").
//!
//! COMPACT and FLATTEN shape outputs; a child that did not succeed is written as it is without them.

use serde_json::{Map, Value, json};
use stepwell_executor::{ResultKind, ResultRecord};

/// `Transformation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transformation {
    /// Everything that is known of the execution.
    None,
    /// The output alone.
    Compact,
    /// The output; the elements of one that is an array.
    Flatten,
}

impl Transformation {
    pub(super) fn parse(configuration: &Value) -> Transformation {
        match configuration.get("Transformation").and_then(Value::as_str) {
            Some("COMPACT") => Transformation::Compact,
            Some("FLATTEN") => Transformation::Flatten,
            _ => Transformation::None,
        }
    }

    /// The JSON texts that a record becomes.
    pub(super) fn texts(self, record: ResultRecord) -> Vec<String> {
        match (self, record.kind, record.output) {
            (Transformation::Compact, ResultKind::Succeeded, Some(output)) => vec![output],
            (Transformation::Flatten, ResultKind::Succeeded, Some(output)) => {
                match serde_json::from_str(&output) {
                    Ok(Value::Array(elements)) => elements.iter().map(Value::to_string).collect(),
                    Ok(_) | Err(_) => vec![output],
                }
            }
            (_, _, output) => vec![described(ResultRecord { output, ..record }).to_string()],
        }
    }
}

fn described(record: ResultRecord) -> Value {
    let mut members = Map::new();
    let mut add = |name: &str, value: Value| members.insert(name.to_owned(), value);
    let (redrive_status, reason) = record.redrive_status.unzip();
    for (name, value) in [("Cause", record.cause), ("Error", record.error)] {
        value.map(|value| add(name, json!(value)));
    }
    add("ExecutionArn", json!(record.execution_arn));
    add("Input", json!(record.input));
    add("InputDetails", json!({"Included": true}));
    add("Name", json!(record.name));
    if let Some(output) = record.output {
        add("Output", json!(output));
    }
    add("OutputDetails", json!({"Included": true}));
    add("RedriveCount", json!(record.redrive_count));
    for (name, value) in [("RedriveStatus", redrive_status), ("RedriveStatusReason", reason.flatten())] {
        value.map(|value| add(name, json!(value)));
    }
    if let Some(at) = record.started_at {
        add("StartDate", json!(at.to_rfc3339()));
    }
    add("StateMachineArn", json!(record.state_machine_arn));
    add("Status", json!(record.status));
    if let Some(at) = record.stopped_at {
        add("StopDate", json!(at.to_rfc3339()));
    }
    Value::Object(members)
}

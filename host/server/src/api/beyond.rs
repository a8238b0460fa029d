//! Says when a request or an answer goes beyond what Step Functions would have taken, in the header
//! `x-stepwell-beyond-quotas`: what works here and would not work there should surprise nobody.
//!
//! It must never refuse anything.

use serde_json::{Map, Value};
use stepwell_asl::Quotas;

/// The header. Its value names what is beyond, like `input, history`.
pub(super) const HEADER: &str = "x-stepwell-beyond-quotas";

/// Members of requests and answers that hold payloads.
const PAYLOADS: [&str; 2] = ["input", "output"];

/// What is beyond the quotas of Step Functions.
#[derive(Debug, Default)]
pub(super) struct Beyond(Vec<&'static str>);

impl Beyond {
    /// Looks at the members of a request or of an answer.
    pub(super) fn look(&mut self, members: &Map<String, Value>) {
        for name in PAYLOADS {
            self.note(name, members.get(name).is_some_and(is_large));
        }
        let events = members.get("events").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let quota = Quotas::default().history_events;
        let is_late = |event: &Value| event["id"].as_u64().is_some_and(|id| id > quota);
        self.note("history", events.iter().any(is_late));
        self.note("event", events.iter().any(has_large_payload));
    }

    /// The same for the length of an output.
    pub(super) fn look_at_output(&mut self, bytes: usize) {
        self.note("output", bytes > Quotas::default().payload_bytes);
    }

    fn note(&mut self, name: &'static str, is_beyond: bool) {
        if is_beyond && !self.0.contains(&name) {
            self.0.push(name);
        }
    }

    /// The header's value, if anything is.
    pub(super) fn header(&self) -> Option<String> {
        (!self.0.is_empty()).then(|| self.0.join(", "))
    }
}

/// Whether a text is longer than a payload of Step Functions.
fn is_large(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.len() > Quotas::default().payload_bytes)
}

/// Whether one of an event's details has such a text.
fn has_large_payload(event: &Value) -> bool {
    let details = event.as_object().into_iter().flat_map(Map::values).filter_map(Value::as_object);
    details.flat_map(Map::values).any(is_large)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn seen(members: &[Value]) -> Option<String> {
        let mut beyond = Beyond::default();
        for members in members {
            beyond.look(members.as_object().unwrap());
        }
        beyond.header()
    }

    #[test]
    fn what_fits_into_the_quotas_is_not_mentioned() {
        let fits = "x".repeat(262_144);
        assert_eq!(seen(&[json!({"input": fits, "output": fits, "name": "n"})]), None);
        assert_eq!(
            seen(&[json!({"events": [{"id": 25_000, "stateExitedEventDetails": {"output": fits}}]})]),
            None
        );
    }

    #[test]
    fn what_does_not_is_named_once() {
        let large = "x".repeat(262_145);
        assert_eq!(seen(&[json!({"input": large}), json!({"input": large})]).unwrap(), "input");
        let events = json!([{"id": 25_001}, {"id": 25_002, "stateExitedEventDetails": {"output": large}}]);
        assert_eq!(seen(&[json!({"events": events})]).unwrap(), "history, event");
    }
}

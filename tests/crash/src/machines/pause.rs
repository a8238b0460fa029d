//! Waits: until a moment given in milliseconds, and for seconds. A timer must be late rather than early, and fire once.

use super::{differs, output};
use serde_json::{Value, json};
use std::time::Duration;
use stepwell_it::{Visit, linear_history_problems, visits};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Longest time until the moment, in milliseconds.
const LONGEST_MILLISECONDS: u64 = 3_000;
/// Longest wait in seconds.
const LONGEST_SECONDS: usize = 2;
/// Moments are stored in milliseconds, and the API's seconds are floating point.
const CLOCK_SLACK_SECONDS: f64 = 0.001_5;

pub(super) fn definition() -> Value {
    json!({
        "StartAt": "Until",
        "States": {
            "Until": {"Type": "Wait", "TimestampPath": "$.until", "Next": "Rest"},
            "Rest": {"Type": "Wait", "SecondsPath": "$.seconds", "Next": "Done"},
            "Done": {"Type": "Pass", "End": true},
        },
    })
}

pub(super) fn input(number: usize) -> Value {
    let until = OffsetDateTime::now_utc() + Duration::from_millis(fastrand::u64(1..=LONGEST_MILLISECONDS));
    let until = until.format(&Rfc3339).expect("a date of this century");
    json!({"number": number, "until": until, "seconds": number % (LONGEST_SECONDS + 1)})
}

pub(super) fn problems(input: &Value, description: &Value, history: &[Value]) -> Vec<String> {
    let visit = |state: &str| Visit { state: state.to_owned(), scheduled: 0, exited: true };
    let path = [visit("Until"), visit("Rest"), visit("Done")];
    let mut problems = linear_history_problems(history);
    problems.extend(differs("status", &description["status"], &json!("SUCCEEDED")));
    problems.extend(differs("output", &output(description), input));
    let found = visits(history);
    if found != path {
        problems.push(format!("the path is {found:?}, not {path:?}"));
        return problems;
    }
    let until = OffsetDateTime::parse(input["until"].as_str().unwrap_or_default(), &Rfc3339);
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of this century fit")]
    let until = until.map_or(f64::MAX, |until| (until.unix_timestamp_nanos() / 1_000_000) as f64 / 1e3);
    let left = at(history, "WaitStateExited", "Until");
    let (entered, rested) = (at(history, "WaitStateEntered", "Rest"), at(history, "WaitStateExited", "Rest"));
    if left + CLOCK_SLACK_SECONDS < until {
        problems.push(format!("waited until {left}, which is before {until}"));
    }
    if rested - entered + CLOCK_SLACK_SECONDS < input["seconds"].as_f64().unwrap_or_default() {
        problems.push(format!("waited from {entered} to {rested}, not for {} s", input["seconds"]));
    }
    problems
}

/// When the one event of this type and state happened, in seconds.
fn at(history: &[Value], kind: &str, state: &str) -> f64 {
    let event = history.iter().find(|event| event["type"] == kind && crate::judge::name(event) == state);
    event.and_then(|event| event["timestamp"].as_f64()).unwrap_or_default()
}

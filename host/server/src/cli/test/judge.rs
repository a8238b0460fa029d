//! What differs between what a case expects and what its execution did.
//!
//! Pure: it must never ask a server.

use serde_json::Value;

use super::file::{Expectation, Step};

/// What an execution did.
#[derive(Debug)]
pub(super) struct Outcome {
    /// DescribeExecution, or the answer of StartSyncExecution.
    pub(super) execution: Value,
    /// The events of its history; none of an EXPRESS execution.
    pub(super) history: Vec<Value>,
}

/// Every difference, one in a text; none if all is as expected.
pub(super) fn differences(expected: &Expectation, outcome: &Outcome) -> Vec<String> {
    let mut found = Vec::new();
    let execution = &outcome.execution;
    let status = execution["status"].as_str().unwrap_or_default();
    if status != expected.status() {
        let why = [&execution["error"], &execution["cause"]].map(|text| text.as_str().unwrap_or_default());
        let why = why.join(": ");
        let why = if why == ": " { String::new() } else { format!(" ({why})") };
        found.push(format!("status: expected {}, got {status}{why}", expected.status()));
    }
    for (name, wanted) in [("error", &expected.error), ("cause", &expected.cause)] {
        let got = execution[name].as_str();
        if wanted.is_some() && wanted.as_deref() != got {
            found.push(format!("{name}: expected {}, got {}", shown(wanted.as_deref()), shown(got)));
        }
    }
    output(expected, execution, &mut found);
    seconds(expected, execution, &mut found);
    if let Some(path) = &expected.path {
        found.extend(path_difference(path, &outcome.path()));
    }
    let events = expected.history.as_deref().unwrap_or_default();
    if let Some((number, wanted)) = missing_event(events, &outcome.history) {
        found.push(format!(
            "history[{number}]: no event like {wanted} follows those before it, in {}",
            outcome.types().join(" > ")
        ));
    }
    found
}

impl Outcome {
    /// The names of the states, in the order in which they were entered.
    pub(super) fn path(&self) -> Vec<&str> {
        self.history.iter().filter_map(|event| event["stateEnteredEventDetails"]["name"].as_str()).collect()
    }

    fn types(&self) -> Vec<&str> {
        self.history.iter().filter_map(|event| event["type"].as_str()).collect()
    }
}

fn shown(text: Option<&str>) -> String {
    text.map_or_else(|| "none".to_owned(), |text| format!("{text:?}"))
}

fn output(expected: &Expectation, execution: &Value, found: &mut Vec<String>) {
    if expected.output.is_none() && expected.output_includes.is_none() {
        return;
    }
    let Some(output) = execution["output"].as_str().and_then(|text| serde_json::from_str(text).ok()) else {
        found.push("output: the execution has none".to_owned());
        return;
    };
    if let Some(wanted) = &expected.output {
        differ("output", wanted, &output, true, found);
    }
    if let Some(wanted) = &expected.output_includes {
        differ("output", wanted, &output, false, found);
    }
}

/// Where two values differ. With `whole`, the second must have no more members than the first.
fn differ(at: &str, wanted: &Value, got: &Value, whole: bool, found: &mut Vec<String>) {
    match (wanted, got) {
        (Value::Object(wanted), Value::Object(got)) => {
            for (name, wanted) in wanted {
                match got.get(name) {
                    Some(got) => differ(&format!("{at}.{name}"), wanted, got, whole, found),
                    None => found.push(format!("{at}.{name}: expected {wanted}, but it is missing")),
                }
            }
            for (name, got) in got.iter().filter(|(name, _)| whole && !wanted.contains_key(*name)) {
                found.push(format!("{at}.{name}: not expected, got {got}"));
            }
        }
        (Value::Array(wanted), Value::Array(got)) if wanted.len() == got.len() => {
            for (number, (wanted, got)) in wanted.iter().zip(got).enumerate() {
                differ(&format!("{at}[{number}]"), wanted, got, whole, found);
            }
        }
        _ if equal(wanted, got) => {}
        _ => found.push(format!("{at}: expected {wanted}, got {got}")),
    }
}

/// Numbers are equal by value: `1` and `1.0` are.
fn equal(wanted: &Value, got: &Value) -> bool {
    wanted == got || wanted.as_f64().is_some_and(|wanted| got.as_f64() == Some(wanted))
}

fn seconds(expected: &Expectation, execution: &Value, found: &mut Vec<String>) {
    let at = |name: &str| execution[name].as_f64().unwrap_or_default();
    let taken = at("stopDate") - at("startDate");
    if let Some(least) = expected.min_seconds.filter(|least| taken < *least) {
        found.push(format!("minSeconds: expected {least} at least, it took {taken:.3}"));
    }
    if let Some(most) = expected.max_seconds.filter(|most| taken > *most) {
        found.push(format!("maxSeconds: expected {most} at most, it took {taken:.3}"));
    }
}

fn path_difference(wanted: &[Step], got: &[&str]) -> Option<String> {
    let mut rest = got;
    let fits = wanted.iter().all(|step| {
        let names = step.names();
        let Some((next, behind)) = rest.split_at_checked(names.len()) else { return false };
        let (mut names, mut next) = (names, next.to_vec());
        rest = behind;
        names.sort_unstable();
        next.sort_unstable();
        names == next
    });
    let text = |step: &Step| match step {
        Step::One(name) => name.clone(),
        Step::Any(names) => format!("[{}]", names.join(", ")),
    };
    let wanted: Vec<String> = wanted.iter().map(text).collect();
    (!fits || !rest.is_empty())
        .then(|| format!("path: expected {}\n      got      {}", wanted.join(" > "), got.join(" > ")))
}

impl Step {
    fn names(&self) -> Vec<&str> {
        match self {
            Step::One(name) => vec![name],
            Step::Any(names) => names.iter().map(String::as_str).collect(),
        }
    }
}

/// The first expected event that the history does not have behind those before it.
fn missing_event<'e>(wanted: &'e [Value], history: &[Value]) -> Option<(usize, &'e Value)> {
    let mut events = history.iter();
    wanted.iter().enumerate().find(|(_, wanted)| {
        !events.any(|event| {
            let mut found = Vec::new();
            differ("", wanted, event, false, &mut found);
            found.is_empty()
        })
    })
}

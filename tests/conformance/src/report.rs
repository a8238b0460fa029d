//! Passed and failed by area. Every case that can be replayed must agree, but for the listed deviations.

use crate::case::Case;
use crate::compare::{Bindings, compare};
use crate::deviations;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What a replay of a case gave.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Status of the execution, as the API names it.
    pub status: String,
    /// Its output.
    pub output: Option<Value>,
    /// Its error name.
    pub error: Option<String>,
    /// Its cause.
    pub cause: Option<String>,
    /// Its history in API form.
    pub events: Vec<Value>,
}

impl Outcome {
    /// What an own case expects: all of it, without timestamps.
    pub fn to_expected(&self) -> Value {
        let mut events = self.events.clone();
        for event in events.iter_mut().filter_map(Value::as_object_mut) {
            event.shift_remove("timestamp");
        }
        let mut expected = json!({"status": self.status});
        let parts = [
            ("output", self.output.clone()),
            ("error", self.error.clone().map(Value::String)),
            ("cause", self.cause.clone().map(Value::String)),
        ];
        for (name, value) in parts {
            if let Some(value) = value {
                expected[name] = value;
            }
        }
        expected["events"] = Value::Array(events);
        expected
    }
}

/// Results of one runner.
pub struct Report {
    runner: &'static str,
    areas: BTreeMap<String, Counts>,
    /// Cases that failed and are listed as deviations.
    deviating: Vec<String>,
    /// Deviations that agree after all.
    mended: Vec<String>,
    failures: Vec<String>,
}

#[derive(Default)]
struct Counts {
    passed: u32,
    deviating: u32,
    failed: u32,
    skipped: u32,
}

impl Report {
    /// An empty report of `runner`, as the list of deviations names it.
    pub fn new(runner: &'static str) -> Report {
        let (deviating, mended, failures) = (Vec::new(), Vec::new(), Vec::new());
        Report { runner, areas: BTreeMap::new(), deviating, mended, failures }
    }

    /// Counts a case that this release or this runner cannot replay.
    pub fn skip(&mut self, case: &Case) {
        self.areas.entry(case.area.clone()).or_default().skipped += 1;
    }

    /// Counts a replayed case.
    pub fn add(&mut self, case: &Case, outcome: Result<Outcome, String>) {
        let result = outcome.and_then(|outcome| judge(case, &outcome));
        let counts = self.areas.entry(case.area.clone()).or_default();
        match (result, deviations::reason(self.runner, &case.name)) {
            (Ok(()), None) => counts.passed += 1,
            (Ok(()), Some(_)) => self.mended.push(case.name.clone()),
            (Err(_), Some(reason)) => {
                counts.deviating += 1;
                self.deviating.push(format!("{} {}: {reason}", case.area, case.name));
            }
            (Err(why), None) => {
                counts.failed += 1;
                self.failures.push(format!("{} {}: {why}", case.area, case.name));
            }
        }
    }

    /// Prints the report; panics when a case fails that is not listed as a deviation, or one agrees that is.
    pub fn finish(self) {
        for deviating in &self.deviating {
            println!("DEVIATES {deviating}");
        }
        println!("{:<24} {:>7} {:>8} {:>7} {:>8}", "area", "passed", "deviates", "failed", "skipped");
        for (area, counts) in &self.areas {
            let Counts { passed, deviating, failed, skipped } = counts;
            println!("{area:<24} {passed:>7} {deviating:>8} {failed:>7} {skipped:>8}");
        }
        for failure in &self.failures {
            println!("FAILED {}", failure.chars().take(400).collect::<String>());
        }
        assert!(self.failures.is_empty(), "{} cases do not agree", self.failures.len());
        assert!(self.mended.is_empty(), "these agree now, take them off the list: {:#?}", self.mended);
    }
}

/// Compares all that the recording can vouch for.
fn judge(case: &Case, outcome: &Outcome) -> Result<(), String> {
    let expected = case.expected();
    let mut bindings = Bindings::new();
    if expected.is_null() {
        return Err("it expects nothing yet; write it with UPDATE_EXPECT=1".to_owned());
    }
    if let Some(status) = expected["status"].as_str()
        && status != outcome.status
    {
        return Err(format!("want {status}, got {} {:?} {:?}", outcome.status, outcome.error, outcome.cause));
    }
    if case.json["trust"] != "aws" {
        return Ok(());
    }
    if let Some(output) = expected.get("output") {
        compare(output, outcome.output.as_ref().unwrap_or(&Value::Null), &mut bindings, "output")?;
    }
    for (name, actual) in [("error", &outcome.error), ("cause", &outcome.cause)] {
        if let Some(expected) = expected.get(name) {
            compare(expected, &json!(actual), &mut bindings, name)?;
        }
    }
    match expected.get("events") {
        Some(events) => compare(events, &json!(outcome.events), &mut bindings, "events"),
        None => Ok(()),
    }
}

//! Passed and failed by area, and the list of cases that must pass: it only grows.

use crate::case::Case;
use crate::compare::{Bindings, compare};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

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
    areas: BTreeMap<String, (u32, u32, u32)>,
    passed: BTreeSet<String>,
    failures: Vec<String>,
}

impl Report {
    /// An empty report of `runner`, the name of its list of cases that must pass.
    pub fn new(runner: &'static str) -> Report {
        Report { runner, areas: BTreeMap::new(), passed: BTreeSet::new(), failures: Vec::new() }
    }

    /// Counts a case that this release or this runner cannot replay.
    pub fn skip(&mut self, case: &Case) {
        self.areas.entry(case.area.clone()).or_default().2 += 1;
    }

    /// Counts a replayed case.
    pub fn add(&mut self, case: &Case, outcome: Result<Outcome, String>) {
        let result = outcome.and_then(|outcome| judge(case, &outcome));
        let counts = self.areas.entry(case.area.clone()).or_default();
        match result {
            Ok(()) => {
                counts.0 += 1;
                self.passed.insert(case.name.clone());
            }
            Err(why) => {
                counts.1 += 1;
                self.failures.push(format!("{} {}: {why}", case.area, case.name));
            }
        }
    }

    /// Prints the report; panics when a case of the list fails or `areas` are below `percent`.
    /// With `UPDATE_EXPECT=1` it adds what newly passes to the list.
    pub fn finish(self, areas: &[&str], percent: u32) {
        for failure in &self.failures {
            println!("FAILED {}", failure.chars().take(400).collect::<String>());
        }
        let (mut passed, mut failed) = (0, 0);
        println!("{:<24} {:>7} {:>7} {:>8}", "area", "passed", "failed", "skipped");
        for (area, (good, bad, skipped)) in &self.areas {
            println!("{area:<24} {good:>7} {bad:>7} {skipped:>8}");
            if areas.contains(&area.as_str()) {
                passed += good;
                failed += bad;
            }
        }
        let must_pass = self.must_pass();
        let recorded = self.areas.keys().any(|area| area != "own");
        let lost: Vec<&String> =
            must_pass.difference(&self.passed).filter(|name| recorded || !name.contains(".py::")).collect();
        assert!(lost.is_empty(), "these cases passed before and fail now: {lost:#?}");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            let lines: Vec<&str> = self.passed.iter().map(String::as_str).collect();
            std::fs::write(self.list(), lines.join("\n") + "\n").unwrap_or_else(|error| panic!("{error}"));
        }
        println!("of the areas {areas:?}: {passed} passed, {failed} failed");
        assert!(passed * 100 >= percent * (passed + failed), "below {percent} %");
    }

    fn must_pass(&self) -> BTreeSet<String> {
        let text = std::fs::read_to_string(self.list()).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn list(&self) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("must_pass_{}.txt", self.runner))
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

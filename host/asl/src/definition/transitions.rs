//! Transitions between states: every target exists, some state is an end, every state can be reached
//! (specification, "Transitions").
//!
//! Reads the definition as JSON, not the parsed states, so that a problem inside one state hides none between them.

use super::diagnostic::{Diagnostic, DiagnosticCode, Severity};
use super::findings::Findings;
use super::state_graph::state_place;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Reports what is wrong between the states of one level, in AWS's order (observed). `at` is the place of `states`.
pub(super) fn check_transitions(
    start_at: Option<&str>,
    states: &Map<String, Value>,
    at: &str,
    findings: &mut Findings,
) {
    let start_at = start_at.filter(|start_at| {
        let known = states.contains_key(*start_at);
        if !known {
            missing(start_at, findings, || format!("{}/StartAt", level(at)));
        }
        known
    });
    for (name, state) in states {
        for target in targets(state).filter(|target| !states.contains_key(target.name)) {
            missing(target.name, findings, || format!("{}/{}", state_place(at, name), target.field()));
        }
    }
    if !states.is_empty() && states.values().all(leads_on) {
        // Without an end nothing more is said about what can be reached (observed).
        findings.error_of_all(no_end(at));
        return;
    }
    // Without a start every state is out of reach, which says nothing new.
    let Some(start_at) = start_at else { return };
    let reachable = reachable(start_at, states);
    for name in states.keys().filter(|name| !reachable.contains(name.as_str())) {
        let message = format!("State \"{name}\" is not reachable.");
        findings.error(DiagnosticCode::MissingTransitionTarget, message, || state_place(at, name));
    }
}

/// The message says `Next` whatever the field is called (observed).
fn missing(target: &str, findings: &mut Findings, location: impl FnOnce() -> String) {
    let message = format!("Missing 'Next' target: {target}");
    findings.error(DiagnosticCode::MissingTransitionTarget, message, location);
}

/// The place of the level whose states are at `at`; empty for the machine.
fn level(at: &str) -> &str {
    at.strip_suffix("/States").unwrap_or_default()
}

/// A problem of the whole machine has no place (observed), one of a nested level has.
fn no_end(at: &str) -> Diagnostic {
    let level = level(at);
    Diagnostic {
        severity: Severity::Error,
        code: DiagnosticCode::MissingEndState,
        message: "Workflow has no terminal state".to_owned(),
        location: (!level.is_empty()).then(|| level.to_owned()),
    }
}

/// Whether a state is no end, and says so: one that says neither has a problem of its own.
fn leads_on(state: &Value) -> bool {
    match state["Type"].as_str() {
        Some("Choice") => true,
        Some("Succeed" | "Fail") => false,
        Some(_) | None => state["Next"].is_string() && state["End"].as_bool() != Some(true),
    }
}

fn reachable<'d>(start_at: &'d str, states: &'d Map<String, Value>) -> BTreeSet<&'d str> {
    let mut reachable = BTreeSet::new();
    let mut open = vec![start_at];
    while let Some(name) = open.pop() {
        if let Some(state) = states.get(name)
            && reachable.insert(name)
        {
            open.extend(targets(state).map(|target| target.name));
        }
    }
    reachable
}

/// A state that another one may lead to, and where that is said.
struct Target<'d> {
    name: &'d str,
    place: TargetPlace,
}

#[derive(Clone, Copy)]
enum TargetPlace {
    Field(&'static str),
    /// `Next` of an item of a list.
    Item(&'static str, usize),
}

impl Target<'_> {
    fn field(&self) -> String {
        match self.place {
            TargetPlace::Field(field) => field.to_owned(),
            TargetPlace::Item(list, index) => format!("{list}[{index}]/Next"),
        }
    }
}

/// Every state that a state may lead to.
fn targets(state: &Value) -> impl Iterator<Item = Target<'_>> {
    let own = ["Next", "Default"].into_iter().filter_map(|field| {
        state[field].as_str().map(|name| Target { name, place: TargetPlace::Field(field) })
    });
    let listed = ["Catch", "Choices"].into_iter().flat_map(|list| {
        let items = state[list].as_array().into_iter().flatten().enumerate();
        items.filter_map(move |(index, item)| {
            item["Next"].as_str().map(|name| Target { name, place: TargetPlace::Item(list, index) })
        })
    });
    own.chain(listed)
}

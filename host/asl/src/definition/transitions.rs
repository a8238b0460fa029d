//! Transitions between states: every target exists, every state can be reached (specification, "Transitions").
//!
//! Reads the definition as JSON, not the parsed states, so that a problem inside one state hides none between them.

use super::diagnostic::{Diagnostic, DiagnosticCode};
use super::fields::pointer_step;
use super::findings::Findings;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Reports targets that do not exist and states that cannot be reached. `at` is the place of `states`.
pub(super) fn check_transitions(
    start_at: Option<&str>,
    states: &Map<String, Value>,
    at: &str,
    findings: &mut Findings,
) {
    let mut missing = |location: String, target: &str| {
        let message = format!("Missing 'Next' target: {target}");
        findings.push(Diagnostic::error(DiagnosticCode::MissingTransitionTarget, message, location));
    };
    let start_at = start_at.filter(|start_at| {
        let known = states.contains_key(*start_at);
        if !known {
            missing(format!("{}StartAt", at.strip_suffix("States").unwrap_or("/")), start_at);
        }
        known
    });
    for (name, state) in states {
        for (field, target) in targets(state) {
            if !states.contains_key(target) {
                missing(format!("{at}/{}/{field}", pointer_step(name)), target);
            }
        }
    }
    // Without a start every state is out of reach, which says nothing new.
    let Some(start_at) = start_at else { return };
    let reachable = reachable(start_at, states);
    for name in states.keys().filter(|name| !reachable.contains(name.as_str())) {
        let message = format!("State \"{name}\" is not reachable.");
        let location = format!("{at}/{}", pointer_step(name));
        findings.push(Diagnostic::error(DiagnosticCode::MissingTransitionTarget, message, location));
    }
}

fn reachable<'d>(start_at: &'d str, states: &'d Map<String, Value>) -> BTreeSet<&'d str> {
    let mut reachable = BTreeSet::new();
    let mut open = vec![start_at];
    while let Some(name) = open.pop() {
        if let Some(state) = states.get(name)
            && reachable.insert(name)
        {
            open.extend(targets(state).into_iter().map(|(_, target)| target));
        }
    }
    reachable
}

/// Every state that a state may lead to, with the field that says so.
fn targets(state: &Value) -> Vec<(String, &str)> {
    let mut targets = Vec::new();
    for field in ["Next", "Default"] {
        targets.extend(state[field].as_str().map(|target| (field.to_owned(), target)));
    }
    for list in ["Catch", "Choices"] {
        for (index, item) in state[list].as_array().into_iter().flatten().enumerate() {
            targets.extend(item["Next"].as_str().map(|target| (format!("{list}[{index}]/Next"), target)));
        }
    }
    targets
}

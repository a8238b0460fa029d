//! The state machine: top-level fields and the transitions between states (specification, "Top-level fields").

use super::diagnostic::{Diagnostic, DiagnosticCode, Severity};
use super::fields::{Fields, pointer_step};
use crate::limits;
use crate::states::State;
use indexmap::IndexMap;
use serde_json::Value;
use std::collections::BTreeSet;

/// A definition that can be run: every transition leads to a state, every field has a legal value.
#[derive(Clone, Debug)]
pub struct StateMachine {
    pub(crate) start_at: String,
    pub(crate) timeout_seconds: Option<u64>,
    pub(crate) states: IndexMap<String, State>,
}

impl StateMachine {
    /// Parses a definition. Errors: every problem found, warnings included; at least one is an error.
    pub fn parse(text: &str) -> Result<StateMachine, Vec<Diagnostic>> {
        let (machine, problems) = StateMachine::analyse(text);
        match machine {
            Some(machine) if problems.iter().all(|problem| problem.severity == Severity::Warning) => {
                Ok(machine)
            }
            _ => Err(problems),
        }
    }

    /// All problems of a definition, warnings too; empty for a clean one (API: ValidateStateMachineDefinition).
    pub fn validate(text: &str) -> Vec<Diagnostic> {
        StateMachine::analyse(text).1
    }

    /// The names of the states, in the order of the definition.
    pub fn state_names(&self) -> impl Iterator<Item = &str> {
        self.states.keys().map(String::as_str)
    }

    /// The `Resource` of every Task state.
    pub fn resources(&self) -> impl Iterator<Item = &str> {
        self.states.values().filter_map(State::resource)
    }

    fn analyse(text: &str) -> (Option<StateMachine>, Vec<Diagnostic>) {
        let mut problems = Vec::new();
        let machine = match serde_json::from_str::<Value>(text) {
            Ok(value) if value.is_object() => parse_top_level(&value, &mut problems),
            Ok(_) => {
                problems.push(not_an_object());
                None
            }
            Err(_) if text.trim().is_empty() => {
                problems.push(not_an_object());
                None
            }
            Err(error) => {
                problems.push(not_json(&error));
                None
            }
        };
        (machine, problems)
    }
}

fn not_an_object() -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        code: DiagnosticCode::SchemaValidationFailed,
        message: "Definition must be a valid JSON object".to_owned(),
        location: None,
    }
}

fn not_json(error: &serde_json::Error) -> Diagnostic {
    let location = format!("line: {}, column: {}", error.line(), error.column());
    Diagnostic::error(DiagnosticCode::InvalidJsonDescription, error.to_string(), location)
}

fn parse_top_level(value: &Value, problems: &mut Vec<Diagnostic>) -> Option<StateMachine> {
    let mut fields = Fields::new(value, "/".to_owned(), problems)?;
    let complete = fields.require(&["States", "StartAt"]);
    let start_at = fields.string("StartAt");
    let timeout_seconds = fields.integer("TimeoutSeconds", 1, limits::SECONDS);
    if let Some(version) = fields.string("Version")
        && version != "1.0"
    {
        fields.problem("Version", format!("Version must be '1.0', but was '{version}'"));
    }
    query_language(&mut fields);
    let states_at = fields.at("States");
    let states = fields.get("States").map(|states| (states, states_at));
    let states = states.and_then(|(states, at)| parse_states(states, &at, &mut fields));
    fields.finish();
    let machine = StateMachine { start_at: start_at?.to_owned(), timeout_seconds, states: states? };
    check_transitions(&machine, problems);
    complete.then_some(machine)
}

/// Reads `QueryLanguage`, of the machine or of a state. Only JSONPath can be run so far.
pub(crate) fn query_language(fields: &mut Fields<'_>) {
    match fields.string("QueryLanguage") {
        None | Some("JSONPath") => {}
        Some("JSONata") => fields.not_supported("QueryLanguage", "JSONata"),
        Some(_) => fields.problem("QueryLanguage", "Value must be one of these: [JSONPath, JSONata]"),
    }
}

fn parse_states(states: &Value, at: &str, fields: &mut Fields<'_>) -> Option<IndexMap<String, State>> {
    let Some(object) = states.as_object() else {
        fields.problem("States", "Expected value of type Object");
        return None;
    };
    if object.is_empty() {
        fields.problem("States", "Value cannot be empty");
        return None;
    }
    let mut parsed = IndexMap::new();
    for (name, value) in object {
        let pointer = format!("{at}/{}", pointer_step(name));
        if name.is_empty() || name.chars().count() > limits::STATE_NAME_CHARACTERS {
            let message = format!("State name must have 1 to {} characters", limits::STATE_NAME_CHARACTERS);
            let code = DiagnosticCode::SchemaValidationFailed;
            fields.problems().push(Diagnostic::error(code, message, pointer.clone()));
        }
        if let Some(state) = State::parse(value, pointer, fields.problems()) {
            parsed.insert(name.clone(), state);
        }
    }
    // Transitions can be judged only when every state was understood.
    (parsed.len() == object.len()).then_some(parsed)
}

fn check_transitions(machine: &StateMachine, problems: &mut Vec<Diagnostic>) {
    let mut missing = |location: String, target: &str| {
        let message = format!("Missing 'Next' target: {target}");
        problems.push(Diagnostic::error(DiagnosticCode::MissingTransitionTarget, message, location));
    };
    if !machine.states.contains_key(&machine.start_at) {
        missing("/StartAt".to_owned(), &machine.start_at);
    }
    for (name, state) in &machine.states {
        for (field, target) in state.targets() {
            if !machine.states.contains_key(target) {
                missing(format!("/States/{}/{field}", pointer_step(name)), target);
            }
        }
    }
    let reachable = reachable_states(machine);
    for name in machine.states.keys().filter(|name| !reachable.contains(name.as_str())) {
        let message = format!("State \"{name}\" is not reachable.");
        let location = format!("/States/{}", pointer_step(name));
        problems.push(Diagnostic::error(DiagnosticCode::MissingTransitionTarget, message, location));
    }
}

fn reachable_states(machine: &StateMachine) -> BTreeSet<&str> {
    let mut reachable = BTreeSet::new();
    let mut open = vec![machine.start_at.as_str()];
    while let Some(name) = open.pop() {
        if let Some(state) = machine.states.get(name)
            && reachable.insert(name)
        {
            open.extend(state.targets().into_iter().map(|(_, target)| target));
        }
    }
    reachable
}

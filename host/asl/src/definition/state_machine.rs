//! The state machine: top-level fields and the transitions between states (specification, "Top-level fields").

use super::diagnostic::{Diagnostic, DiagnosticCode, Severity};
use super::fields::{Fields, pointer_step};
use super::transitions::check_transitions;
use crate::limits;
use crate::states::State;
use indexmap::IndexMap;
use serde_json::Value;

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
    let start_at = fields.string("StartAt").map(str::to_owned);
    let timeout_seconds = fields.integer("TimeoutSeconds", 1, limits::SECONDS);
    if let Some(version) = fields.string("Version")
        && version != "1.0"
    {
        fields.problem("Version", format!("Version must be '1.0', but was '{version}'"));
    }
    query_language(&mut fields);
    let at = fields.at("States");
    let states = fields.get("States").and_then(|states| parse_states(states, &at, &mut fields));
    fields.finish();
    if let Some(states) = value["States"].as_object() {
        check_transitions(start_at.as_deref(), states, &at, problems);
    }
    let machine = StateMachine { start_at: start_at?, timeout_seconds, states: states? };
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
    (parsed.len() == object.len()).then_some(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_problems_are_reported_together() {
        let definition = r#"{"StartAt": "A", "Surprise": 1, "States": {
            "A": {"Type": "Task", "Resource": "charge", "Next": "Nowhere",
                  "Retry": [{"ErrorEquals": [], "IntervalSeconds": -1}]},
            "B/C": {"Type": "Wait", "Seconds": 1, "Timestamp": "x"},
            "D": {"Type": "Choice", "Choices": [{"Variable": "$.x", "NumericEquals": "1", "Next": "E"}]},
            "E": {"Type": "Dance"}
        }}"#;
        let problems = StateMachine::validate(definition);
        let places: Vec<&str> = problems.iter().filter_map(|problem| problem.location.as_deref()).collect();
        for place in [
            "/Surprise",
            "/States/A/Resource",
            "/States/A/Next",
            "/States/A/Retry[0]/ErrorEquals",
            "/States/A/Retry[0]/IntervalSeconds",
            "/States/B~1C",
            "/States/B~1C/Timestamp",
            "/States/D/Choices[0]/NumericEquals",
            "/States/E/Type",
        ] {
            assert!(places.contains(&place), "{place} is not among {places:#?}");
        }
        assert!(StateMachine::parse(definition).is_err());
    }

    #[test]
    fn what_is_no_definition_is_said_so() {
        for (text, message) in [
            ("", "Definition must be a valid JSON object"),
            ("[]", "Definition must be a valid JSON object"),
            ("{", "EOF while parsing an object at line 1 column 1"),
            ("{}", "These fields are required: [States, StartAt]"),
            (r#"{"StartAt": "A", "States": {}}"#, "Value cannot be empty"),
        ] {
            let problems = StateMachine::validate(text);
            assert!(problems.iter().any(|problem| problem.message == message), "{text}: {problems:?}");
        }
    }
}

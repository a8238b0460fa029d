//! The state machine: top-level fields and the transitions between states (specification, "Top-level fields").

use super::diagnostic::{Diagnostic, DiagnosticCode, Severity};
use super::fields::Fields;
use super::findings::Findings;
use super::state_graph::StateGraph;
use crate::limits;
use crate::states::{Resource, State};
use indexmap::IndexMap;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A definition that can be run: every transition leads to a state, every field has a legal value.
#[derive(Clone, Debug)]
pub struct StateMachine {
    pub(crate) start_at: String,
    pub(crate) timeout_seconds: Option<u64>,
    /// The states of all levels: names are unique within the whole machine.
    pub(crate) states: IndexMap<String, State>,
    variable_references: BTreeMap<String, BTreeSet<String>>,
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

    /// The names of the states: those of the machine's own level first, each in the order of the definition.
    pub fn state_names(&self) -> impl Iterator<Item = &str> {
        self.states.keys().map(String::as_str)
    }

    /// The `Resource` of every Task state, with the place of the field.
    pub fn resources(&self) -> impl Iterator<Item = (&Resource, &str)> {
        self.states.values().filter_map(State::task).map(|task| (&task.resource, task.resource_at.as_str()))
    }

    /// A problem for every Task whose resource the host cannot run: `runs` says which it can.
    pub fn unsupported(&self, runs: impl Fn(&Resource) -> bool) -> Vec<Diagnostic> {
        let refused = self.resources().filter(|(resource, _)| !runs(resource));
        let problem = |(resource, at): (&Resource, &str)| {
            let message =
                format!("The resource {} is not supported by this release of Stepwell", resource.as_str());
            Diagnostic::error(DiagnosticCode::NotSupported, message, at)
        };
        refused.map(problem).collect()
    }

    /// The variables that each state refers to; states that refer to none are left out (API:
    /// DescribeStateMachine, `variableReferences`).
    pub fn variable_references(&self) -> &BTreeMap<String, BTreeSet<String>> {
        &self.variable_references
    }

    fn analyse(text: &str) -> (Option<StateMachine>, Vec<Diagnostic>) {
        let mut findings = Findings::default();
        let machine = match serde_json::from_str::<Value>(text) {
            Ok(value) if value.is_object() => parse_top_level(&value, &mut findings),
            Ok(_) => {
                findings.push(not_an_object());
                None
            }
            Err(_) if text.trim().is_empty() => {
                findings.push(not_an_object());
                None
            }
            Err(error) => {
                findings.push(not_json(&error));
                None
            }
        };
        let (problems, variable_references) = findings.into_parts();
        (machine.map(|machine| StateMachine { variable_references, ..machine }), problems)
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

fn parse_top_level(value: &Value, findings: &mut Findings) -> Option<StateMachine> {
    let mut fields = Fields::new(value, "/".to_owned(), findings)?;
    let timeout_seconds = fields.integer("TimeoutSeconds", 1, limits::SECONDS);
    if let Some(version) = fields.string("Version")
        && version != "1.0"
    {
        fields.problem("Version", format!("Version must be '1.0', but was '{version}'"));
    }
    query_language(&mut fields);
    let graph = StateGraph::parse(&mut fields);
    fields.finish();
    let StateGraph { start_at, mut states } = graph?;
    // Level by level: a nested level is appended behind the one that holds it, and visited in its turn.
    let mut index = 0;
    while index < states.len() {
        for nested in states[index].take_nested() {
            states.extend(nested);
        }
        index += 1;
    }
    Some(StateMachine { start_at, timeout_seconds, states, variable_references: BTreeMap::new() })
}

/// Reads `QueryLanguage`, of the machine or of a state. Only JSONPath can be run so far.
pub(crate) fn query_language(fields: &mut Fields<'_>) {
    match fields.string("QueryLanguage") {
        None | Some("JSONPath") => {}
        Some("JSONata") => fields.not_supported("QueryLanguage", "JSONata"),
        Some(_) => fields.problem("QueryLanguage", "Value must be one of these: [JSONPath, JSONata]"),
    }
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

//! The state machine: top-level fields and the transitions between states (specification, "Top-level fields").

use super::diagnostic::{Diagnostic, DiagnosticCode, Severity};
use super::document::Document;
use super::fields::Fields;
use super::findings::Findings;
use super::query_language::machine_language;
use super::state_graph::StateGraph;
use crate::limits;
use crate::states::{Resource, State};
use indexmap::IndexMap;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A definition that can be run: every transition leads to a state, every field has a legal value.
#[derive(Clone, Debug)]
pub struct StateMachine {
    pub(crate) start_at: String,
    pub(crate) timeout_seconds: Option<u64>,
    /// The states of all levels: names are unique within the whole machine.
    pub(crate) states: IndexMap<String, State>,
    variable_references: BTreeMap<String, BTreeSet<String>>,
    uses_jsonata: bool,
}

impl StateMachine {
    /// Parses a definition. Errors: every problem found, warnings included; at least one is an error.
    pub fn parse(text: &str) -> Result<StateMachine, Vec<Diagnostic>> {
        StateMachine::analyse(text, false)
    }

    /// Parses the definition of an Express state machine, likewise.
    pub fn parse_express(text: &str) -> Result<StateMachine, Vec<Diagnostic>> {
        StateMachine::analyse(text, true)
    }

    /// All problems of a definition, warnings too; empty for a clean one (API: ValidateStateMachineDefinition).
    /// At most `limits::DIAGNOSTICS` of each severity.
    pub fn validate(text: &str) -> Vec<Diagnostic> {
        StateMachine::examine(text, false).1
    }

    /// All problems of the definition of an Express state machine, likewise.
    pub fn validate_express(text: &str) -> Vec<Diagnostic> {
        StateMachine::examine(text, true).1
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

    /// Whether some task is ended by somebody outside, with its token.
    pub fn gives_tokens(&self) -> bool {
        self.resources().any(|(resource, _)| resource.gives_token())
    }

    /// Whether some state is in JSONata: then a step may have to evaluate expressions, which can take a while.
    pub fn uses_jsonata(&self) -> bool {
        self.uses_jsonata
    }

    fn analyse(text: &str, express: bool) -> Result<StateMachine, Vec<Diagnostic>> {
        let (machine, problems) = StateMachine::examine(text, express);
        match machine {
            Some(machine) if problems.iter().all(|problem| problem.severity == Severity::Warning) => {
                Ok(machine)
            }
            Some(_) | None => Err(problems),
        }
    }

    /// Both at once, in one reading: the machine as far as it could be read, and all problems, warnings too. With a
    /// problem of severity error the machine must not be run.
    pub fn examine(text: &str, express: bool) -> (Option<StateMachine>, Vec<Diagnostic>) {
        StateMachine::read(text, Findings::new(express), |value| value).0
    }

    /// The same for a definition one state of which is to be tried, with its JSON: a machine, or one state alone, which
    /// is then called `lone_state`.
    pub(crate) fn examine_for_test(
        text: &str,
        lone_state: Option<&str>,
    ) -> ((Option<StateMachine>, Vec<Diagnostic>), Value) {
        let findings = Findings::for_test(lone_state.is_some());
        StateMachine::read(text, findings, |value| match lone_state {
            Some(name) => json!({"StartAt": name, "States": {name: value}}),
            None => value,
        })
    }

    fn read(
        text: &str,
        mut findings: Findings,
        complete: impl FnOnce(Value) -> Value,
    ) -> ((Option<StateMachine>, Vec<Diagnostic>), Value) {
        let (machine, value) = match Document::read(text) {
            Ok(document) => {
                for duplicate in document.duplicates {
                    findings.error_of_all(duplicate);
                }
                let value = complete(document.value);
                (parse_top_level(&value, &mut findings), value)
            }
            Err(problem) => {
                findings.error_of_all(problem);
                (None, Value::Null)
            }
        };
        let (problems, variable_references) = findings.into_parts();
        let machine = machine.map(|machine| StateMachine { variable_references, ..machine });
        ((machine, problems), value)
    }
}

fn parse_top_level(value: &Value, findings: &mut Findings) -> Option<StateMachine> {
    let mut fields = Fields::new(value, "/".to_owned(), findings)?;
    let timeout_seconds = fields.integer("TimeoutSeconds", 1, limits::SECONDS);
    if let Some(version) = fields.string("Version")
        && version != "1.0"
    {
        fields.problem("Version", format!("Version must be '1.0', but was '{version}'"));
    }
    machine_language(&mut fields);
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
    let uses_jsonata = findings.has_jsonata();
    let variable_references = BTreeMap::new();
    Some(StateMachine { start_at, timeout_seconds, states, variable_references, uses_jsonata })
}

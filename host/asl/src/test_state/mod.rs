//! Tries one state alone (API: TestState): its data flow, its Retry and Catch, its choice, with a result or an error
//! that somebody hands over.
//!
//! Everything is evaluated by the same functions that `step` calls; there is no second copy of them, and no execution,
//! history or command. Like `step` it is a function of what it is given. It must never run a task.

mod report;
mod run;

use crate::definition::{Diagnostic, DiagnosticCode, Severity, StateMachine};
use crate::execution::Variables;
use crate::history::StateType;
use crate::limits::Quotas;
use crate::states::{Resource, State};
use crate::timestamp::Timestamp;
pub use report::{ErrorDetails, Inspected, Report, TestStatus};
pub use run::{Scheduled, Tried};
use serde_json::{Map, Value};

/// What a state is called whose definition came alone (recorded).
pub const LONE_STATE: &str = "StateName";

/// A state that can be tried.
#[derive(Clone, Debug)]
pub struct StateTest {
    machine: StateMachine,
    name: String,
    /// The state's own definition.
    definition: Value,
    is_jsonata: bool,
}

/// Why there is nothing to try.
#[derive(Clone, Debug, PartialEq)]
pub enum Untestable {
    /// The definition has problems, errors among them.
    Definition(Vec<Diagnostic>),
    /// The definition has no state of the wanted name.
    NoSuchState,
}

/// The circumstances in which a state is tried.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The state's input.
    pub input: Value,
    /// The variables that it can read.
    pub variables: Variables,
    /// The context object.
    pub context: Map<String, Value>,
    /// The time of entering the state.
    pub at: Timestamp,
    /// Seeds every random choice.
    pub seed: u64,
    /// The bounds of payloads.
    pub quotas: Quotas,
    /// Retries that the retrier of the error has made before.
    pub retries: u64,
    /// How many iterations of a Map state have failed, beside an answer that is a result.
    pub failures: u64,
    /// What ItemReader of a Map state has read.
    pub reader_data: Option<String>,
}

impl StateTest {
    /// Reads a definition: one state, or with `state_name` a machine that has such a state at any level.
    pub fn parse(definition: &str, state_name: Option<&str>) -> Result<StateTest, Untestable> {
        let lone_state = if state_name.is_some() { None } else { Some(LONE_STATE) };
        let ((machine, problems), value) = StateMachine::examine_for_test(definition, lone_state);
        let is_error = |problem: &Diagnostic| problem.severity == Severity::Error;
        let Some(machine) = machine.filter(|_| !problems.iter().any(is_error)) else {
            return Err(Untestable::Definition(problems));
        };
        let name = state_name.unwrap_or(LONE_STATE);
        let definition = find(&value, name).filter(|_| machine.states.contains_key(name));
        let definition = definition.ok_or(Untestable::NoSuchState)?.clone();
        let language = definition.get("QueryLanguage").or_else(|| value.get("QueryLanguage"));
        let is_jsonata = language.and_then(Value::as_str) == Some("JSONata");
        Ok(StateTest { machine, name: name.to_owned(), definition, is_jsonata })
    }

    /// The state's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The type of the state.
    pub fn state_type(&self) -> StateType {
        // `parse` has found it.
        self.state().map_or(StateType::Pass, State::state_type)
    }

    /// Whether expressions may have to be evaluated.
    pub fn uses_jsonata(&self) -> bool {
        self.machine.uses_jsonata()
    }

    /// What a Task runs.
    pub fn resource(&self) -> Option<&Resource> {
        self.state()?.task().map(|task| &task.resource)
    }

    /// Why the host cannot run the state's task, where `runs` says so.
    pub fn unsupported(&self, runs: impl Fn(&Resource) -> bool) -> Option<Diagnostic> {
        let task = self.state()?.task().filter(|task| !runs(&task.resource))?;
        let resource = task.resource.as_str();
        let message = format!(
            "The resource {resource} is not supported by this release of Stepwell; it can be tested with a mock"
        );
        Some(Diagnostic::error(DiagnosticCode::NotSupported, message, task.resource_at.as_str()))
    }

    /// How many branches a Parallel state has.
    pub fn branches(&self) -> Option<usize> {
        match self.state()? {
            State::Parallel(parallel) => Some(parallel.starts().len()),
            State::Task(_)
            | State::Pass(_)
            | State::Choice(_)
            | State::Wait(_)
            | State::Succeed(_)
            | State::Fail(_)
            | State::Map(_) => None,
        }
    }

    /// Whether the result of a Map state names the place that its ResultWriter wrote to.
    pub fn writes_results(&self) -> bool {
        self.state().and_then(State::map).is_some_and(|map| map.distributed().writes_results)
    }

    /// Whether the items of a Map state are read by an ItemReader.
    pub fn reads_items(&self) -> bool {
        self.state().and_then(State::map).is_some_and(|map| map.distributed().reader.is_some())
    }

    /// Whether a branch or an iteration of the state has a state of this name.
    pub fn contains(&self, name: &str) -> bool {
        levels(&self.definition).any(|level| find(level, name).is_some())
    }

    fn state(&self) -> Option<&State> {
        self.machine.states.get(&self.name)
    }
}

/// The definition of a state at this level or below. As deep as the definition.
fn find<'d>(level: &'d Value, name: &str) -> Option<&'d Value> {
    let states = level.get("States")?.as_object()?;
    states.get(name).or_else(|| states.values().flat_map(levels).find_map(|level| find(level, name)))
}

/// The levels of states inside a state.
fn levels(state: &Value) -> impl Iterator<Item = &Value> {
    let branches = state.get("Branches").and_then(Value::as_array).into_iter().flatten();
    branches.chain(state.get("ItemProcessor")).chain(state.get("Iterator"))
}

#[cfg(test)]
mod tests;

//! One level of states with its start: a whole machine, a branch of a Parallel state, an item processor
//! (specification, "Top-level fields", "Parallel State", "ItemProcessor").

use super::diagnostic::DiagnosticCode;
use super::fields::{Fields, pointer_step};
use super::findings::Findings;
use super::task_resource;
use super::transitions::check_transitions;
use crate::limits;
use crate::states::State;
use indexmap::IndexMap;
use serde_json::Value;

/// States that lead to each other, and the one that begins.
#[derive(Clone, Debug, Default)]
pub(crate) struct StateGraph {
    pub(crate) start_at: String,
    /// Moved into the machine's own list once the whole definition is read: names are unique within it.
    pub(crate) states: IndexMap<String, State>,
}

impl StateGraph {
    /// Reads `StartAt` and `States`.
    pub(crate) fn parse(fields: &mut Fields<'_>) -> Option<StateGraph> {
        let complete = fields.require(&["States", "StartAt"]);
        let start_at = fields.string("StartAt").map(str::to_owned);
        let at = fields.at("States");
        let value = fields.get("States");
        let states = value.and_then(|states| parse_states(states, &at, fields));
        // A state that is tried alone leads to states that are not there.
        let is_whole = !(fields.findings().is_lone_state() && at == "/States");
        if let Some(states) = value.and_then(Value::as_object).filter(|_| is_whole) {
            check_transitions(start_at.as_deref(), states, &at, fields.findings());
        }
        let graph = StateGraph { start_at: start_at?, states: states? };
        complete.then_some(graph)
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
    let mut parsed = IndexMap::with_capacity(object.len());
    for (name, value) in object {
        let pointer = state_place(at, name);
        check_name(name, at, &pointer, fields.findings());
        task_resource::check_state(value, &pointer, fields.findings());
        if let Some(state) = State::parse(name, value, pointer, fields.findings()) {
            parsed.insert(name.clone(), state);
        }
    }
    (parsed.len() == object.len()).then_some(parsed)
}

/// The place of a state among those at `at`. A name that is too long is cut, which bounds every place.
pub(super) fn state_place(at: &str, name: &str) -> String {
    format!("{at}/{}", pointer_step(beginning(name)))
}

fn beginning(name: &str) -> &str {
    let end = name.char_indices().nth(limits::STATE_NAME_CHARACTERS);
    end.map_or(name, |(end, _)| &name[..end])
}

fn check_name(name: &str, at: &str, pointer: &str, findings: &mut Findings) {
    if name.is_empty() || beginning(name).len() < name.len() {
        let message = format!("State name must have 1 to {} characters", limits::STATE_NAME_CHARACTERS);
        let location = || if name.is_empty() { at.to_owned() } else { pointer.to_owned() };
        findings.error(DiagnosticCode::InvalidStateName, message, location);
    }
    if !findings.name_is_new(name) {
        let message = format!("Duplicate State name: {name}");
        findings.error(DiagnosticCode::DuplicateStateName, message, || pointer.to_owned());
    }
}

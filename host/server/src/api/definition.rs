//! What is wrong with a definition: by the language, and by what this server can run.

use serde_json::{Map, Value, json};
use stepwell_asl::{Diagnostic, Severity, StateMachine};

use super::error::ApiError;
use crate::server::Server;

/// Every problem of a definition, warnings too.
pub(super) fn problems(server: &Server, text: &str, is_express: bool) -> Vec<Diagnostic> {
    let (machine, mut problems) = StateMachine::examine(text, is_express);
    // What the server cannot run is of interest once the language has nothing against it.
    if let Some(machine) =
        machine.filter(|_| problems.iter().all(|problem| problem.severity != Severity::Error))
    {
        problems.extend(server.executor.unsupported(&machine));
        if machine.uses_jsonata() {
            server.trials.expect_evaluations();
        }
    }
    problems
}

/// Errors: `InvalidDefinition` with every problem that is an error.
pub(super) fn check(server: &Server, text: &str, is_express: bool) -> Result<(), ApiError> {
    let problems = problems(server, text, is_express);
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error);
    let errors: Vec<String> = errors.map(ToString::to_string).collect();
    if errors.is_empty() { Ok(()) } else { Err(ApiError::InvalidDefinition(errors.join(", "))) }
}

/// The variables that each state refers to (API: `variableReferences`); none when no state refers to any.
pub(super) fn variable_references(text: &str) -> Option<Value> {
    let machine = StateMachine::parse(text).ok()?;
    let references = machine.variable_references();
    let by_state: Map<String, Value> =
        references.iter().map(|(state, variables)| (state.clone(), json!(variables))).collect();
    (!by_state.is_empty()).then_some(Value::Object(by_state))
}

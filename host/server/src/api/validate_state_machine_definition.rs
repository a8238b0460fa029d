//! ValidateStateMachineDefinition (API reference, section 7): nothing is stored, a bad definition is an answer.

use serde_json::{Value, json};
use stepwell_asl::{Diagnostic, Severity};

use super::create_state_machine::TYPES;
use super::{Answer, Call, definition as definitions};
use crate::limits;
use crate::server::Server;

const SEVERITIES: [&str; 2] = ["ERROR", "WARNING"];

#[allow(clippy::unused_async)] // the table's handlers all have one shape
pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let fields = &mut call.fields;
    let definition = fields.required_text("definition", 1, limits::DEFINITION_CHARACTERS);
    let is_express = fields.choice("type", &TYPES) == Some("EXPRESS");
    let severity = fields.choice("severity", &SEVERITIES).unwrap_or("ERROR");
    let most = fields.integer("maxResults", 0, limits::DIAGNOSTICS).filter(|most| *most > 0);
    fields.check()?;
    let most = usize::try_from(most.unwrap_or(limits::DIAGNOSTICS)).unwrap_or_default();
    let mut problems = definitions::problems(server, &definition, is_express);
    let failed = problems.iter().any(|problem| problem.severity == Severity::Error);
    problems.retain(|problem| severity == "WARNING" || problem.severity == Severity::Error);
    let truncated = problems.len() > most;
    let diagnostics: Vec<Value> = problems.iter().take(most).map(diagnostic).collect();
    let result = if failed { "FAIL" } else { "OK" };
    Ok(json!({"result": result, "diagnostics": diagnostics, "truncated": truncated}))
}

fn diagnostic(problem: &Diagnostic) -> Value {
    let mut answer = json!({
        "severity": problem.severity.as_str(),
        "code": problem.code.as_str(),
        "message": problem.message,
    });
    if let Some(location) = &problem.location {
        answer["location"] = json!(location);
    }
    answer
}

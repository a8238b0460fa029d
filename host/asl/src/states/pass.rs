//! The Pass state (specification, "Pass State").

use super::{Exit, Next, Outcome};
use crate::assign::Assign;
use crate::context_object::ContextObject;
use crate::data_flow::{Paths, ResultFlow};
use crate::definition::{DiagnosticCode, Fields, looks_like_expression};
use crate::states_error::StatesError;
use serde_json::Value;

/// Passes its input, or `Result`, to its output.
#[derive(Clone, Debug)]
pub(crate) struct PassState {
    paths: Paths,
    flow: ResultFlow,
    result: Option<Value>,
    assign: Assign,
    next: Next,
}

impl PassState {
    pub(super) fn parse(fields: &mut Fields<'_>) -> Option<PassState> {
        let paths = Paths::parse(fields);
        let flow = ResultFlow::parse(fields, false);
        let result = fields.get("Result").cloned();
        if result.as_ref().is_some_and(holds_path) {
            let message = "The content of the Result field is static; a path in it is not evaluated";
            fields.warning(DiagnosticCode::PassResultIsStatic, "Result", message);
        }
        let assign = Assign::parse(fields);
        Some(PassState { paths, flow, result, assign, next: Next::parse(fields)? })
    }

    pub(super) fn enter(&self, raw: &Value, context: &ContextObject<'_>) -> Result<Outcome, StatesError> {
        let input = self.flow.parameters(self.paths.input(raw, context)?, context)?;
        let result = self.result.clone().unwrap_or(input);
        let assigned = self.assign.evaluate(&result, context)?;
        let output = self.paths.output(self.flow.merge(raw, result, context)?, context)?;
        Ok(Outcome::Exit(Exit { output, assigned, next: self.next.clone() }))
    }
}

/// Whether the value has what would be a path in a payload template. As deep as the definition.
fn holds_path(result: &Value) -> bool {
    match result {
        Value::Object(fields) => fields.iter().any(|(name, value)| name.ends_with(".$") || holds_path(value)),
        Value::Array(items) => items.iter().any(holds_path),
        Value::String(text) => looks_like_expression(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

//! The Pass state (specification, "Pass State").

use super::completion::Completion;
use super::{Next, Outcome};
use crate::assign::Assign;
use crate::context_object::ContextObject;
use crate::data_flow::{Paths, ResultFlow};
use crate::definition::{DiagnosticCode, Fields, looks_like_expression};
use crate::jsonata::Scope;
use crate::states_error::StatesError;
use serde_json::Value;

/// Passes its input, or `Result`, to its output.
#[derive(Clone, Debug)]
pub(crate) struct PassState {
    result: Option<Value>,
    completion: Completion,
}

impl PassState {
    pub(super) fn parse(fields: &mut Fields<'_>) -> Option<PassState> {
        let paths = Paths::parse(fields, Scope::Input);
        let flow = ResultFlow::parse(fields, false);
        let result = if fields.is_jsonata() { None } else { fields.get("Result").cloned() };
        if result.as_ref().is_some_and(holds_path) {
            let message = "The content of the Result field is static; a path in it is not evaluated";
            fields.warning(DiagnosticCode::PassResultIsStatic, "Result", message);
        }
        let assign = Assign::parse(fields, Scope::Input);
        let completion = Completion { paths, flow, assign, next: Next::parse(fields)?, has_result: false };
        Some(PassState { result, completion })
    }

    pub(super) fn enter(&self, raw: &Value, context: &ContextObject<'_>) -> Result<Outcome, StatesError> {
        let Completion { paths, flow, .. } = &self.completion;
        let input = flow.arguments(paths.input(raw, context)?, context)?;
        let result = self.result.clone().unwrap_or(input);
        self.completion.exit(raw, result, context).map(Outcome::Exit)
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

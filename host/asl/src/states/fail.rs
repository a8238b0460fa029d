//! The Fail state (specification, "Fail State"). It is entered and never left.

use super::Outcome;
use crate::context_object::ContextObject;
use crate::definition::Fields;
use crate::jsonata::{self, States};
use crate::payload_template::{Expression, missing_path};
use crate::states_error::StatesError;
use serde_json::Value;

/// Ends the execution with an error.
#[derive(Clone, Debug)]
pub(crate) struct FailState {
    error: Text,
    cause: Text,
}

/// One of the two texts: absent, given, found by a path, or made by an intrinsic function or an expression.
#[derive(Clone, Debug)]
enum Text {
    Absent,
    Given(String),
    Expression(&'static str, Expression),
    Jsonata(Box<str>, jsonata::Expression),
}

/// The intrinsic functions that ErrorPath and CausePath may call (Developer Guide, "Fail workflow state").
const FUNCTIONS: [&str; 7] = [
    "States.Format",
    "States.JsonToString",
    "States.ArrayGetItem",
    "States.Base64Encode",
    "States.Base64Decode",
    "States.Hash",
    "States.UUID",
];

impl FailState {
    pub(super) fn parse(fields: &mut Fields<'_>) -> Option<FailState> {
        let error = Text::parse(fields, "Error", "ErrorPath");
        let cause = Text::parse(fields, "Cause", "CausePath");
        Some(FailState { error: error?, cause: cause? })
    }

    pub(super) fn enter(&self, raw: &Value, context: &ContextObject<'_>) -> Result<Outcome, StatesError> {
        let error = self.error.evaluate(raw, context)?;
        let cause = self.cause.evaluate(raw, context)?;
        Ok(Outcome::Fail(StatesError::reported(error, cause)))
    }
}

impl Text {
    fn parse(fields: &mut Fields<'_>, name: &'static str, path_name: &'static str) -> Option<Text> {
        if let Some(expression) = fields.dynamic(name) {
            return expression.ok().map(|(place, expression)| Text::Jsonata(place, expression));
        }
        fields.only_one_of(name, path_name);
        let text = fields.string(name);
        if let Some(text) = text {
            fields.warn_no_path(name, text);
        }
        let expression = fields.expression(path_name);
        if let Some(Expression::Intrinsic(call)) = &expression {
            let function = call.as_str().split('(').next().unwrap_or_default().trim();
            if !FUNCTIONS.contains(&function) {
                let functions = FUNCTIONS.join(", ");
                let message = format!("Only these intrinsic functions are allowed: [{functions}]");
                fields.problem(path_name, message);
            }
        }
        match (fields.has(name), fields.has(path_name) && !fields.is_jsonata()) {
            (true, _) => text.map(|text| Text::Given(text.to_owned())),
            (false, true) => expression.map(|expression| Text::Expression(path_name, expression)),
            (false, false) => Some(Text::Absent),
        }
    }

    fn evaluate(&self, raw: &Value, context: &ContextObject<'_>) -> Result<Option<String>, StatesError> {
        let (field, written, value) = match self {
            Text::Absent => return Ok(None),
            Text::Given(text) => return Ok(Some(text.clone())),
            Text::Jsonata(place, expression) => {
                let value = expression.evaluate(place, &States::of_input(raw), context)?;
                let text = value.as_str().ok_or_else(|| expression.unexpected(place, "string", &value))?;
                return Ok(Some(text.to_owned()));
            }
            Text::Expression(field, Expression::Intrinsic(call)) => {
                (field, call.as_str(), call.evaluate(raw, context)?)
            }
            Text::Expression(field, Expression::Path(path)) => match path.select(raw, context) {
                Ok(value) => (field, path.as_str(), value.into_owned()),
                Err(_) => return Err(StatesError::runtime(missing_path(path.as_str(), field, raw))),
            },
        };
        match value {
            Value::String(text) => Ok(Some(text)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                Err(StatesError::runtime(format!(
                    "The JSONPath '{written}' specified for the field '{field}' must refer to a string, but was: {value}"
                )))
            }
        }
    }
}

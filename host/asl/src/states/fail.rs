//! The Fail state (specification, "Fail State"). It is entered and never left.

use super::Outcome;
use crate::context_object::ContextObject;
use crate::definition::Fields;
use crate::payload_template::missing_path;
use crate::query_path::QueryPath;
use crate::states_error::StatesError;
use serde_json::Value;

/// Ends the execution with an error.
#[derive(Clone, Debug)]
pub(crate) struct FailState {
    error: Text,
    cause: Text,
}

/// One of the two texts: absent, given, or found by a path.
#[derive(Clone, Debug)]
enum Text {
    Absent,
    Given(String),
    Path(&'static str, QueryPath),
}

impl FailState {
    pub(super) fn parse(fields: &mut Fields<'_>) -> Option<FailState> {
        let error = Text::parse(fields, "Error", "ErrorPath");
        let cause = Text::parse(fields, "Cause", "CausePath");
        Some(FailState { error: error?, cause: cause? })
    }

    pub(super) fn enter(&self, raw: &Value, context: &ContextObject<'_>) -> Result<Outcome, StatesError> {
        let error = self.error.evaluate(raw, context)?;
        let cause = self.cause.evaluate(raw, context)?;
        Ok(Outcome::Fail(StatesError { error, cause }))
    }
}

impl Text {
    fn parse(fields: &mut Fields<'_>, name: &'static str, path_name: &'static str) -> Option<Text> {
        match (fields.has(name), fields.has(path_name)) {
            (true, true) => {
                fields.problem(path_name, format!("Only one of '{name}' and '{path_name}' may be given"));
                fields.string(name);
                fields.path(path_name);
                None
            }
            (true, false) => fields.string(name).map(|text| Text::Given(text.to_owned())),
            (false, true) => fields.path(path_name).map(|path| Text::Path(path_name, path)),
            (false, false) => Some(Text::Absent),
        }
    }

    fn evaluate(&self, raw: &Value, context: &ContextObject<'_>) -> Result<Option<String>, StatesError> {
        match self {
            Text::Absent => Ok(None),
            Text::Given(text) => Ok(Some(text.clone())),
            Text::Path(field, path) => match path.select(raw, context).as_deref() {
                Ok(Value::String(text)) => Ok(Some(text.clone())),
                Ok(other) => Err(StatesError::runtime(format!(
                    "The JSONPath '{}' specified for the field '{field}' must refer to a string, but was: {other}",
                    path.as_str()
                ))),
                Err(_) => Err(StatesError::runtime(missing_path(path.as_str(), field, raw))),
            },
        }
    }
}

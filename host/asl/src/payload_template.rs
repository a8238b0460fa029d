//! Payload templates: Parameters and ResultSelector (specification, "Payload Template").
//!
//! Keys that end in `.$` hold a path; everything else is literal. Parsed once with the definition.

use crate::context_object::ContextObject;
use crate::query_path::QueryPath;
use crate::states_error::StatesError;
use serde_json::{Map, Value};

/// A parsed payload template.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PayloadTemplate {
    /// No path inside.
    Literal(Value),
    /// An object with at least one path somewhere inside.
    Object(Vec<(String, PayloadTemplate)>),
    /// An array with at least one path somewhere inside.
    Array(Vec<PayloadTemplate>),
    /// The value of a `.$` key; `field` is the key as written, for messages.
    Path {
        /// Key as written, `name.$`.
        field: String,
        /// Where the value comes from.
        path: QueryPath,
    },
}

impl PayloadTemplate {
    /// Replaces every path with what it selects.
    pub(crate) fn evaluate(&self, input: &Value, context: &ContextObject<'_>) -> Result<Value, StatesError> {
        match self {
            PayloadTemplate::Literal(value) => Ok(value.clone()),
            PayloadTemplate::Array(items) => items
                .iter()
                .map(|item| item.evaluate(input, context))
                .collect::<Result<Vec<_>, _>>()
                .map(Value::Array),
            PayloadTemplate::Object(fields) => {
                let mut object = Map::new();
                for (name, template) in fields {
                    object.insert(name.clone(), template.evaluate(input, context)?);
                }
                Ok(Value::Object(object))
            }
            PayloadTemplate::Path { field, path } => match path.select(input, context) {
                Ok(value) => Ok(value.into_owned()),
                // A path that may select many values selects none of a missing one (recorded).
                Err(_) if !path.is_definite() => Ok(Value::Array(Vec::new())),
                Err(_) => Err(StatesError::runtime(missing_path(path.as_str(), field, input))),
            },
        }
    }
}

/// The message for a path of a payload field or of a `...Path` field that selects nothing (recorded).
pub(crate) fn missing_path(path: &str, field: &str, input: &Value) -> String {
    format!(
        "The JSONPath '{path}' specified for the field '{field}' could not be found in the input '{input}'"
    )
}

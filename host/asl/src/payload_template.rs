//! Payload templates: Parameters, ResultSelector, ItemSelector, Assign (specification, "Payload Template").
//!
//! Keys that end in `.$` hold a path or an intrinsic function; everything else is literal. Parsed once with the definition.

use crate::context_object::ContextObject;
use crate::intrinsic::IntrinsicCall;
use crate::json_size::is_deeper;
use crate::limits;
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
    /// The value of a `.$` key.
    Expression {
        /// Key as written, `name.$`, for messages.
        field: String,
        /// Where the value comes from.
        expression: Expression,
    },
}

/// What the value of a `.$` key may be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expression {
    /// A path into the input, the context object or a variable.
    Path(QueryPath),
    /// A call of an intrinsic function.
    Intrinsic(IntrinsicCall),
}

impl Expression {
    /// Parses a path or a call; `None` when the text is neither.
    pub(crate) fn parse(text: &str) -> Option<Expression> {
        if text.starts_with('$') {
            return QueryPath::parse(text).ok().map(Expression::Path);
        }
        IntrinsicCall::parse(text).ok().map(Expression::Intrinsic)
    }

    /// Every path in it.
    pub(crate) fn paths(&self) -> Vec<&QueryPath> {
        match self {
            Expression::Path(path) => vec![path],
            Expression::Intrinsic(call) => call.paths().collect(),
        }
    }

    /// Its value; `field` is the key that holds it.
    fn evaluate(
        &self,
        field: &str,
        input: &Value,
        context: &ContextObject<'_>,
    ) -> Result<Value, StatesError> {
        let path = match self {
            Expression::Path(path) => path,
            Expression::Intrinsic(call) => return call.evaluate(input, context),
        };
        match path.select(input, context) {
            Ok(value) => Ok(value.into_owned()),
            // A path that may select many values selects none of a missing one (recorded).
            Err(_) if !path.is_definite() => Ok(Value::Array(Vec::new())),
            Err(_) => Err(StatesError::runtime(missing_path(path.as_str(), field, input))),
        }
    }
}

impl PayloadTemplate {
    /// Replaces every path and call with its value. What it makes is bounded in size and in depth: nothing else lets
    /// data grow from state to state.
    pub(crate) fn evaluate(&self, input: &Value, context: &ContextObject<'_>) -> Result<Value, StatesError> {
        if let PayloadTemplate::Literal(value) = self {
            return Ok(value.clone());
        }
        let value = self.fill(input, context)?;
        if is_deeper(&value, limits::OUTPUT_DEPTH) {
            let most = limits::OUTPUT_DEPTH;
            let cause = format!("A payload template made a value that is nested more than {most} deep.");
            return Err(StatesError::runtime(cause));
        }
        Ok(value)
    }

    fn fill(&self, input: &Value, context: &ContextObject<'_>) -> Result<Value, StatesError> {
        match self {
            PayloadTemplate::Literal(value) => Ok(value.clone()),
            PayloadTemplate::Array(items) => items
                .iter()
                .map(|item| item.fill(input, context))
                .collect::<Result<Vec<_>, _>>()
                .map(Value::Array),
            PayloadTemplate::Object(fields) => {
                let mut object = Map::new();
                for (name, template) in fields {
                    object.insert(name.clone(), template.fill(input, context)?);
                }
                Ok(Value::Object(object))
            }
            PayloadTemplate::Expression { field, expression } => {
                let value = expression.evaluate(field, input, context)?;
                context.count_copied(&value)?;
                Ok(value)
            }
        }
    }
}

/// The message for a path of a payload field or of a `...Path` field that selects nothing (recorded).
pub(crate) fn missing_path(path: &str, field: &str, input: &Value) -> String {
    format!(
        "The JSONPath '{path}' specified for the field '{field}' could not be found in the input '{input}'"
    )
}

//! A field that holds JSON with expressions in it: Arguments, Output, Assign, Items, ItemSelector (specification,
//! "JSONata template"). Parsed once with the definition.

use super::expression::Expression;
use super::query::States;
use crate::context_object::ContextObject;
use crate::states_error::StatesError;
use serde_json::{Map, Value};

/// A value in which every text in `{% %}` stands for the value of the expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Template {
    /// No expression inside.
    Literal(Value),
    /// An object with at least one expression somewhere inside.
    Object(Vec<(String, Template)>),
    /// An array with at least one expression somewhere inside.
    Array(Vec<Template>),
    /// An expression, with its place in the state: `Output/total`.
    Expression(Box<str>, Expression),
}

impl Template {
    /// An object of parts.
    pub(super) fn object(parts: Vec<(String, Template)>) -> Template {
        if parts.iter().any(|(_, part)| !part.is_literal()) {
            return Template::Object(parts);
        }
        let literals = parts.into_iter().filter_map(|(name, part)| Some((name, part.into_literal()?)));
        Template::Literal(Value::Object(literals.collect()))
    }

    /// An array of parts.
    pub(super) fn array(parts: Vec<Template>) -> Template {
        if parts.iter().any(|part| !part.is_literal()) {
            return Template::Array(parts);
        }
        Template::Literal(Value::Array(parts.into_iter().filter_map(Template::into_literal).collect()))
    }

    /// The value with every expression replaced by its own.
    pub(crate) fn evaluate(
        &self,
        states: &States<'_>,
        context: &ContextObject<'_>,
    ) -> Result<Value, StatesError> {
        match self {
            Template::Literal(value) => Ok(value.clone()),
            Template::Expression(place, expression) => expression.evaluate(place, states, context),
            Template::Array(items) => {
                let values = items.iter().map(|item| item.evaluate(states, context));
                values.collect::<Result<Vec<_>, _>>().map(Value::Array)
            }
            Template::Object(parts) => {
                let mut object = Map::new();
                for (name, part) in parts {
                    object.insert(name.clone(), part.evaluate(states, context)?);
                }
                Ok(Value::Object(object))
            }
        }
    }

    fn is_literal(&self) -> bool {
        matches!(self, Template::Literal(_))
    }

    fn into_literal(self) -> Option<Value> {
        match self {
            Template::Literal(value) => Some(value),
            Template::Object(_) | Template::Array(_) | Template::Expression(..) => None,
        }
    }
}

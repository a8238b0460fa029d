//! Numbers of Map states that are given, found by a path, or the value of an expression: MaxConcurrency,
//! ToleratedFailureCount, MaxItems and the like (specification, "Map State").
//!
//! It must never round: a text that holds a number counts as it, as recorded.

use crate::context_object::ContextObject;
use crate::data_flow::select;
use crate::definition::Fields;
use crate::jsonata::{Expression, States};
use crate::query_path::QueryPath;
use crate::states_error::StatesError;
use serde_json::Value;
use std::ops::RangeInclusive;

/// A number: given, or found by a path.
#[derive(Clone, Debug)]
pub(super) enum Amount {
    Given(f64),
    Path(&'static str, QueryPath),
    Jsonata(Box<str>, Expression),
}

impl Amount {
    /// A number of things, within `range`.
    #[allow(clippy::cast_precision_loss)] // more than 2^53 of anything is more than there are
    pub(super) fn count(
        fields: &mut Fields<'_>,
        name: &'static str,
        path_name: &'static str,
        range: RangeInclusive<u64>,
    ) -> Option<Amount> {
        if let Some(expression) = fields.dynamic(name) {
            return expression.ok().map(|(place, expression)| Amount::Jsonata(place, expression));
        }
        let given = fields.integer(name, *range.start(), *range.end()).map(|given| given as f64);
        Amount::parse(fields, given, name, path_name)
    }

    /// A number from 0 to 100.
    pub(super) fn percentage(
        fields: &mut Fields<'_>,
        name: &'static str,
        path_name: &'static str,
    ) -> Option<Amount> {
        if let Some(expression) = fields.dynamic(name) {
            return expression.ok().map(|(place, expression)| Amount::Jsonata(place, expression));
        }
        let given = fields.number(name, 0.0);
        if given.is_some_and(|given| given > 100.0) {
            fields.problem(name, format!("{name} must be between 0 and 100."));
        }
        Amount::parse(fields, given, name, path_name)
    }

    fn parse(
        fields: &mut Fields<'_>,
        given: Option<f64>,
        name: &'static str,
        path_name: &'static str,
    ) -> Option<Amount> {
        let path = fields.path(path_name);
        fields.only_one_of(name, path_name);
        given.map(Amount::Given).or(path.map(|path| Amount::Path(path_name, path)))
    }

    /// The number; a text that holds one counts as it (recorded).
    pub(super) fn resolve(
        amount: Option<&Amount>,
        name: &str,
        maximum: Option<f64>,
        input: &Value,
        context: &ContextObject<'_>,
    ) -> Result<Option<f64>, StatesError> {
        let (field, path) = match amount {
            None => return Ok(None),
            Some(Amount::Given(given)) => return Ok(Some(*given)),
            Some(Amount::Path(field, path)) => (field, path),
            Some(Amount::Jsonata(place, expression)) => {
                let value = expression.evaluate(place, &States::of_input(input), context)?;
                let number = value.as_f64().ok_or_else(|| expression.unexpected(place, "number", &value))?;
                return in_range(number, name, maximum)
                    .map_err(|cause| StatesError::query_evaluation(cause, place));
            }
        };
        let value = select(path, input, context)?;
        let number = match value.as_ref() {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        let Some(number) = number.filter(|number| number.is_finite()) else {
            let path = path.as_str();
            return Err(StatesError::runtime(format!(
                "The {field} parameter is not a number: {path} == {value}"
            )));
        };
        in_range(number, name, maximum).map_err(StatesError::runtime)
    }
}

/// The number, unless it is negative or larger than `maximum`.
fn in_range(number: f64, name: &str, maximum: Option<f64>) -> Result<Option<f64>, String> {
    match maximum {
        Some(maximum) if !(0.0..=maximum).contains(&number) => {
            Err(format!("{name} must be between 0 and {maximum}."))
        }
        None if number < 0.0 => Err(format!("{name} must not be negative.")),
        Some(_) | None => Ok(Some(number)),
    }
}

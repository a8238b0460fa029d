//! The functions that may end a path: `length() size() keys() first() last() index(n) min() max() avg()
//! sum() stddev() concat(...) append(...)`, with Jayway's results, oddities included, because workflows that
//! run on AWS rely on them. Must never change the document.

use std::borrow::Cow;

use serde_json::{Number, Value};

use super::error::{PathError, PathErrorKind};
use super::java_text;

/// A function of Jayway's dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Average,
    StandardDeviation,
    Sum,
    Minimum,
    Maximum,
    Concatenate,
    Length,
    Append,
    Keys,
    First,
    Last,
    Index,
}

impl Function {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "avg" => Self::Average,
            "stddev" => Self::StandardDeviation,
            "sum" => Self::Sum,
            "min" => Self::Minimum,
            "max" => Self::Maximum,
            "concat" => Self::Concatenate,
            "length" | "size" => Self::Length,
            "append" => Self::Append,
            "keys" => Self::Keys,
            "first" => Self::First,
            "last" => Self::Last,
            "index" => Self::Index,
            _ => return None,
        })
    }

    /// Tells whether the result holds copies of the node and of the parameters.
    pub(super) fn copies(self) -> bool {
        matches!(self, Self::Append | Self::Concatenate)
    }

    /// Applies the function to `node` and the values of its parameters.
    ///
    /// # Errors
    /// `Failed`, when there is nothing to aggregate; `OutOfBounds`, when there is no element at the index.
    pub(super) fn apply<'d>(
        self,
        node: &'d Value,
        given: &[Cow<'_, Value>],
    ) -> Result<Cow<'d, Value>, PathError> {
        match self {
            Self::Average | Self::StandardDeviation | Self::Sum | Self::Minimum | Self::Maximum => {
                self.aggregate(&numbers(node, given)).map(Cow::Owned)
            }
            Self::Concatenate => Ok(Cow::Owned(Value::String(concatenate(node, given)))),
            Self::Length => Ok(Cow::Owned(length(node))),
            Self::Append => Ok(append(node, given)),
            Self::Keys => Ok(Cow::Owned(node.as_object().map_or(Value::Null, |entries| {
                entries.keys().map(|key| Value::String(key.clone())).collect()
            }))),
            Self::First => element(node, || Ok(0)),
            Self::Last => element(node, || Ok(-1)),
            Self::Index => element(node, || {
                let numbers = numbers(&Value::Null, given);
                #[allow(clippy::cast_possible_truncation)] // Java's cast: it cuts and saturates as `as` does.
                numbers.first().map(|number| i64::from(*number as i32)).ok_or_else(|| out_of_bounds(0, 0))
            }),
        }
    }

    fn aggregate(self, numbers: &[f64]) -> Result<Value, PathError> {
        if numbers.is_empty() {
            return Err(nothing_to_aggregate());
        }
        let sum = || numbers.iter().sum::<f64>();
        #[allow(clippy::cast_precision_loss)] // A document holds far fewer than 2^52 numbers.
        let count = numbers.len() as f64;
        let result = match self {
            Self::Average => sum() / count,
            Self::StandardDeviation => {
                let squares = numbers.iter().fold(0.0, |total, number| total + number * number);
                (squares / count - sum() * sum() / count / count).sqrt()
            }
            Self::Minimum => numbers.iter().copied().fold(f64::MAX, f64::min),
            // Jayway starts from Java's `Double.MIN_VALUE`, the smallest number above zero.
            Self::Maximum => numbers.iter().copied().fold(f64::from_bits(1), f64::max),
            Self::Sum
            | Self::Concatenate
            | Self::Length
            | Self::Append
            | Self::Keys
            | Self::First
            | Self::Last
            | Self::Index => sum(),
        };
        Ok(Number::from_f64(result).map_or(Value::Null, Value::Number))
    }
}

fn nothing_to_aggregate() -> PathError {
    failed("Aggregation function attempted to calculate value using empty array")
}

fn out_of_bounds(index: i64, length: usize) -> PathError {
    PathError::new(PathErrorKind::OutOfBounds, format!("Index {index} out of bounds for length {length}"))
}

fn failed(message: impl Into<String>) -> PathError {
    PathError::new(PathErrorKind::Failed, message)
}

/// Collects the numbers of the array `node`, then those among the parameters and their elements.
fn numbers(node: &Value, given: &[Cow<'_, Value>]) -> Vec<f64> {
    let own = node.as_array().into_iter().flatten();
    let others = given.iter().flat_map(|value| match value.as_array() {
        Some(items) => items.iter(),
        None => std::slice::from_ref(value.as_ref()).iter(),
    });
    own.chain(others).filter_map(Value::as_f64).collect()
}

fn concatenate(node: &Value, given: &[Cow<'_, Value>]) -> String {
    let own = node.as_array().into_iter().flatten();
    let mut text: String = own.filter_map(Value::as_str).collect();
    for value in given {
        let items = value.as_array().map_or_else(|| std::slice::from_ref(value.as_ref()), Vec::as_slice);
        for item in items.iter().filter(|item| !item.is_null()) {
            text.push_str(&java_text::to_string(item));
        }
    }
    text
}

/// Counts elements or entries; `null` for anything else, strings included.
pub(super) fn length(node: &Value) -> Value {
    let items = node.as_array().map(Vec::len);
    items.or_else(|| node.as_object().map(serde_json::Map::len)).map_or(Value::Null, Value::from)
}

fn append<'d>(node: &'d Value, given: &[Cow<'_, Value>]) -> Cow<'d, Value> {
    match node.as_array() {
        Some(items) => {
            let added = given.iter().map(|value| value.clone().into_owned());
            Cow::Owned(items.iter().cloned().chain(added).collect())
        }
        None => Cow::Borrowed(node),
    }
}

/// Returns the element of the array `node` at the index that `target` gives, from the end if negative.
fn element(
    node: &Value,
    target: impl FnOnce() -> Result<i64, PathError>,
) -> Result<Cow<'_, Value>, PathError> {
    let items = node.as_array().ok_or_else(nothing_to_aggregate)?;
    let target = target()?;
    if target >= 0 {
        let found = usize::try_from(target).ok().and_then(|index| items.get(index));
        return found.map(Cow::Borrowed).ok_or_else(|| out_of_bounds(target, items.len()));
    }
    // As in Jayway, counting from the end never reaches the first element.
    let back = usize::try_from(target.unsigned_abs()).unwrap_or(usize::MAX);
    let found = items.len().checked_sub(back).filter(|index| *index > 0).and_then(|index| items.get(index));
    found
        .map(Cow::Borrowed)
        .ok_or_else(|| failed(format!("Target index:{target} larger than object count:{}", items.len())))
}

//! The evaluated arguments of a call, read as the kinds of value that a function needs, and the failures when
//! they are of another kind. Must never convert a value silently, but for the rounding that AWS documents.

use super::function::Function;
use crate::states_error::StatesError;
use serde_json::{Map, Value};

/// The error name of every refusal of a function (specification, "Errors").
const INTRINSIC_FAILURE: &str = "States.IntrinsicFailure";

/// Arguments by place, counted from 0; the parser has checked their number.
pub(super) struct Arguments {
    function: Function,
    values: Vec<Value>,
}

impl Function {
    /// `States.IntrinsicFailure` with a cause that names this function.
    pub(super) fn failure(self, what: &str) -> StatesError {
        StatesError::new(INTRINSIC_FAILURE, format!("Invalid arguments in {}: {what}", self.name()))
    }
}

impl Arguments {
    pub(super) fn new(function: Function, values: Vec<Value>) -> Arguments {
        Arguments { function, values }
    }

    pub(super) fn function(&self) -> Function {
        self.function
    }

    /// All of them.
    pub(super) fn into_values(self) -> Vec<Value> {
        self.values
    }

    /// Those from `at` on.
    pub(super) fn from(&self, at: usize) -> &[Value] {
        self.values.get(at..).unwrap_or_default()
    }

    /// The argument at this place; null where there is none, which every reader of a kind refuses.
    pub(super) fn value(&self, at: usize) -> &Value {
        self.values.get(at).unwrap_or(&Value::Null)
    }

    /// Moves an array out.
    pub(super) fn take_array(&mut self, at: usize) -> Result<Vec<Value>, StatesError> {
        match self.values.get_mut(at) {
            Some(Value::Array(items)) => Ok(std::mem::take(items)),
            _ => Err(self.mismatch(at, "an array")),
        }
    }

    /// Moves an object out.
    pub(super) fn take_object(&mut self, at: usize) -> Result<Map<String, Value>, StatesError> {
        match self.values.get_mut(at) {
            Some(Value::Object(fields)) => Ok(std::mem::take(fields)),
            _ => Err(self.mismatch(at, "an object")),
        }
    }

    /// A string.
    pub(super) fn text(&self, at: usize) -> Result<&str, StatesError> {
        self.value(at).as_str().ok_or_else(|| self.mismatch(at, "a string"))
    }

    /// A number as an integer: others are rounded half up, -1.5 to -1 (recorded for MathAdd).
    pub(super) fn integer(&self, at: usize) -> Result<i64, StatesError> {
        let value = self.value(at);
        let integer = match value.as_i64() {
            Some(integer) => Some(integer),
            None if value.is_f64() => value.as_f64().and_then(rounded_half_up),
            None => None,
        };
        integer.ok_or_else(|| self.mismatch(at, "an integer"))
    }

    /// The failure that the argument at `at` is not `expected`.
    pub(super) fn mismatch(&self, at: usize, expected: &str) -> StatesError {
        let (place, given) = (at + 1, shortened(self.value(at)));
        self.function.failure(&format!("argument {place} must be {expected}, but was: {given}"))
    }
}

/// Rounds half up; `None` when the result is no 64-bit integer.
#[allow(clippy::cast_possible_truncation, reason = "the range is checked before the cast")]
fn rounded_half_up(number: f64) -> Option<i64> {
    // 2^63: the bounds of i64 as floats, which hold them exactly.
    const BOUND: f64 = 9_223_372_036_854_775_808.0;
    let floor = number.floor();
    let rounded = if number - floor >= 0.5 { floor + 1.0 } else { floor };
    (-BOUND..BOUND).contains(&rounded).then_some(rounded as i64)
}

/// A value inside a message: whole when it is short.
fn shortened(value: &Value) -> String {
    const SHOWN_CHARACTERS: usize = 200;
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

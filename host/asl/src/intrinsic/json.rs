//! Intrinsics for JSON (Step Functions Developer Guide, "Intrinsics for JSON data manipulation").
//!
//! Must never reorder the names of an object.

use super::arguments::Arguments;
use crate::states_error::StatesError;
use serde_json::Value;
use std::borrow::Cow;

/// `States.StringToJson(text)`: the value that the text is the JSON of; null for a blank text (recorded).
pub(super) fn from_string(arguments: &Arguments) -> Result<Value, StatesError> {
    let text = arguments.text(0)?;
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(&without_negative_zero(text))
        .map_err(|error| arguments.mismatch(0, &format!("a JSON text ({error})")))
}

/// `States.JsonToString(value)`: compact JSON.
pub(super) fn to_string(arguments: &Arguments) -> Value {
    Value::String(arguments.value(0).to_string())
}

/// `States.JsonMerge(first, second, false)`: the fields of both, those of the second winning. Objects inside are
/// not merged: only the shallow mode exists, and its name is `false`.
pub(super) fn merge(mut arguments: Arguments) -> Result<Value, StatesError> {
    if *arguments.value(2) != Value::Bool(false) {
        return Err(arguments.mismatch(2, "false, because only shallow merging is supported"));
    }
    let mut merged = arguments.take_object(0)?;
    merged.extend(arguments.take_object(1)?);
    Ok(Value::Object(merged))
}

/// Writes the integer `-0` of a JSON text as `0`, which it is to Step Functions (recorded); the JSON parser would
/// make a float of it. Leaves `-0.5`, `-0e1` and the inside of strings alone.
pub(super) fn without_negative_zero(text: &str) -> Cow<'_, str> {
    if !text.contains("-0") {
        return Cow::Borrowed(text);
    }
    let mut changed = String::with_capacity(text.len());
    let mut in_string = false;
    let mut escaped = false;
    // The exponent of a number has a sign too: `1e-0`.
    let mut previous = ' ';
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        if in_string {
            in_string = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else if character == '"' {
            in_string = true;
        } else if character == '-' && !matches!(previous, 'e' | 'E') {
            let mut after = characters.as_str().chars();
            let integer = !matches!(after.nth(1), Some('.' | 'e' | 'E' | '0'..='9'));
            if text.get(at..at + 2) == Some("-0") && integer {
                continue;
            }
        }
        previous = character;
        changed.push(character);
    }
    Cow::Owned(changed)
}

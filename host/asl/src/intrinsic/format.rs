//! `States.Format(template, value, ...)` (Step Functions Developer Guide, "Intrinsic for generic operation" and
//! "Reserved characters in intrinsic functions").
//!
//! Values appear as Java prints them, because Step Functions does so: an object as `{a=1, b=[]}` (recorded).
//! Must never be used where JSON is meant.

use super::arguments::Arguments;
use crate::limits;
use crate::states_error::StatesError;
use serde_json::{Number, Value};

/// Replaces each `{}` of the template by the next value. `\{`, `\}`, `\'` and `\\` stand for the character; a
/// literal template comes as it was written for this reason. A brace that stands alone is an error.
pub(super) fn format(arguments: &Arguments) -> Result<Value, StatesError> {
    let template = arguments.text(0)?;
    let mut values = arguments.from(1).iter();
    let mut text = String::new();
    let mut places = 0_usize;
    let mut characters = template.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.peek() {
                Some('\'' | '{' | '}' | '\\') => text.extend(characters.next()),
                // Only a template out of the data gets here: the parser refuses other escapes in literals.
                Some(_) | None => text.push('\\'),
            },
            '{' if characters.next_if_eq(&'}').is_some() => {
                places += 1;
                if let Some(value) = values.next() {
                    write_value(value, &mut text);
                }
                if text.len() > limits::INTRINSIC_BYTES {
                    return Err(arguments.function().failure("the text would be too large"));
                }
            }
            '{' => return Err(invalid_template(arguments, '}', '{')),
            '}' => return Err(invalid_template(arguments, '{', '}')),
            other => text.push(other),
        }
    }
    let given = arguments.from(1).len();
    if given != places {
        let what = format!("the template has {places} occurrences of {{}}, but {given} values are given");
        return Err(arguments.function().failure(&what));
    }
    Ok(Value::String(text))
}

/// The text of this failure is AWS's own.
fn invalid_template(arguments: &Arguments, missing: char, found: char) -> StatesError {
    let name = arguments.function().name();
    let cause = format!("Invalid template in {name}: matching '{missing}' not found for '{found}'.");
    StatesError { cause: Some(cause), ..arguments.function().failure("") }
}

/// Writes a value as Java prints strings, numbers, lists and maps. The evaluation has checked how deeply its
/// values are nested.
fn write_value(value: &Value, text: &mut String) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(flag) => text.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => text.push_str(&number_text(number)),
        Value::String(string) => text.push_str(string),
        Value::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                text.push_str(if at == 0 { "" } else { ", " });
                write_value(item, text);
            }
            text.push(']');
        }
        Value::Object(fields) => {
            text.push('{');
            for (at, (name, field)) in fields.iter().enumerate() {
                text.push_str(if at == 0 { "" } else { ", " });
                text.push_str(name);
                text.push('=');
                write_value(field, text);
            }
            text.push('}');
        }
    }
}

/// Integers as they are; floats as `Double.toString` has them: plain between 10^-3 and 10^7, else `1.0E10`.
fn number_text(number: &Number) -> String {
    let Some(float) = number.as_f64().filter(|_| number.is_f64()) else {
        return number.to_string();
    };
    let size = float.abs();
    if size == 0.0 || (1e-3..1e7).contains(&size) {
        return format!("{float:?}");
    }
    let text = format!("{float:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let fraction = if mantissa.contains('.') { "" } else { ".0" };
    format!("{mantissa}{fraction}E{exponent}")
}

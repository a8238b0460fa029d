//! Values as Java prints them: Jayway puts class names and `toString` texts into its messages and into
//! `concat`. Must never be used for output that is meant to be JSON.

use serde_json::Value;

use super::decimal::number_text;
use super::limits::MAX_QUOTED_CHARS;

/// Deepest object that is written in Java's notation; documents are not deeper (`serde_json` stops at 128).
const MAX_DEPTH: usize = 128;

/// Returns the class that Jayway's JSON library gives a value.
pub(super) fn class_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "java.lang.Boolean",
        Value::String(_) => "java.lang.String",
        Value::Array(_) => "net.minidev.json.JSONArray",
        Value::Object(_) => "java.util.LinkedHashMap",
        Value::Number(number) => match number.as_i64() {
            Some(small) if i32::try_from(small).is_ok() => "java.lang.Integer",
            Some(_) => "java.lang.Long",
            None if number.is_u64() => "java.math.BigInteger",
            None => "java.lang.Double",
        },
    }
}

/// Writes a value for an error message, cut at a bound.
pub(super) fn quoted(value: &Value) -> String {
    let text = to_string(value);
    match text.char_indices().nth(MAX_QUOTED_CHARS) {
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned(),
        None => text,
    }
}

/// Writes a value: strings as they are, objects as `{a=1, b=2}`, arrays as JSON.
pub(super) fn to_string(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text, 0);
    text
}

fn write(value: &Value, text: &mut String, depth: usize) {
    match value {
        Value::String(string) => text.push_str(string),
        Value::Object(entries) if depth < MAX_DEPTH => {
            text.push('{');
            for (at, (key, entry)) in entries.iter().enumerate() {
                text.push_str(if at == 0 { "" } else { ", " });
                text.push_str(key);
                text.push('=');
                write(entry, text, depth + 1);
            }
            text.push('}');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            write_json(value, text, depth);
        }
    }
}

/// Writes JSON, but numbers as Java does.
fn write_json(value: &Value, text: &mut String, depth: usize) {
    match value {
        Value::Number(number) => text.push_str(&number_text(number)),
        Value::Array(items) if depth < MAX_DEPTH => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                text.push_str(if at == 0 { "" } else { "," });
                write_json(item, text, depth + 1);
            }
            text.push(']');
        }
        Value::Object(entries) if depth < MAX_DEPTH => {
            text.push('{');
            for (at, (key, entry)) in entries.iter().enumerate() {
                text.push_str(if at == 0 { "" } else { "," });
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                write_json(entry, text, depth + 1);
            }
            text.push('}');
        }
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            text.push_str(&value.to_string());
        }
    }
}

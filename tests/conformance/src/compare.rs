//! Compares a recording with what happened: exact, after binding `<placeholders>`.
//!
//! `<*:x>` matches anything; `<name:1>` matches anything, but the same each time within one case.

use regex_lite::Regex;
use serde_json::Value;
use std::collections::BTreeMap;

/// What placeholders stand for in one case.
pub type Bindings = BTreeMap<String, String>;

/// `Err` with the path and reason of the first difference.
pub fn compare(expected: &Value, actual: &Value, bindings: &mut Bindings, path: &str) -> Result<(), String> {
    match expected {
        Value::String(text) if text.starts_with("<*:") => Ok(()),
        Value::Object(fields) => {
            let parsed = parsed(actual);
            let Some(actual) = parsed.as_object() else {
                return Err(format!("{path}: want an object, got {actual}"));
            };
            for name in fields.keys().chain(actual.keys()).filter(|name| *name != "timestamp") {
                match (fields.get(name), actual.get(name)) {
                    (Some(expected), Some(actual)) => {
                        compare(expected, actual, bindings, &format!("{path}.{name}"))?;
                    }
                    (Some(_), None) => return Err(format!("{path}.{name}: missing")),
                    (None, _) => return Err(format!("{path}.{name}: extra")),
                }
            }
            Ok(())
        }
        Value::Array(items) => {
            let parsed = parsed(actual);
            let Some(actual) = parsed.as_array() else {
                return Err(format!("{path}: want an array, got {actual}"));
            };
            if items.len() != actual.len() {
                return Err(format!("{path}: want {} items, got {}", items.len(), actual.len()));
            }
            items.iter().zip(actual).enumerate().try_for_each(|(index, (expected, actual))| {
                compare(expected, actual, bindings, &format!("{path}[{index}]"))
            })
        }
        Value::String(expected) => match actual.as_str() {
            Some(actual) => compare_texts(expected, actual, bindings, path),
            None => Err(format!("{path}: want {expected:?}, got {actual}")),
        },
        Value::Number(number) if number.as_f64() == parsed(actual).as_f64() => Ok(()),
        Value::Null | Value::Bool(_) | Value::Number(_) if expected == actual => Ok(()),
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            Err(format!("{path}: want {expected}, got {actual}"))
        }
    }
}

/// Recordings hold parsed values, mostly objects, where the API has JSON text.
fn parsed(actual: &Value) -> Value {
    actual.as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_else(|| actual.clone())
}

fn compare_texts(expected: &str, actual: &str, bindings: &mut Bindings, path: &str) -> Result<(), String> {
    if expected == actual || bind(expected, actual, bindings) {
        return Ok(());
    }
    let json = |text: &str| serde_json::from_str::<Value>(text).ok();
    match (json(expected), json(actual)) {
        (Some(left), Some(right)) if left == right => Ok(()),
        _ => Err(format!("{path}: want {expected:?}, got {actual:?}")),
    }
}

fn bind(expected: &str, actual: &str, bindings: &mut Bindings) -> bool {
    let token = Regex::new(r"<[^<>]{1,60}>").unwrap_or_else(|error| panic!("{error}"));
    let tokens: Vec<&str> = token.find_iter(expected).map(|found| found.as_str()).collect();
    if tokens.is_empty() {
        return false;
    }
    let mut pattern = String::from("(?s)^");
    let mut rest = expected;
    for name in &tokens {
        let (before, after) = rest.split_once(name).unwrap_or((rest, ""));
        pattern += &regex_lite::escape(before);
        match bindings.get(*name) {
            Some(bound) => pattern.extend(["(", &regex_lite::escape(bound), ")"]),
            None => pattern += "(.+?)",
        }
        rest = after;
    }
    pattern += &regex_lite::escape(rest);
    pattern.push('$');
    let Some(found) = Regex::new(&pattern).ok().and_then(|pattern| pattern.captures(actual)) else {
        return false;
    };
    for (index, name) in tokens.iter().enumerate() {
        if let Some(value) = found.get(index + 1) {
            bindings.entry((*name).to_owned()).or_insert_with(|| value.as_str().to_owned());
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn placeholders_bind_once() {
        let mut bindings = Bindings::new();
        let expected = json!({"a": "<id:1>-x", "b": ["<id:1>", "<*:any>"], "timestamp": 1});
        assert_eq!(
            compare(&expected, &json!({"a": "7-x", "b": ["7", 9], "timestamp": 2}), &mut bindings, ""),
            Ok(())
        );
        let mut bindings = Bindings::new();
        assert!(compare(&expected, &json!({"a": "7-x", "b": ["8", 9]}), &mut bindings, "").is_err());
        assert!(compare(&json!({"a": 1}), &json!({"a": 1, "b": 2}), &mut bindings, "").is_err());
        assert_eq!(
            compare(&json!({"a": {"b": 1.0}}), &json!({"a": "{\"b\": 1}"}), &mut bindings, ""),
            Ok(())
        );
    }
}

//! Reads the members of a request's JSON object. What is wrong is named.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::RestError;
use crate::modules::LATEST;

/// The body as an object; an empty one is `{}`. Errors: `Invalid`.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, RestError> {
    let body = if body.is_empty() { b"{}" } else { body };
    // A list of values in the order of the members would be read as well.
    if body.trim_ascii_start().starts_with(b"[") {
        return Err(RestError::Invalid("the request's JSON is not an object".to_owned()));
    }
    serde_json::from_slice(body).map_err(|error| RestError::Invalid(format!("the request's JSON: {error}")))
}

/// A version as requests name it: `"3"`, `3` or `"$LATEST"`, which is none. Errors: `Invalid`.
pub(super) fn version(field: &str, value: &Value) -> Result<Option<u64>, RestError> {
    let number = match value {
        Value::String(text) if text == LATEST => return Ok(None),
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.as_u64(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let wrong = || RestError::Invalid(format!("{field}: give the number of a version, or $LATEST"));
    number.filter(|number| *number > 0).map(Some).ok_or_else(wrong)
}

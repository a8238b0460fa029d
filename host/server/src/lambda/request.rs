//! One request of the Lambda API, decoded (API reference, section 10): members come from the path, the query, headers
//! and the body, and are read through one set of constraints, by the names that Lambda's messages have for them.
//!
//! It must never know an operation.

use axum::http::HeaderMap;
use serde_json::{Map, Value, json};

use super::error::LambdaError;
use crate::api::constraints::Fields;
use crate::api::error::ApiError;

/// Members that hold names of the client's own, not members of the model.
const MAPS: [&str; 3] = ["Variables", "Tags", "AdditionalVersionWeights"];
/// Members that come in headers.
const HEADERS: [(&str, &str); 2] =
    [("x-amz-invocation-type", "invocationType"), ("x-amz-log-type", "logType")];
/// Members that hold further members, at most this deep.
const DEPTH: usize = 4;

/// One request.
pub(crate) struct Call {
    /// Its members, with a small first letter as in Lambda's messages.
    pub(crate) fields: Fields,
    pub(crate) headers: HeaderMap,
    /// Names this request in the answer and in logs.
    pub(crate) request_id: String,
    /// The body of a call of a function; empty for every other operation.
    pub(crate) payload: Vec<u8>,
}

impl Call {
    /// Decodes a request whose body, if `json`, is a JSON object. `path` has the members of the address.
    pub(crate) fn decode(
        path: Vec<(&'static str, String)>,
        query: &str,
        headers: HeaderMap,
        body: Vec<u8>,
        json: bool,
    ) -> Result<Call, LambdaError> {
        let mut members = Map::new();
        let mut payload = Vec::new();
        if json {
            members = with_small_letters(object(&body)?, DEPTH);
        } else {
            payload = body;
        }
        for (name, value) in pairs(query)? {
            let name = small_first_letter(&name);
            let value = match name.as_str() {
                "maxItems" => number(&value)?,
                // The only list: its name comes once for each item.
                "tagKeys" => appended(members.remove(&name), value),
                _ => Value::String(value),
            };
            members.insert(name, value);
        }
        for (header, name) in HEADERS {
            if let Some(text) = headers.get(header).and_then(|value| value.to_str().ok()) {
                members.insert(name.to_owned(), Value::String(text.to_owned()));
            }
        }
        members.extend(path.into_iter().map(|(name, value)| (name.to_owned(), Value::String(value))));
        Ok(Call { fields: Fields::of(members), headers, request_id: String::new(), payload })
    }

    /// A header's text; nothing for an absent or an empty one.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let text = self.headers.get(name).and_then(|value| value.to_str().ok());
        text.filter(|text| !text.is_empty())
    }

    /// A member of the query, the path or the body as it was sent.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.fields.value(name).and_then(Value::as_str)
    }
}

/// Decodes `%41`; a plus stays a plus. Errors: bad escapes, bytes that are no UTF-8.
pub(crate) fn decoded(text: &str) -> Result<String, LambdaError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first != b'%' {
            bytes.push(*first);
            rest = tail;
            continue;
        }
        let digits = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        // `from_str_radix` takes a sign.
        let digits = digits.filter(|digits| !digits.starts_with('+'));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let (Some(byte), Some(tail)) = (byte, tail.get(2..)) else { return Err(malformed(text)) };
        bytes.push(byte);
        rest = tail;
    }
    String::from_utf8(bytes).map_err(|_| malformed(text))
}

fn malformed(text: &str) -> LambdaError {
    ApiError::Serialization(format!("The address of the request holds a bad escape: {text}")).into()
}

/// The names and values of a query, decoded, in their order.
fn pairs(query: &str) -> Result<Vec<(String, String)>, LambdaError> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            Ok((decoded(name)?, decoded(&value.replace('+', " "))?))
        })
        .collect()
}

fn number(text: &str) -> Result<Value, LambdaError> {
    let number: i64 = text
        .parse()
        .map_err(|_| ApiError::Serialization("STRING_VALUE can not be converted to an Integer".to_owned()))?;
    Ok(json!(number))
}

fn appended(list: Option<Value>, item: String) -> Value {
    let mut items = match list {
        Some(Value::Array(items)) => items,
        Some(_) | None => Vec::new(),
    };
    items.push(Value::String(item));
    Value::Array(items)
}

fn object(body: &[u8]) -> Result<Map<String, Value>, LambdaError> {
    // Operations without input come with an empty body.
    if body.trim_ascii().is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(ApiError::Serialization("The request is not a JSON object".to_owned()).into()),
        Err(error) => Err(ApiError::Serialization(format!("The request is not valid JSON: {error}")).into()),
    }
}

/// Renames the members of structures as messages name them: `FunctionName` is `functionName` there.
fn with_small_letters(members: Map<String, Value>, depth: usize) -> Map<String, Value> {
    let renamed = members.into_iter().map(|(name, value)| {
        let value = match value {
            Value::Object(inner) if depth > 0 && !MAPS.contains(&name.as_str()) => {
                Value::Object(with_small_letters(inner, depth - 1))
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => value,
        };
        (small_first_letter(&name), value)
    });
    renamed.collect()
}

fn small_first_letter(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(query: &str, body: &str) -> Result<Call, LambdaError> {
        let path = vec![("functionName", "f".to_owned())];
        Call::decode(path, query, HeaderMap::new(), body.as_bytes().to_vec(), true)
    }

    #[test]
    fn members_come_from_everywhere() {
        let body = r#"{"Role": "r", "Environment": {"Variables": {"Mode": "x"}}, "Tags": {"Team": "a"}}"#;
        let call = call("Qualifier=%24LATEST&MaxItems=5&tagKeys=a&tagKeys=b%20c", body).unwrap();
        assert_eq!((call.text("functionName"), call.text("role")), (Some("f"), Some("r")));
        assert_eq!(call.text("qualifier"), Some("$LATEST"));
        assert_eq!(call.fields.value("maxItems"), Some(&json!(5)));
        assert_eq!(call.fields.value("tagKeys"), Some(&json!(["a", "b c"])));
        assert_eq!(call.fields.value("environment.variables"), Some(&json!({"Mode": "x"})));
        assert_eq!(call.fields.value("tags"), Some(&json!({"Team": "a"})));
    }

    #[test]
    fn what_cannot_be_decoded_is_refused() {
        for (query, body) in
            [("MaxItems=x", ""), ("a=%2", ""), ("a=%zz", ""), ("a=%ff", ""), ("", "[]"), ("", "{")]
        {
            let error = call(query, body).err().expect(query);
            assert_eq!(error.code(), "SerializationException", "{query} {body}");
        }
        assert!(call("", " ").is_ok());
        assert!(decoded("%+1").is_err());
        assert_eq!(decoded("arn%3Aaws%3a+x").unwrap(), "arn:aws:+x");
    }
}

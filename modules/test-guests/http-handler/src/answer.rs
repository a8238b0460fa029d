//! What is answered to what.

use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A response.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// JSON text.
    pub(crate) body: String,
}

impl Answer {
    /// The body was no JSON.
    pub(crate) fn bad_request() -> Self {
        Self {
            status: 400,
            body: json!({ "error": "BadRequest", "cause": "the body is not JSON" }).to_string(),
        }
    }

    /// The request was no POST.
    pub(crate) fn method_not_allowed() -> Self {
        Self {
            status: 405,
            body: json!({ "error": "MethodNotAllowed", "cause": "this is for POST" }).to_string(),
        }
    }
}

/// A body that says what to answer.
#[derive(Deserialize)]
#[serde(untagged)]
enum Wish {
    Failure { status: u16, error: String, cause: String },
    Status { status: u16, body: Value },
}

/// Answers a body.
pub(crate) fn answer(body: &[u8], headers: impl Iterator<Item = (String, String)>) -> Answer {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return Answer::bad_request() };
    match Wish::deserialize(&body) {
        Ok(Wish::Failure { status, error, cause }) => {
            Answer { status, body: json!({ "error": error, "cause": cause }).to_string() }
        }
        Ok(Wish::Status { status, body }) => Answer { status, body: body.to_string() },
        Err(_) => {
            let headers: BTreeMap<_, _> = headers.filter(|(name, _)| name.starts_with("stepwell-")).collect();
            Answer { status: 200, body: json!({ "echo": body, "headers": headers }).to_string() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        let headers =
            || [("host", "h"), ("stepwell-attempt", "2")].map(|(name, value)| (name.into(), value.into()));
        for (body, status, expected) in [
            ("[1]", 200, r#"{"echo":[1],"headers":{"stepwell-attempt":"2"}}"#),
            (r#"{"status":503,"body":"busy"}"#, 503, r#""busy""#),
            (
                r#"{"status":418,"error":"Teapot","cause":"short"}"#,
                418,
                r#"{"cause":"short","error":"Teapot"}"#,
            ),
            (r#"{"status":1}"#, 200, r#"{"echo":{"status":1},"headers":{"stepwell-attempt":"2"}}"#),
            ("[", 400, r#"{"cause":"the body is not JSON","error":"BadRequest"}"#),
        ] {
            let answer = answer(body.as_bytes(), headers().into_iter());
            let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
            assert_eq!((answer.status, value(&answer.body)), (status, value(expected)));
        }
    }
}

//! Values to run things on: documents, task results, task errors. Chosen for their edges, not for their sense.

use serde_json::{Value, json};
use stepwell_asl::{StatesError, limits};

/// How many samples [`result`] and [`error`] have.
const SAMPLES: u8 = 16;

/// Splits at the last line break; without a readable document, [`document`] stands in.
pub fn text_and_document(text: &str) -> (&str, Value) {
    let (text, document) = text.rsplit_once('\n').unwrap_or((text, ""));
    (text, serde_json::from_str(document).unwrap_or_else(|_| document_or(document)))
}

fn document_or(text: &str) -> Value {
    if text.trim().is_empty() {
        document()
    } else {
        json!({"text": text, "items": [text, 1, {"text": text}]})
    }
}

/// A document with something of everything.
pub fn document() -> Value {
    json!({
        "amount": 120, "n": 5, "seconds": 2, "flag": true, "none": null, "text": "a,b;c d", "unicode": "\u{0}ä😀",
        "at": "2026-01-01T00:00:00Z", "big": 9_007_199_254_740_993_i64, "huge": u64::MAX, "small": -1.5e-300,
        "items": [1, 2.5, "three", null, {"name": "x", "price": 8.95, "tags": ["a", "b"]}, [4, [5]]],
        "list": [3, 1, 2], "nested": {"a": {"b": {"c": [{"d": 1}, {"d": 2}]}}, "": "empty name"},
        "Payload": {"amount": 7}, "with-dash": {"and.dot": 1}, "json": "{\"a\": [1, 2]}", "base64": "aGVsbG8=",
    })
}

/// The smallest input that a caller sends.
pub fn empty() -> Value {
    json!({})
}

/// A task result.
pub fn result(sample: u8) -> Value {
    match sample % SAMPLES {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(0),
        3 => json!(-1.5),
        4 => json!(1e308),
        5 => json!("text"),
        6 => json!("2026-01-01T00:00:00Z"),
        7 => json!([]),
        8 => json!({}),
        9 => json!([1, "a", null, {}]),
        10 => json!({"Payload": {"amount": 1}, "done": true}),
        11 => document(),
        // `serde_json` reads 127 levels.
        12 => (0..120)
            .fold(json!(1), |inner, level| if level % 2 == 0 { json!([inner]) } else { json!({"a": inner}) }),
        13 => json!("x".repeat(limits::PAYLOAD_BYTES - 2)),
        14 => json!("x".repeat(limits::PAYLOAD_BYTES - 1)),
        _ => (0..500).collect(),
    }
}

/// A task error.
pub fn error(sample: u8) -> StatesError {
    let named = |name: &str| StatesError::new(name, format!("{name}!"));
    match sample % SAMPLES {
        0 => named("Busy"),
        1 => StatesError::timeout(),
        2 => named("States.TaskFailed"),
        3 => named("States.Runtime"),
        4 => named("States.ALL"),
        5 => named("States.DataLimitExceeded"),
        6 => named("Declined"),
        7 => named("Error"),
        8 => named(""),
        9 => StatesError::reported(None, None),
        10 => StatesError::reported(Some("Busy".to_owned()), None),
        11 => StatesError::reported(None, Some("because".to_owned())),
        12 => named(&"ä".repeat(limits::ERROR_CHARACTERS + 1)),
        13 => StatesError::new("Busy", "😀".repeat(limits::CAUSE_CHARACTERS + 1)),
        14 => named("States.Timeout"),
        _ => StatesError::new("Declined", "{\"errorMessage\": \"no\", \"n\": [1]}"),
    }
}

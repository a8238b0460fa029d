//! JSON values as text, and their size: of the text, and in depth.

use serde::Serialize;
use serde_json::Value;

/// A value as JSON text. Three times as fast as its `Display`, which goes through a formatter.
pub(crate) fn json_text(value: &Value) -> String {
    // A `Value` can always be written.
    serde_json::to_string(value).unwrap_or_default()
}

/// Size of a value as JSON text, in bytes.
pub fn json_bytes<T: Serialize + ?Sized>(value: &T) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Counting cannot fail; what cannot be written counts as far as it got.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

/// Whether arrays and objects lie more than `most` deep within each other.
pub(crate) fn is_deeper(value: &Value, most: usize) -> bool {
    let inner_is_deeper = |inner: &Value| match most.checked_sub(1) {
        Some(most) => is_deeper(inner, most),
        None => true,
    };
    match value {
        Value::Array(items) => most == 0 || items.iter().any(inner_is_deeper),
        Value::Object(fields) => most == 0 || fields.values().any(inner_is_deeper),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sizes_are_those_of_the_text() {
        for value in [json!(null), json!("a\n\u{e9}"), json!({"a": [1, 2.5, {}], "b": "\""})] {
            assert_eq!(json_text(&value), value.to_string());
            assert_eq!(json_bytes(&value), value.to_string().len(), "{value}");
        }
    }

    #[test]
    fn depth_counts_arrays_and_objects() {
        for (value, depth) in [(json!(1), 0), (json!([]), 1), (json!([1, {"a": [2]}]), 3)] {
            assert!(!is_deeper(&value, depth), "{value}");
            assert!(depth == 0 || is_deeper(&value, depth - 1), "{value}");
        }
    }
}

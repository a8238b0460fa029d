//! A value as JSON text, the way JavaScript's `JSON.stringify` writes it: whole numbers without a fraction, undefined
//! in an object left out.
//!
//! Must never write more than it may, nor recurse deeper: a value can be small in memory and endless as text, when its
//! parts are shared.

use crate::bindings::{Answer, Error};
use jsonata_core::value::JValue;
use std::fmt::Write as _;

/// Why a value is no answer.
enum Refusal {
    Unsupported,
    TooLong,
    TooDeep,
    /// Infinite, or none at all: JSON has no such number.
    NoNumber(f64),
}

/// What is being written, and what may still be.
struct Writer {
    text: String,
    max_bytes: usize,
}

/// Writes a value.
pub(crate) fn answer(value: &JValue, max_bytes: u32, max_depth: u32) -> Result<Answer, Error> {
    if value.is_undefined() {
        return Ok(Answer::Undefined);
    }
    let mut writer = Writer { text: String::new(), max_bytes: max_bytes as usize };
    match writer.value(value, max_depth) {
        Ok(()) => Ok(Answer::Json(writer.text)),
        Err(Refusal::Unsupported) => Ok(Answer::Unsupported),
        Err(Refusal::TooLong) => Ok(Answer::TooLong),
        Err(Refusal::TooDeep) => Ok(Answer::TooDeep),
        // JSONata's own error, which the library does not give for every operator.
        Err(Refusal::NoNumber(number)) => {
            Err(Error { code: Some("D1001".to_owned()), message: format!("Number out of range: {number}") })
        }
    }
}

impl Writer {
    /// Writes one value; `depth` is how many levels may still open.
    fn value(&mut self, value: &JValue, depth: u32) -> Result<(), Refusal> {
        match value {
            JValue::Null | JValue::Undefined => self.text.push_str("null"),
            JValue::Bool(bool) => self.text.push_str(if *bool { "true" } else { "false" }),
            JValue::Number(number) => self.number(*number)?,
            JValue::String(string) => self.string(string)?,
            JValue::Array(items) => {
                let inner = depth.checked_sub(1).ok_or(Refusal::TooDeep)?;
                self.text.push('[');
                for (index, item) in items.iter().enumerate() {
                    self.separate(index)?;
                    self.value(item, inner)?;
                }
                self.text.push(']');
            }
            JValue::Object(fields) => {
                let inner = depth.checked_sub(1).ok_or(Refusal::TooDeep)?;
                self.text.push('{');
                let defined = fields.iter().filter(|(_, value)| !value.is_undefined());
                for (index, (name, value)) in defined.enumerate() {
                    self.separate(index)?;
                    self.string(name)?;
                    self.text.push(':');
                    self.value(value, inner)?;
                }
                self.text.push('}');
            }
            JValue::Lambda(_) | JValue::Builtin { .. } | JValue::Regex { .. } => {
                return Err(Refusal::Unsupported);
            }
        }
        self.check()
    }

    /// Writes a comma before every part but the first.
    fn separate(&mut self, index: usize) -> Result<(), Refusal> {
        if index > 0 {
            self.text.push(',');
        }
        self.check()
    }

    /// Writes a number as JavaScript does, with the shortest digits that read back as the same number.
    fn number(&mut self, number: f64) -> Result<(), Refusal> {
        // 2^53: whole numbers below it are exact, and integers are written faster.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if !number.is_finite() {
            return Err(Refusal::NoNumber(number));
        }
        // Writing to a string cannot fail.
        #[allow(clippy::cast_possible_truncation, reason = "the range is checked")]
        let _ = if number.fract() == 0.0 && number.abs() < EXACT {
            write!(self.text, "{}", number as i64)
        } else if (1e-6..1e21).contains(&number.abs()) {
            write!(self.text, "{number}")
        } else {
            write!(self.text, "{number:e}")
        };
        Ok(())
    }

    fn string(&mut self, string: &str) -> Result<(), Refusal> {
        if string.len() > self.max_bytes {
            return Err(Refusal::TooLong);
        }
        self.text.push('"');
        let mut written = 0;
        for (at, byte) in string.bytes().enumerate() {
            if byte >= b' ' && byte != b'"' && byte != b'\\' {
                continue;
            }
            // These bytes are characters of their own, so both cuts lie between characters.
            self.text.push_str(&string[written..at]);
            written = at + 1;
            match byte {
                b'"' => self.text.push_str("\\\""),
                b'\\' => self.text.push_str("\\\\"),
                b'\n' => self.text.push_str("\\n"),
                b'\r' => self.text.push_str("\\r"),
                b'\t' => self.text.push_str("\\t"),
                0x08 => self.text.push_str("\\b"),
                0x0c => self.text.push_str("\\f"),
                _ => {
                    // Writing to a string cannot fail.
                    let _ = write!(self.text, "\\u{byte:04x}");
                }
            }
        }
        self.text.push_str(&string[written..]);
        self.text.push('"');
        self.check()
    }

    fn check(&self) -> Result<(), Refusal> {
        if self.text.len() > self.max_bytes { Err(Refusal::TooLong) } else { Ok(()) }
    }
}

//! What operations answer with, and its text.
//!
//! Most give a tree of values; those that are asked for most often give a text that they have written from a struct,
//! which takes a third of the time.

use serde::Serialize;
use serde_json::Value;

use super::beyond::Beyond;
use super::error::ApiError;

/// An answer.
pub(super) enum Reply {
    /// The members.
    Members(Value),
    /// Their text.
    Written(Written),
}

/// An answer as JSON text.
pub(super) struct Written {
    text: Vec<u8>,
    /// Length of the output in it.
    output_bytes: usize,
}

impl Written {
    /// Writes an answer that holds an output of so many bytes.
    pub(super) fn of<T: Serialize>(answer: &T, output_bytes: usize) -> Result<Written, ApiError> {
        let text = serde_json::to_vec(answer).map_err(|error| ApiError::internal(&error))?;
        Ok(Written { text, output_bytes })
    }
}

impl From<Value> for Reply {
    fn from(members: Value) -> Reply {
        Reply::Members(members)
    }
}

impl From<Written> for Reply {
    fn from(written: Written) -> Reply {
        Reply::Written(written)
    }
}

impl Reply {
    /// Its members, for whoever is in this process.
    pub(super) fn members(self) -> Result<Value, ApiError> {
        match self {
            Reply::Members(members) => Ok(members),
            Reply::Written(Written { text, .. }) => {
                serde_json::from_slice(&text).map_err(|error| ApiError::internal(&error))
            }
        }
    }

    /// Its text, once `beyond` has looked at it.
    pub(super) fn written(self, beyond: &mut Beyond) -> Vec<u8> {
        match self {
            Reply::Members(members) => {
                members.as_object().into_iter().for_each(|members| beyond.look(members));
                // Three times as fast as its `Display`; a `Value` can always be written.
                serde_json::to_vec(&members).unwrap_or_default()
            }
            Reply::Written(Written { text, output_bytes }) => {
                beyond.look_at_output(output_bytes);
                text
            }
        }
    }
}

//! The two errors of the JSONPath engine, with the texts that Jayway's engine gives and that Step Functions
//! shows to users. Must never carry a position or a type that only makes sense inside this module.

use std::fmt;

/// Says why a text is not a JSONPath. `Display` is Jayway's own message wherever Jayway has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    message: String,
}

impl ParseError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }

    /// Returns the message, as `Display` shows it.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for ParseError {}

/// Tells apart the ways in which an evaluation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathErrorKind {
    /// A definite path leads to nothing in this document.
    NotFound,
    /// The path cannot be applied to this document: a filter on a scalar, a function that does not exist.
    Invalid,
    /// `first()` or `index(n)` finds no such element.
    OutOfBounds,
    /// A function or an operator refuses its operands, whatever the filter around it says.
    Failed,
    /// The evaluation reached a bound of this engine.
    TooLarge,
}

/// Says why a path gives no value for a document. `Display` is Jayway's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathError {
    kind: PathErrorKind,
    message: String,
}

impl PathError {
    pub(super) fn new(kind: PathErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// Makes the error of a path whose root does not exist.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(PathErrorKind::NotFound, message)
    }

    /// Returns which kind of failure this is.
    pub fn kind(&self) -> PathErrorKind {
        self.kind
    }

    /// Returns the message, as `Display` shows it.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for PathError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for PathError {}

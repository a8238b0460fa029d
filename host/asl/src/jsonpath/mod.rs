//! JSONPath in Jayway's dialect (the Java library json-path), which is the one that Step Functions speaks:
//! paths of the Amazon States Language, sections "Paths" and "Reference Paths".
//!
//! A path is parsed once and evaluated often. A definite path (names and single indexes, perhaps with a
//! function at the end) gives one value or an error; any other gives an array, possibly empty. The engine
//! follows Jayway's results and messages also where they are odd, because a workflow that moves between AWS
//! and here must not change its meaning. It differs on purpose in five places:
//!
//! - a path starts with `$` (Jayway would put it there);
//! - a word without quotes on the right of `==` or `!=` is a string: definitions that AWS publishes use it;
//! - `..[*].name`, `..[0,1].name` and the like select the names behind all these elements; recent Jayway
//!   versions lose some of them through state that leaks from one evaluation into the next;
//! - a name in brackets keeps a backslash before the quote that does not enclose it (recorded on AWS);
//! - regular expressions have no look-around, no back-references and no `\p{..}`, so that they take linear
//!   time, and every other loop ends at a bound of `limits`.
//!
//! This module must never change a document, do IO, or panic, whatever the text and the document.

mod ast;
mod bracket_parser;
mod cursor;
mod decimal;
mod error;
mod evaluate;
mod filter;
mod filter_parser;
mod functions;
mod java_text;
mod limits;
mod literal;
mod parameter_parser;
mod parser;
mod pattern;
mod side;
#[cfg(test)]
mod tests;
mod walk;

use std::borrow::Cow;

use serde_json::Value;

pub use error::{ParseError, PathError, PathErrorKind};

use ast::{Path, Step};
use evaluate::{Evaluation, Mode};

/// A parsed JSONPath. Two are equal when their texts are.
#[derive(Debug, Clone)]
pub struct JsonPath {
    text: String,
    path: Path,
    /// How many paths inside filters start at the document.
    slots: usize,
}

/// A step of a Reference Path (States Language, "Reference Paths").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReferenceStep<'a> {
    /// An entry of an object.
    Name(&'a str),
    /// An element of an array, never negative.
    Index(i64),
}

impl JsonPath {
    /// Parses a path that starts with `$`.
    ///
    /// # Errors
    /// Says what Jayway says about such a text, or which bound it passes.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let (path, slots) = parser::parse(text)?;
        Ok(Self { text: text.to_owned(), path, slots })
    }

    /// Returns the text as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Tells whether the path gives one value; otherwise it gives an array.
    pub fn is_definite(&self) -> bool {
        self.path.is_definite()
    }

    /// Evaluates the path. The result points into `root` unless it had to be made.
    ///
    /// # Errors
    /// A definite path leads nowhere, a step does not fit its node, a function refuses its operands, or the
    /// evaluation passes a bound. `Display` is the message that Step Functions puts behind
    /// `Invalid path '...' : `.
    pub fn select<'v>(&self, root: &'v Value) -> Result<Cow<'v, Value>, PathError> {
        Evaluation::new(root, self.slots).value(&self.path, root, Mode::default())
    }

    /// Tells whether this is a Reference Path: only names and non-negative indexes, so that it names exactly
    /// one place.
    pub fn is_reference_path(&self) -> bool {
        self.reference_steps().is_some()
    }

    /// Returns the steps if this is a Reference Path; none for `$`.
    pub fn reference_steps(&self) -> Option<Vec<ReferenceStep<'_>>> {
        let step = |step| match step {
            &Step::Index(index) => (index >= 0).then_some(ReferenceStep::Index(index)),
            Step::Name { name, .. } => Some(ReferenceStep::Name(name)),
            Step::Names { .. }
            | Step::Indexes(_)
            | Step::Slice { .. }
            | Step::Wildcard
            | Step::Scan
            | Step::Filter(_)
            | Step::Function(_) => None,
        };
        self.path.steps.iter().map(step).collect()
    }
}

impl PartialEq for JsonPath {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for JsonPath {}

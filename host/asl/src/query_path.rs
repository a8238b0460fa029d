//! Paths as definition fields hold them: JSONPath into the state input (`$...`) or the context object (`$$...`).
//!
//! It must never decide what a missing value means: each field has its own error text.

use crate::context_object::ContextObject;
use crate::jsonpath::{JsonPath, ParseError, PathError};
use serde_json::Value;
use std::borrow::Cow;

/// A path with the text it was written as.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct QueryPath {
    text: String,
    root: Root,
    path: JsonPath,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Root {
    Input,
    Context,
}

impl QueryPath {
    /// Parses `$...` or `$$...`.
    pub(crate) fn parse(text: &str) -> Result<QueryPath, ParseError> {
        let (root, rest) = match text.strip_prefix('$') {
            Some(rest) if rest.starts_with('$') => (Root::Context, rest),
            _ => (Root::Input, text),
        };
        Ok(QueryPath { text: text.to_owned(), root, path: JsonPath::parse(rest)? })
    }

    /// The text as written.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it selects exactly one value.
    pub(crate) fn is_definite(&self) -> bool {
        self.path.is_definite()
    }

    /// The selected value of `input` or of the context object.
    pub(crate) fn select<'v>(
        &self,
        input: &'v Value,
        context: &'v ContextObject<'_>,
    ) -> Result<Cow<'v, Value>, PathError> {
        match self.root {
            Root::Input => self.path.select(input),
            Root::Context => self.path.select(context.value()),
        }
    }
}

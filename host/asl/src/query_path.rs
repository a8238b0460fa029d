//! Paths as definition fields hold them: JSONPath into the state input (`$...`), the context object (`$$...`) or a
//! variable (`$name...`).
//!
//! It must never decide what a missing value means: each field has its own error text.

use crate::context_object::ContextObject;
use crate::jsonpath::{JsonPath, ParseError, PathError};
use crate::reference_path::ReferencePath;
use serde_json::Value;
use std::borrow::Cow;

/// A path with the text it was written as.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct QueryPath {
    text: String,
    root: Root,
    path: JsonPath,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Root {
    Input,
    /// With its steps, where the path names a single place: such a value is read without making the whole object.
    Context(Option<ReferencePath>),
    Variable(String),
}

impl QueryPath {
    /// Parses `$...`, `$$...` or `$name...`.
    pub(crate) fn parse(text: &str) -> Result<QueryPath, ParseError> {
        let behind = text.strip_prefix('$').unwrap_or_default();
        let name = variable_name(behind);
        let (root, path) = if behind.starts_with('$') {
            (Root::Context(ReferencePath::parse(behind)), JsonPath::parse(behind)?)
        } else if name.is_empty() {
            (Root::Input, JsonPath::parse(text)?)
        } else {
            (Root::Variable(name.to_owned()), JsonPath::parse(&format!("${}", &behind[name.len()..]))?)
        };
        Ok(QueryPath { text: text.to_owned(), root, path })
    }

    /// The name of the variable that it reads, if it reads one.
    pub(crate) fn variable(&self) -> Option<&str> {
        match &self.root {
            Root::Variable(name) => Some(name),
            Root::Input | Root::Context(_) => None,
        }
    }

    /// Behind the first `$` of a path into the context object; none for other paths.
    pub(crate) fn in_context(&self) -> Option<&str> {
        match &self.root {
            Root::Context(_) => self.text.strip_prefix('$'),
            Root::Input | Root::Variable(_) => None,
        }
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
        match &self.root {
            Root::Input => self.path.select(input),
            Root::Context(place) => {
                let value = place.as_ref().and_then(|place| context.at(place.steps()));
                // What is not there is looked for in the whole object, for the engine's own message.
                value.map_or_else(|| self.path.select(context.value()), |value| Ok(Cow::Borrowed(value)))
            }
            Root::Variable(name) => match context.variable(name) {
                Some(value) => self.path.select(value),
                None => Err(PathError::not_found(format!("The variable ${name} has no value"))),
            },
        }
    }
}

/// The variable name at the start of `text`: a letter or underscore, then letters, digits and underscores
/// (specification, Variables; Unicode identifiers).
pub(crate) fn variable_name(text: &str) -> &str {
    let is_part = |(index, character): (usize, char)| {
        character == '_' || if index == 0 { character.is_alphabetic() } else { character.is_alphanumeric() }
    };
    let end = text.char_indices().find(|part| !is_part(*part)).map_or(text.len(), |(index, _)| index);
    &text[..end]
}

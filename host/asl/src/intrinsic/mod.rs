//! Intrinsic functions of JSONPath states (specification, "Intrinsic Functions"; Step Functions Developer Guide,
//! "Intrinsic functions for JSONPath states"): `States.Format('{}', $.a)` in payload templates and the like.
//!
//! A call is parsed once with the definition and evaluated often. Two failures exist while it runs:
//! `States.Runtime` when a path among the arguments leads nowhere, `States.IntrinsicFailure` when a function
//! refuses its arguments. This module must never read a clock, draw randomness that is not seeded, or do work
//! that the bounds of `limits` do not cover, whatever the text and the input.

mod arguments;
mod array;
mod encoding;
mod evaluation;
mod format;
mod function;
mod json;
mod math;
mod parser;
mod random;
mod string;
#[cfg(test)]
mod tests;

use crate::context_object::ContextObject;
use crate::query_path::QueryPath;
use crate::states_error::StatesError;
use evaluation::Evaluation;
use function::Function;
use serde_json::Value;
use std::fmt;

/// A parsed call of an intrinsic function, with the text that it was written as.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct IntrinsicCall {
    text: String,
    call: Call,
}

/// A function with its arguments.
#[derive(Clone, Debug, PartialEq)]
struct Call {
    function: Function,
    arguments: Vec<Argument>,
}

/// What stands between the commas of a call.
#[derive(Clone, Debug, PartialEq)]
enum Argument {
    /// A number, `true`, `false` or `null`.
    Literal(Value),
    /// A string in single quotes: as written between them, because a template tells `\{` from `{`, and its value.
    Text { written: String, value: String },
    /// A path into the input, the context object or the variables.
    Path(QueryPath),
    /// A nested call.
    Call(Call),
}

/// Says why a text is no call of an intrinsic function. `Display` is a sentence for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IntrinsicError {
    message: String,
}

impl IntrinsicError {
    fn new(message: impl Into<String>) -> IntrinsicError {
        IntrinsicError { message: message.into() }
    }
}

impl fmt::Display for IntrinsicError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for IntrinsicError {}

impl IntrinsicCall {
    /// Parses `States.Name(argument, ...)`. Refuses what CreateStateMachine refuses: other texts, unknown
    /// functions, wrong numbers of arguments, unknown escapes in strings, calls nested too deeply, and a literal
    /// that is no number where a number belongs.
    pub(crate) fn parse(text: &str) -> Result<IntrinsicCall, IntrinsicError> {
        Ok(IntrinsicCall { text: text.to_owned(), call: parser::parse(text)? })
    }

    /// The text as written.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Every path among the arguments, those of nested calls included, in the order of the text.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &QueryPath> {
        let mut paths = Vec::new();
        self.call.collect_paths(&mut paths);
        paths.into_iter()
    }

    /// Evaluates the call with its paths read from `input` or `context`. Errors carry the bare cause: which
    /// state was running is added by `step`.
    pub(crate) fn evaluate(&self, input: &Value, context: &ContextObject<'_>) -> Result<Value, StatesError> {
        Evaluation::new(self.as_str(), input, context).call(&self.call)
    }
}

impl Call {
    /// Nested as deeply as the parser allows, which bounds this recursion.
    fn collect_paths<'c>(&'c self, paths: &mut Vec<&'c QueryPath>) {
        for argument in &self.arguments {
            match argument {
                Argument::Path(path) => paths.push(path),
                Argument::Call(call) => call.collect_paths(paths),
                Argument::Literal(_) | Argument::Text { .. } => {}
            }
        }
    }
}

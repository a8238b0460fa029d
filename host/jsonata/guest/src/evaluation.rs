//! One evaluation: its variables, its functions, its value or error.

use crate::answer;
use crate::bindings::{Answer, Error, Request};
use crate::functions::{self, Surroundings};
use crate::parsed;
use jsonata_core::evaluator::{Context, Evaluator, EvaluatorOptions, error_code_prefix};
use jsonata_core::parser::ParserError;
use jsonata_core::value::JValue;
use serde::Deserialize as _;

/// Evaluates an expression.
pub(crate) fn evaluate(request: Request) -> Result<Answer, Error> {
    let expression = parsed::parse(&request.expression).map_err(|error| unparsable(&error))?;
    let mut variables = Context::new();
    for binding in request.bindings {
        let value = read(&binding.json)?;
        variables.bind(binding.name, value);
    }
    let input = request.input.as_deref().map_or(Ok(JValue::Undefined), read)?;
    let options = EvaluatorOptions {
        max_stack_depth: Some(request.max_depth as usize),
        // No clock: the host counts the work. No bound on sequences: the host bounds the memory.
        timeout_ms: None,
        cancel: None,
        max_sequence_length: None,
    };
    let mut evaluator = Evaluator::with_options(variables, options);
    let surroundings =
        Surroundings { now_ms: request.now_ms, seed: request.seed, allow_eval: request.allow_eval };
    let value = functions::register(&mut evaluator, &surroundings)
        .and_then(|()| evaluator.evaluate(&expression, &input))
        .map_err(|error| too_deep(error.message(), request.max_depth))?;
    answer::answer(&value, request.max_answer_bytes, request.max_answer_depth)
}

/// Reads a value that the host gave.
fn read(json: &str) -> Result<JValue, Error> {
    read_json(json).map_err(|error| failure(&format!("A variable cannot be read: {error}")))
}

/// Reads JSON of any depth: the stack is the host's to bound.
pub(crate) fn read_json(json: &str) -> serde_json::Result<JValue> {
    let mut reader = serde_json::Deserializer::from_str(json);
    reader.disable_recursion_limit();
    let value = JValue::deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// The error of an expression that is none. The library puts words before some messages that hold a code.
fn unparsable(error: &ParserError) -> Error {
    match error {
        ParserError::InvalidSyntax(message) | ParserError::InvalidNumber(message) => failure(message),
        error => failure(&error.to_string()),
    }
}

/// The error of an evaluation. The library says D1011 at a depth that is given and U1001 at its own; ours is no setting
/// of the expression's author either, so it is told the same way.
fn too_deep(message: &str, max_depth: u32) -> Error {
    let mut error = failure(message);
    if error.code.as_deref() == Some("D1011") {
        error.code = Some("U1001".to_owned());
        error.message = format!(
            "Stack overflow error: evaluation nested deeper than {max_depth} levels. Check for non-terminating \
             recursive function. Consider rewriting as tail-recursive."
        );
    }
    error
}

/// Takes JSONata's code from the beginning of a message.
fn failure(message: &str) -> Error {
    match error_code_prefix(message) {
        Some(code) => {
            let rest = message[code.len() + 1..].trim_start();
            Error { code: Some(code.to_owned()), message: rest.to_owned() }
        }
        None => Error { code: None, message: message.to_owned() },
    }
}

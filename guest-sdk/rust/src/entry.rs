//! The way from JSON text to the user's function and back: `handler.run` of `wit/task.wit` without its glue.
//!
//! It is ordinary Rust, so native tests cover it. It must never panic on any input.

use crate::TaskError;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Decodes the input, calls the function and encodes its result.
///
/// # Errors
/// `InvalidInput` with serde's message when the input does not fit; the function's own error; `TaskFailed` when the
/// result cannot be written as JSON (for instance a map whose keys are not strings).
pub fn run<I, R, E>(input: &str, function: impl FnOnce(I) -> Result<R, E>) -> Result<String, TaskError>
where
    I: DeserializeOwned,
    R: Serialize,
    E: Into<TaskError>,
{
    let input = serde_json::from_str(input)
        .map_err(|error| TaskError::new(TaskError::INVALID_INPUT, error.to_string()))?;
    let result = function(input).map_err(Into::into)?;
    Ok(serde_json::to_string(&result)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn double(number: u32) -> Result<u32, TaskError> {
        number.checked_mul(2).ok_or_else(|| TaskError::new("TooLarge", format!("{number} doubled")))
    }

    #[test]
    fn passes_json_through_the_function() {
        assert_eq!(run("21", double), Ok("42".to_owned()));
    }

    #[test]
    fn keeps_the_functions_own_error() {
        assert_eq!(run("4000000000", double), Err(TaskError::new("TooLarge", "4000000000 doubled")));
    }

    #[test]
    fn names_input_that_does_not_fit() {
        let error = run(r#""twenty""#, double).unwrap_err();
        assert_eq!(error.error, "InvalidInput");
        assert_eq!(error.cause, "invalid type: string \"twenty\", expected u32 at line 1 column 8");
    }

    #[test]
    fn names_a_result_that_is_not_json() {
        let function = |(): ()| Ok::<_, TaskError>(BTreeMap::from([((1, 2), 3)]));
        assert_eq!(run("null", function), Err(TaskError::new("TaskFailed", "key must be a string")));
    }
}

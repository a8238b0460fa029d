//! Fails as its input says.

use serde::Deserialize;
use stepwell::TaskError;

#[derive(Deserialize)]
struct Failure {
    error: String,
    cause: String,
}

#[stepwell::task]
fn fail(failure: Failure) -> Result<(), TaskError> {
    Err(TaskError::new(failure.error, failure.cause))
}

//! Errors of the workflow's own world: what Retry, Catch, history and callers see (specification, "Errors").
//!
//! A host failure must never become one of these.

use crate::limits;
use serde::{Deserialize, Serialize};

/// An error name with its cause. Either may be absent: a Fail state or a worker may leave them out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatesError {
    /// The error name, such as `States.Timeout` or one that a task chose.
    pub error: Option<String>,
    /// A human-readable or JSON text.
    pub cause: Option<String>,
    /// The field of the state whose expression failed, if that is what happened (event EvaluationFailed).
    #[serde(skip)]
    pub(crate) location: Option<Box<str>>,
}

impl StatesError {
    /// `States.Timeout`: has no cause in history.
    pub const TIMEOUT: &'static str = "States.Timeout";
    /// `States.HeartbeatTimeout`: a heartbeat did not come in time.
    pub const HEARTBEAT_TIMEOUT: &'static str = "States.HeartbeatTimeout";
    /// `States.Runtime`: never retried, never caught.
    pub const RUNTIME: &'static str = "States.Runtime";
    /// `States.DataLimitExceeded`: a payload is over its quota.
    pub const DATA_LIMIT_EXCEEDED: &'static str = "States.DataLimitExceeded";
    /// `States.NoChoiceMatched`: no rule of a Choice state matched and it has no Default.
    pub const NO_CHOICE_MATCHED: &'static str = "States.NoChoiceMatched";
    /// `States.ExceedToleratedFailureThreshold`: too many iterations of a Map state failed.
    pub const EXCEED_TOLERATED_FAILURE_THRESHOLD: &'static str = "States.ExceedToleratedFailureThreshold";
    /// `States.QueryEvaluationError`: a JSONata expression failed.
    pub const QUERY_EVALUATION_ERROR: &'static str = "States.QueryEvaluationError";
    /// `States.ResultPathMatchFailure`: ResultPath cannot be applied to the state input.
    pub const RESULT_PATH_MATCH_FAILURE: &'static str = "States.ResultPathMatchFailure";

    /// What somebody reported, as it is.
    pub fn reported(error: Option<String>, cause: Option<String>) -> StatesError {
        StatesError { error, cause, location: None }
    }

    /// `States.QueryEvaluationError`: the expression in the field `location` of a state has no value that fits.
    pub(crate) fn query_evaluation(cause: impl Into<String>, location: &str) -> StatesError {
        let error = StatesError::new(StatesError::QUERY_EVALUATION_ERROR, cause);
        StatesError { location: Some(location.into()), ..error }
    }

    /// An error with name and cause, each cut to what history can hold.
    pub fn new(error: impl Into<String>, cause: impl Into<String>) -> StatesError {
        let error = truncated(error.into(), limits::ERROR_CHARACTERS);
        let cause = truncated(cause.into(), limits::CAUSE_CHARACTERS);
        StatesError::reported(Some(error), Some(cause))
    }

    /// `States.Runtime` with `cause`.
    pub fn runtime(cause: impl Into<String>) -> StatesError {
        StatesError::new(StatesError::RUNTIME, cause)
    }

    /// `States.Timeout`, which carries no cause.
    pub fn timeout() -> StatesError {
        StatesError::reported(Some(StatesError::TIMEOUT.to_owned()), None)
    }

    /// `States.HeartbeatTimeout`: only Retry and Catch see it, everybody else sees a time-out (recorded).
    pub(crate) fn heartbeat_timeout() -> StatesError {
        StatesError::reported(Some(StatesError::HEARTBEAT_TIMEOUT.to_owned()), None)
    }

    /// `States.DataLimitExceeded` for what `origin` (a state name, a function ARN, a service) returned.
    pub fn data_limit_exceeded(origin: &str) -> StatesError {
        let cause = format!(
            "The state/task '{origin}' returned a result with a size exceeding the maximum number of bytes service limit."
        );
        StatesError::new(StatesError::DATA_LIMIT_EXCEEDED, cause)
    }

    /// Whether the error has this name.
    pub fn is(&self, name: &str) -> bool {
        self.error.as_deref() == Some(name)
    }
}

fn truncated(text: String, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => text[..end].to_owned(),
        None => text,
    }
}

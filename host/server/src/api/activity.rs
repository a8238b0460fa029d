//! What the operations on activities share: their ARNs, finding one, refusing what the executor refuses.

use stepwell_executor::{AnswerError, PollError};
use stepwell_store::ActivityRecord;

use super::arn;
use super::error::ApiError;
use crate::server::{Identity, Server};

/// The ARN of an activity of this server.
pub(super) fn activity_arn(identity: &Identity, name: &str) -> String {
    format!("arn:aws:states:{}:{}:activity:{name}", identity.region, identity.account)
}

/// The activity with this ARN. Errors: `InvalidArn`, `ActivityDoesNotExist`.
pub(super) async fn require(server: &Server, arn: &str) -> Result<ActivityRecord, ApiError> {
    arn::check_activity_arn(arn)?;
    let found = server.store.activity(arn).await?;
    found.map(|(record, _)| record).ok_or_else(|| ApiError::ActivityDoesNotExist(arn.to_owned()))
}

/// What the API says when the answer to a task is refused.
pub(super) fn answer_refusal(error: AnswerError) -> ApiError {
    match error {
        AnswerError::DoesNotExist => ApiError::TaskDoesNotExist,
        AnswerError::Forged => ApiError::InvalidToken,
        AnswerError::Closed => ApiError::TaskTimedOut,
        AnswerError::Busy => ApiError::Throttling,
        AnswerError::ShuttingDown => ApiError::ServiceUnavailable(error.to_string()),
        AnswerError::Store(error) => error.into(),
    }
}

/// What the API says when a worker may not wait for a task.
pub(super) fn poll_refusal(error: PollError, arn: &str) -> ApiError {
    match error {
        PollError::WorkerLimitExceeded => ApiError::ActivityWorkerLimitExceeded(arn.to_owned()),
        PollError::Busy => ApiError::Throttling,
        PollError::ShuttingDown => ApiError::ServiceUnavailable(error.to_string()),
        PollError::Store(error) => error.into(),
    }
}

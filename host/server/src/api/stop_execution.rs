//! StopExecution (API reference, section 2.3). An execution that has ended answers with the time of its end.

use serde_json::json;
use stepwell_executor::StopError;

use super::arn::check_execution_arn;
use super::error::ApiError;
use super::{Answer, Call};
use crate::limits;
use crate::server::Server;

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let fields = &mut call.fields;
    let arn = fields.required_text("executionArn", 1, limits::ARN_CHARACTERS);
    let error = fields.text("error", 0, limits::ERROR_CHARACTERS);
    let cause = fields.text("cause", 0, limits::CAUSE_CHARACTERS);
    fields.check()?;
    check_execution_arn(&arn)?;
    let stopped_at = server.executor.stop(&arn, error, cause).await.map_err(refusal)?;
    Ok(json!({"stopDate": stopped_at.as_seconds()}))
}

/// What the API says when the executor refuses.
pub(super) fn refusal(error: StopError) -> ApiError {
    match error {
        StopError::DoesNotExist { arn } => ApiError::ExecutionDoesNotExist(arn),
        StopError::Busy => ApiError::Throttling,
        StopError::ShuttingDown => ApiError::ServiceUnavailable(error.to_string()),
        StopError::Store(error) => error.into(),
    }
}

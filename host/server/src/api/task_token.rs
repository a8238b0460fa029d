//! Task tokens in requests: read, and refused without saying why when they are of another account or made up.

use stepwell_asl::TaskToken;
use stepwell_executor::TaskAnswer;

use super::activity;
use super::constraints::Fields;
use super::error::ApiError;
use crate::auth::account::account_of;
use crate::limits;
use crate::server::Server;

/// The member of a request; violations are noted in `fields`.
pub(super) fn read(fields: &mut Fields) -> String {
    fields.required_text("taskToken", 1, limits::TASK_TOKEN_CHARACTERS)
}

/// The token, which may still be forged. Errors: `InvalidToken`.
pub(super) fn open(server: &Server, text: &str, action: &str) -> Result<TaskToken, ApiError> {
    let token = TaskToken::parse(text).ok_or(ApiError::InvalidToken)?;
    let arn = token.execution_arn();
    let account = account_of(arn).ok_or(ApiError::InvalidToken)?;
    server.caller.check_account(account, action, arn).map_err(|_| ApiError::InvalidToken)?;
    Ok(token)
}

/// Answers a task. Errors: `InvalidToken`, `TaskDoesNotExist`, `TaskTimedOut`.
pub(super) async fn answer(server: &Server, token: &TaskToken, answer: TaskAnswer) -> Result<(), ApiError> {
    server.executor.answer_task(token, answer).await.map_err(activity::answer_refusal)
}

//! Finds and reads executions for the operations on one of them.

use stepwell_store::{ExecutionId, Standing};

use super::arn::check_execution_arn;
use super::error::ApiError;
use crate::auth::account::account_of;
use crate::server::Server;

/// The execution with this ARN. Errors: `InvalidArn`, `ExecutionDoesNotExist`.
pub(crate) async fn find(server: &Server, arn: &str) -> Result<ExecutionId, ApiError> {
    check_execution_arn(arn)?;
    // Again, for whoever has the ARN from somewhere else than a member of a request to Step Functions.
    server.caller.check_account(account_of(arn).unwrap_or_default(), "states:DescribeExecution", arn)?;
    let id = server.store.execution_id(arn).await?;
    id.ok_or_else(|| ApiError::ExecutionDoesNotExist(arn.to_owned()))
}

/// What an execution was started with, and where it stands. Both are written when it starts.
pub(crate) async fn read(server: &Server, id: ExecutionId, arn: &str) -> Result<Standing, ApiError> {
    let standing = server.store.standing(id).await?;
    // It may have been removed since its name was looked up.
    standing.ok_or_else(|| ApiError::ExecutionDoesNotExist(arn.to_owned()))
}

/// Makes sure that what was read of an execution is whole: a removal takes its name with the first of its records.
pub(crate) async fn check_not_removed(server: &Server, id: ExecutionId, arn: &str) -> Result<(), ApiError> {
    let named = server.store.execution_id(arn).await?;
    if named == Some(id) { Ok(()) } else { Err(ApiError::ExecutionDoesNotExist(arn.to_owned())) }
}

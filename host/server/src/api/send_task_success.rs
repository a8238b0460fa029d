//! SendTaskSuccess (API reference, section 2.4): ends a task with a result.

use serde_json::json;
use stepwell_executor::TaskAnswer;

use super::error::ApiError;
use super::{Answer, Call, json_text, task_token};
use crate::server::Server;

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let token = task_token::read(&mut call.fields);
    let longest = server.executor.quotas().payload_bytes;
    let output = call.fields.payload("output", longest);
    call.fields.require("output");
    call.fields.check()?;
    let token = task_token::open(server, &token, "states:SendTaskSuccess")?;
    let result = json_text::parse(&output.unwrap_or_default()).map_err(ApiError::InvalidOutput)?;
    task_token::answer(server, &token, TaskAnswer::Succeeded(result)).await?;
    Ok(json!({}))
}

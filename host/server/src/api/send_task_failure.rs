//! SendTaskFailure (API reference, section 2.4): ends a task with an error; its name and its cause may be left out.

use serde_json::json;
use stepwell_asl::StatesError;
use stepwell_executor::TaskAnswer;

use super::{Answer, Call, task_token};
use crate::limits;
use crate::server::Server;

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let token = task_token::read(&mut call.fields);
    let error = call.fields.text("error", 0, limits::ERROR_CHARACTERS);
    let cause = call.fields.text("cause", 0, limits::CAUSE_CHARACTERS);
    call.fields.check()?;
    let token = task_token::open(server, &token, "states:SendTaskFailure")?;
    task_token::answer(server, &token, TaskAnswer::Failed(StatesError::reported(error, cause))).await?;
    Ok(json!({}))
}

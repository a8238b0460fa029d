//! SendTaskHeartbeat (API reference, section 2.4): the time to a task's next heartbeat begins anew.

use serde_json::json;
use stepwell_executor::TaskAnswer;

use super::{Answer, Call, task_token};
use crate::server::Server;

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let token = task_token::read(&mut call.fields);
    call.fields.check()?;
    let token = task_token::open(server, &token, "states:SendTaskHeartbeat")?;
    task_token::answer(server, &token, TaskAnswer::Heartbeat).await?;
    Ok(json!({}))
}

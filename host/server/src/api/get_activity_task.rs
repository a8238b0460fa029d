//! GetActivityTask (API reference, section 2.4): a long poll. It is held for less than clients wait for an answer, and
//! whoever is gone meanwhile takes no task along: the task goes to another worker unless the answer was written.

use serde_json::json;

use super::{Answer, Call, activity};
use crate::limits;
use crate::server::Server;

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let arn = call.fields.required_text("activityArn", 1, limits::ARN_CHARACTERS);
    let worker_name = call.fields.text("workerName", 1, limits::NAME_CHARACTERS);
    call.fields.check()?;
    activity::require(server, &arn).await?;
    let task = tokio::select! {
        biased;
        task = server.executor.activity_task(&arn, worker_name) => task,
        () = tokio::time::sleep(limits::ACTIVITY_POLL) => return Ok(json!({})),
        () = server.stopping() => return Ok(json!({})),
    };
    let task = task.map_err(|error| activity::poll_refusal(error, &arn))?;
    let answer = json!({"taskToken": task.token, "input": task.input});
    // Whoever writes the answer says whether it has arrived.
    call.handed.keep(task);
    Ok(answer)
}

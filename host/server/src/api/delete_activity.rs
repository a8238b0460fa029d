//! DeleteActivity (API reference, section 2.4): deleting what is not there succeeds. Tasks that wait for a worker go on
//! waiting, and are handed out if an activity of that name is created again; executions that come to it fail.

use serde_json::json;

use super::{Answer, Call, arn};
use crate::limits;
use crate::server::Server;

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let arn = call.fields.required_text("activityArn", 1, limits::ARN_CHARACTERS);
    call.fields.check()?;
    arn::check_activity_arn(&arn)?;
    if server.store.activity(&arn).await?.is_some() {
        server.store.delete_activity(&arn).await?;
    }
    Ok(json!({}))
}

//! DeleteActivity (API reference, section 2.4): deleting what is not there succeeds. Tasks that wait for a worker go on
//! waiting, and are handed out if an activity of that name is created again; executions that come to it fail.

use serde_json::json;
use stepwell_store::StoreError;

use super::{Answer, Call, arn};
use crate::limits;
use crate::server::Server;

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let arn = call.fields.required_text("activityArn", 1, limits::ARN_CHARACTERS);
    call.fields.check()?;
    arn::check_activity_arn(&arn)?;
    for _ in 0..limits::CHANGE_TRIES {
        let Some((_, read)) = server.store.activity(&arn).await? else { return Ok(json!({})) };
        match server.store.delete_activity(&arn, read).await {
            Ok(()) => {
                drop(server.resources.activities.taken(&arn));
                return Ok(json!({}));
            }
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Conflict.into())
}

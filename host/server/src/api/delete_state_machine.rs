//! DeleteStateMachine (API reference, section 2.1): deleting what is not there succeeds. A machine with running executions
//! is DELETING until they have ended; each ends at its next transition.

use serde_json::json;
use stepwell_store::StoreError;

use super::arn::MachineArn;
use super::error::ApiError;
use super::{Answer, Call, machine};
use crate::deletion::{self, Deletions};
use crate::limits;
use crate::server::Server;

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let arn = call.fields.required_text("stateMachineArn", 1, limits::ARN_CHARACTERS);
    call.fields.check()?;
    let arn = MachineArn::parse(&arn)?.without_label()?;
    if arn.qualifier.is_some() {
        let message =
            format!("A version or an alias cannot be deleted by DeleteStateMachine: '{}'", arn.text);
        return Err(ApiError::validation(message));
    }
    for _ in 0..limits::CHANGE_TRIES {
        let Some((record, read)) = machine::find(server, &arn.text).await? else { return Ok(json!({})) };
        if record.deleting {
            return Ok(json!({}));
        }
        match server.store.begin_machine_deletion(&record, read).await {
            Ok(()) => {}
            Err(StoreError::Conflict) => continue,
            Err(error) => return Err(error.into()),
        }
        // From now on nothing is started, and what runs moves once more at most.
        server.executor.begin_deletion(record.id);
        // Whatever comes of it here, the machine is going: somebody sees to the rest.
        let deletions = Deletions::of(server);
        if !deletion::try_finish(&deletions, &record).await.unwrap_or(false) {
            tokio::spawn(deletion::finish(deletions, record));
        }
        return Ok(json!({}));
    }
    Err(StoreError::Conflict.into())
}

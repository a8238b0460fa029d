//! DeleteStateMachineAlias (API reference, section 2.2). Executions that it has started go on.

use serde_json::json;
use stepwell_store::{Changes, StoreError};

use super::arn::MachineArn;
use super::{Answer, Call, machine};
use crate::limits;
use crate::server::Server;

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let arn = call.fields.required_text("stateMachineAliasArn", 1, limits::ARN_CHARACTERS);
    call.fields.check()?;
    let arn = MachineArn::parse(&arn)?.without_label()?;
    for _ in 0..limits::CHANGE_TRIES {
        let (record, read, alias) = machine::require_alias(server, &arn).await?;
        let mut changes = Changes::new();
        changes.machine_record(&record, read)?;
        changes.delete_machine_alias(record.id, &alias.name);
        match server.store.commit(changes).await {
            Ok(()) => return Ok(json!({})),
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Conflict.into())
}

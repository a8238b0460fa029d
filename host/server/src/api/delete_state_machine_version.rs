//! DeleteStateMachineVersion (API reference, section 2.2): deleting what is not there succeeds; what an alias names stays.
//! Executions that it was started by go on: they hold their definition by its revision.

use serde_json::json;
use stepwell_store::{Changes, StoreError};

use super::arn::MachineArn;
use super::error::ApiError;
use super::{Answer, Call, machine};
use crate::limits;
use crate::server::Server;

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let arn = call.fields.required_text("stateMachineVersionArn", 1, limits::LONG_ARN_CHARACTERS);
    call.fields.check()?;
    let arn = MachineArn::parse(&arn)?.without_label()?;
    let Some(number) = arn.version() else {
        return Err(ApiError::validation(format!(
            "The ARN names no version of a state machine: '{}'",
            arn.text
        )));
    };
    for _ in 0..limits::CHANGE_TRIES {
        let Some((record, read)) = machine::find(server, &arn.machine).await? else { return Ok(json!({})) };
        if server.store.machine_version(record.id, number).await?.is_none() {
            return Ok(json!({}));
        }
        let aliases = machine::aliases(server, &record).await?;
        let naming = aliases.iter().filter(|alias| alias.routes.iter().any(|route| route.version == number));
        let naming: Vec<&str> = naming.map(|alias| alias.name.as_str()).collect();
        if !naming.is_empty() {
            let message = format!(
                "Version to be deleted must not be referenced by an alias. Current list of aliases referencing this \
                 version: [{}]",
                naming.join(", ")
            );
            return Err(ApiError::Conflict(message.into()));
        }
        let mut changes = Changes::new();
        changes.machine_record(&record, read)?;
        changes.delete_machine_version(record.id, number);
        match server.store.commit(changes).await {
            Ok(()) => return Ok(json!({})),
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Conflict.into())
}

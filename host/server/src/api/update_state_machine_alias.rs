//! UpdateStateMachineAlias (API reference, section 2.2): executions that begin after the answer take the new routing.

use serde_json::json;
use stepwell_store::{Changes, StoreError};

use super::arn::MachineArn;
use super::error::ApiError;
use super::routing::{self, Routing};
use super::{Answer, Call, machine};
use crate::limits;
use crate::server::Server;

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let fields = &mut call.fields;
    let arn = fields.required_text("stateMachineAliasArn", 1, limits::ARN_CHARACTERS);
    let description = fields.text("description", 0, limits::VERSION_DESCRIPTION_CHARACTERS);
    let routing = Routing::read(fields);
    fields.check()?;
    let arn = MachineArn::parse(&arn)?.without_label()?;
    let routes = routing.map(|routing| routing.check()).transpose()?;
    if description.is_none() && routes.is_none() {
        return Err(ApiError::Validation {
            message: "Either the description or the routingConfiguration must be specified".to_owned(),
            reason: Some("MISSING_REQUIRED_PARAMETER"),
        });
    }
    if let Some((machine, _)) = &routes
        && machine.text != arn.machine
    {
        return Err(ApiError::Validation {
            message: format!(
                "Routing configuration must contain versions of the state machine of the alias: '{}'",
                arn.machine
            ),
            reason: Some("INVALID_ROUTING_CONFIGURATION"),
        });
    }
    for _ in 0..limits::CHANGE_TRIES {
        let (record, read, mut alias) = machine::require_alias(server, &arn).await?;
        machine::check_active(&record)?;
        if let Some((_, routes)) = &routes {
            routing::check_versions(server, &record, routes).await?;
            alias.routes.clone_from(routes);
        }
        if description.is_some() {
            alias.description.clone_from(&description);
        }
        alias.updated_at = server.clock.now();
        let mut changes = Changes::new();
        changes.machine_record(&record, read)?;
        changes.machine_alias(&alias)?;
        match server.store.commit(changes).await {
            Ok(()) => return Ok(json!({"updateDate": alias.updated_at.as_seconds()})),
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Conflict.into())
}

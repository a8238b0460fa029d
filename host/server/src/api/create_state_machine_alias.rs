//! CreateStateMachineAlias (API reference, section 2.2; idempotency, section 1.12).

use serde_json::{Value, json};
use stepwell_store::{Changes, MachineAliasRecord, MachineRecord, StoreError};

use super::arn::{MachineArn, qualified_arn};
use super::constraints::Fields;
use super::error::ApiError;
use super::routing::{self, Routing};
use super::{Answer, Call, machine};
use crate::limits;
use crate::server::Server;

/// The pattern of the model.
const PATTERN: &str = r"^(?=.*[a-zA-Z_\-\.])[a-zA-Z0-9_\-\.]+$";

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let fields = &mut call.fields;
    let name = name(fields);
    let description = fields.text("description", 0, limits::VERSION_DESCRIPTION_CHARACTERS);
    let routing = Routing::read(fields);
    fields.require("routingConfiguration");
    fields.check()?;
    let (arn, routes) = routing.ok_or(ApiError::Internal)?.check()?;
    for _ in 0..limits::CHANGE_TRIES {
        let (record, read) = active(server, &arn).await?;
        routing::check_versions(server, &record, &routes).await?;
        if let Some(existing) = server.store.machine_alias(record.id, &name).await? {
            let same = existing.description == description && routing::is_same(&existing.routes, &routes);
            return if same { Ok(answer(&record, &existing)) } else { Err(exists()) };
        }
        check_quota(server, &record).await?;
        let now = server.clock.now();
        let alias = MachineAliasRecord {
            machine: record.id,
            name: name.clone(),
            description: description.clone(),
            routes: routes.clone(),
            created_at: now,
            updated_at: now,
        };
        let mut changes = Changes::new();
        changes.machine_record(&record, read)?;
        changes.machine_alias(&alias)?;
        match server.store.commit(changes).await {
            Ok(()) => return Ok(answer(&record, &alias)),
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Conflict.into())
}

fn name(fields: &mut Fields) -> String {
    let name = fields.required_text("name", 1, limits::NAME_CHARACTERS);
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let right = name.bytes().all(is_allowed) && name.bytes().any(|byte| !byte.is_ascii_digit());
    if !name.is_empty() && !right {
        fields.pattern("name", &name, PATTERN);
    }
    name
}

/// The machine whose versions are named. The model knows only one error for what does not exist.
async fn active(server: &Server, arn: &MachineArn) -> Result<(MachineRecord, u64), ApiError> {
    let found = machine::find(server, &arn.text).await?;
    let (record, read) = found.ok_or_else(|| ApiError::ReferenceNotFound(arn.text.clone()))?;
    machine::check_active(&record)?;
    Ok((record, read))
}

/// Errors: `ServiceQuotaExceededException`.
async fn check_quota(server: &Server, record: &MachineRecord) -> Result<(), ApiError> {
    let (count, most) = (machine::aliases(server, record).await?.len(), limits::MACHINE_ALIASES);
    if count < most {
        return Ok(());
    }
    let message = format!(
        "State machine '{}' has {count} aliases, and {most} are allowed: delete some first",
        record.arn
    );
    Err(ApiError::ServiceQuotaExceeded(message))
}

fn exists() -> ApiError {
    // In these words also when the description differs (recorded).
    let message = "Failed to create alias because an alias with the same name and a different routing configuration \
                   already exists.";
    ApiError::Conflict(message.into())
}

fn answer(record: &MachineRecord, alias: &MachineAliasRecord) -> Value {
    json!({
        "stateMachineAliasArn": qualified_arn(&record.arn, &alias.name),
        "creationDate": alias.created_at.as_seconds(),
    })
}

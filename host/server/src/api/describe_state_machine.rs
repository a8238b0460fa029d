//! DescribeStateMachine (API reference, section 2.1): a machine, or a version of one.

use serde_json::json;
use stepwell_store::{MachineRecord, MachineVersionRecord};

use super::arn::MachineArn;
use super::error::ApiError;
use super::machine_settings::{effective_encryption, effective_logging, effective_tracing};
use super::{Answer, Call, INCLUDED_DATA, definition, machine};
use crate::limits;
use crate::server::Server;

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let arn = call.fields.required_text("stateMachineArn", 1, limits::ARN_CHARACTERS);
    let included = call.fields.choice("includedData", &INCLUDED_DATA);
    call.fields.check()?;
    let arn = MachineArn::parse(&arn)?;
    let (record, version) = find(server, &arn).await?;
    let text = if included == Some("METADATA_ONLY") {
        "{}".to_owned()
    } else {
        let text = server.store.definition(record.id, record.revision).await?;
        text.ok_or_else(|| ApiError::internal(&format!("{} has no definition", record.arn)))?
    };
    let mut answer = json!({
        "stateMachineArn": arn.text,
        "name": record.name,
        "status": if record.deleting { "DELETING" } else { "ACTIVE" },
        "definition": text,
        "roleArn": record.role_arn,
        "type": record.machine_type,
        "creationDate": version.as_ref().map_or(record.created_at, |version| version.created_at).as_seconds(),
        "loggingConfiguration": effective_logging(&record),
        "tracingConfiguration": effective_tracing(&record),
        "encryptionConfiguration": effective_encryption(&record),
    });
    if let Some(revision_id) = &record.revision_id {
        answer["revisionId"] = json!(revision_id);
    }
    if let Some(description) = version.and_then(|version| version.description) {
        answer["description"] = json!(description);
    }
    if let Some(references) = definition::variable_references(&text) {
        answer["variableReferences"] = references;
    }
    Ok(answer)
}

/// The machine, as a version of it has it if one is named. An alias names none. Errors: `StateMachineDoesNotExist`.
async fn find(
    server: &Server,
    arn: &MachineArn,
) -> Result<(MachineRecord, Option<MachineVersionRecord>), ApiError> {
    match arn.version() {
        None => Ok((machine::require(server, arn).await?.0, None)),
        Some(number) => {
            let (record, version) = machine::require_version(server, arn, number).await?;
            Ok((version.of(&record), Some(version)))
        }
    }
}

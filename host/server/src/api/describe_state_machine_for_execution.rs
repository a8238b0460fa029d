//! DescribeStateMachineForExecution (API reference, section 2.1): the machine as it was when the execution started.
//!
//! Settings that no execution depends on (logging, tracing, encryption) are those of today, or the defaults where the
//! machine is gone.

use serde_json::json;

use super::error::ApiError;
use super::machine_settings::{
    default_encryption, default_logging, default_tracing, effective_encryption, effective_logging,
    effective_tracing,
};
use super::{Answer, Call, INCLUDED_DATA, definition, execution, machine};
use crate::limits;
use crate::server::Server;
use stepwell_store::Standing;

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let arn = call.fields.required_text("executionArn", 1, limits::ARN_CHARACTERS);
    let included = call.fields.choice("includedData", &INCLUDED_DATA) != Some("METADATA_ONLY");
    call.fields.check()?;
    let id = execution::find(server, &arn).await?;
    let Standing { start: record, context, .. } = execution::read(server, id, &arn).await?;
    let text = server.store.definition(record.machine, record.revision).await?;
    let text = text.ok_or_else(|| ApiError::internal(&format!("{arn} has no definition")))?;
    let mut answer = json!({
        "stateMachineArn": context.state_machine_arn,
        "name": context.state_machine_name,
        "definition": if included { text.as_str() } else { "{}" },
        "roleArn": context.role_arn,
        "updateDate": record.revised_at.as_seconds(),
        "loggingConfiguration": default_logging(),
        "tracingConfiguration": default_tracing(),
        "encryptionConfiguration": default_encryption(),
    });
    if let Some((today, _)) = machine::find(server, &context.state_machine_arn).await?
        && today.id == record.machine
    {
        let version = match context.version {
            Some(number) => server.store.machine_version(today.id, number).await?,
            None => None,
        };
        let today = version.map_or(today.clone(), |version| version.of(&today));
        answer["loggingConfiguration"] = effective_logging(&today);
        answer["tracingConfiguration"] = effective_tracing(&today);
        answer["encryptionConfiguration"] = effective_encryption(&today);
    }
    if let Some(revision_id) = &record.revision_id {
        answer["revisionId"] = json!(revision_id);
    }
    if let Some(references) = definition::variable_references(&text) {
        answer["variableReferences"] = references;
    }
    Ok(answer)
}

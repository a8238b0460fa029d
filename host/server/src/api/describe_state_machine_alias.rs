//! DescribeStateMachineAlias (API reference, section 2.2).

use serde_json::json;

use super::arn::{MachineArn, qualified_arn};
use super::{Answer, Call, machine, routing};
use crate::limits;
use crate::server::Server;

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let arn = call.fields.required_text("stateMachineAliasArn", 1, limits::ARN_CHARACTERS);
    call.fields.check()?;
    let arn = MachineArn::parse(&arn)?.without_label()?;
    let (record, _, alias) = machine::require_alias(server, &arn).await?;
    let mut answer = json!({
        "stateMachineAliasArn": qualified_arn(&record.arn, &alias.name),
        "name": alias.name,
        "routingConfiguration": routing::to_json(&record, &alias.routes),
        "creationDate": alias.created_at.as_seconds(),
        "updateDate": alias.updated_at.as_seconds(),
    });
    if let Some(description) = &alias.description {
        answer["description"] = json!(description);
    }
    Ok(answer)
}

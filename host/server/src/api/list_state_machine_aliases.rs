//! ListStateMachineAliases (API reference, section 2.2): of a machine, or those that name one version. By name, as
//! recordings show.

use serde_json::{Value, json};
use stepwell_store::{MachineAliasRecord, MachineRecord};

use super::arn::{MachineArn, Qualifier, qualified_arn};
use super::error::ApiError;
use super::page_token::{self, PageRequest};
use super::{Answer, Call, machine};
use crate::limits;
use crate::server::Server;

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let arn = call.fields.required_text("stateMachineArn", 1, limits::ARN_CHARACTERS);
    let page = PageRequest::read(&mut call.fields, limits::PAGE_TOKEN_CHARACTERS);
    call.fields.check()?;
    let arn = MachineArn::parse(&arn)?.without_label()?;
    let scope = ["ListStateMachineAliases", arn.text.as_str()];
    let after = page.position(server, &scope).await?.map(String::from_utf8);
    let after = after.transpose().map_err(|_| ApiError::InvalidToken)?.unwrap_or_default();
    let (record, version) = find(server, &arn).await?;
    machine::check_active(&record)?;
    let names =
        |alias: &MachineAliasRecord, version| alias.routes.iter().any(|route| route.version == version);
    let mut found = machine::aliases(server, &record).await?;
    found.retain(|alias| alias.name > after && version.is_none_or(|version| names(alias, version)));
    let is_more = found.len() > page.items;
    found.truncate(page.items);
    let items: Vec<Value> = found.iter().map(|alias| item(&record, alias)).collect();
    let mut answer = json!({"stateMachineAliases": items});
    if let (true, Some(last)) = (is_more, found.last()) {
        answer["nextToken"] = json!(page_token::issue(server, &scope, last.name.as_bytes()).await);
    }
    Ok(answer)
}

/// The machine, and the version if one is named. Errors: `StateMachineDoesNotExist`, `ResourceNotFound`.
async fn find(server: &Server, arn: &MachineArn) -> Result<(MachineRecord, Option<u64>), ApiError> {
    match arn.qualifier {
        None => Ok((machine::require(server, arn).await?.0, None)),
        Some(Qualifier::Version(number)) => {
            let found = machine::require_version(server, arn, number).await;
            match found {
                Err(ApiError::StateMachineDoesNotExist(arn)) => Err(ApiError::ResourceNotFound(arn)),
                Err(error) => Err(error),
                Ok((record, version)) => Ok((record, Some(version.number))),
            }
        }
        Some(Qualifier::Alias(_)) => Err(ApiError::ResourceNotFound(arn.text.clone())),
    }
}

fn item(record: &MachineRecord, alias: &MachineAliasRecord) -> Value {
    json!({
        "stateMachineAliasArn": qualified_arn(&record.arn, &alias.name),
        "creationDate": alias.created_at.as_seconds(),
    })
}

//! ListStateMachineVersions (API reference, section 2.2): newest first.

use serde_json::{Value, json};
use stepwell_store::MachineVersionRecord;

use super::arn::{MachineArn, qualified_arn};
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
    let scope = ["ListStateMachineVersions", arn.text.as_str()];
    let mut before = page.position(server, &scope).await?.map(number).transpose()?;
    // The model knows no error for a machine that does not exist: it has no versions.
    let Some((record, _)) = machine::find(server, &arn.text).await? else {
        return Ok(json!({"stateMachineVersions": []}));
    };
    let mut found: Vec<MachineVersionRecord> = Vec::new();
    // One more than asked for tells whether there is another page.
    while found.len() <= page.items {
        let wanted = page.items + 1 - found.len();
        let more = server.store.machine_versions(record.id, before, wanted).await?;
        let Some(last) = more.last() else { break };
        before = Some(last.number);
        found.extend(more);
    }
    let is_more = found.len() > page.items;
    found.truncate(page.items);
    let items: Vec<Value> = found.iter().map(|version| item(&record.arn, version)).collect();
    let mut answer = json!({"stateMachineVersions": items});
    if let (true, Some(last)) = (is_more, found.last()) {
        answer["nextToken"] = json!(page_token::issue(server, &scope, &last.number.to_be_bytes()).await);
    }
    Ok(answer)
}

fn item(machine_arn: &str, version: &MachineVersionRecord) -> Value {
    json!({
        "stateMachineVersionArn": qualified_arn(machine_arn, version.number),
        "creationDate": version.created_at.as_seconds(),
    })
}

fn number(position: Vec<u8>) -> Result<u64, ApiError> {
    position.try_into().map(u64::from_be_bytes).map_err(|_| ApiError::InvalidToken)
}

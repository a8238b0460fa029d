//! ListStateMachines (API reference, section 2.1): by name, as AWS answers.

use serde_json::{Value, json};
use stepwell_store::MachineRecord;

use super::arn::{self, fits_a_key};
use super::error::ApiError;
use super::page_token::{self, PageRequest};
use super::{Answer, Call};
use crate::limits;
use crate::server::Server;

const SCOPE: [&str; 1] = ["ListStateMachines"];

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let page = PageRequest::read(&mut call.fields, limits::PAGE_TOKEN_CHARACTERS);
    call.fields.check()?;
    let position = page.position(server, &SCOPE).await?;
    let mut after = position.map(machine_arn).transpose()?;
    // The machines of an account lie together.
    let own = server.caller.account().map(|_| arn::machine_arn(&server.identity, ""));
    if let Some(own) = &own {
        after = after.filter(|after| after.starts_with(own)).or_else(|| Some(own.clone()));
    }
    let is_own = |record: &MachineRecord| own.as_ref().is_none_or(|own| record.arn.starts_with(own));
    let mut found = Vec::new();
    // The store may give less than asked for, so only an empty answer is the end.
    while found.len() < page.items {
        let records = server.store.machines(after.as_deref(), page.items - found.len()).await?;
        let asked_for = records.len();
        let records: Vec<MachineRecord> = records.into_iter().filter(is_own).collect();
        let Some(last) = records.last() else { break };
        after = Some(last.arn.clone());
        let is_end = records.len() < asked_for;
        found.extend(records);
        if is_end {
            break;
        }
    }
    let more = match &after {
        Some(after) if found.len() == page.items => {
            server.store.machines(Some(after), 1).await?.first().is_some_and(is_own)
        }
        Some(_) | None => false,
    };
    let items: Vec<Value> = found
        .iter()
        .map(|record| {
            json!({
                "stateMachineArn": record.arn,
                "name": record.name,
                "type": record.machine_type,
                "creationDate": record.created_at.as_seconds(),
            })
        })
        .collect();
    let mut answer = json!({"stateMachines": items});
    if let (true, Some(after)) = (more, after) {
        answer["nextToken"] = json!(page_token::issue(server, &SCOPE, after.as_bytes()).await);
    }
    Ok(answer)
}

fn machine_arn(position: Vec<u8>) -> Result<String, ApiError> {
    let arn = String::from_utf8(position).ok().filter(|arn| fits_a_key(arn));
    arn.ok_or(ApiError::InvalidToken)
}

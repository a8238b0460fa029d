//! ListActivities (API reference, section 2.4): by name.

use serde_json::{Value, json};
use stepwell_store::ActivityRecord;

use super::arn::fits_a_key;
use super::error::ApiError;
use super::page_token::{self, PageRequest};
use super::{Answer, Call, activity};
use crate::limits;
use crate::server::Server;

const SCOPE: [&str; 1] = ["ListActivities"];

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let page = PageRequest::read(&mut call.fields, limits::PAGE_TOKEN_CHARACTERS);
    call.fields.check()?;
    let position = page.position(server, &SCOPE).await?;
    let mut after = position.map(position_arn).transpose()?;
    // The activities of an account lie together.
    let own = server.caller.account().map(|_| activity::activity_arn(&server.identity, ""));
    if let Some(own) = &own {
        after = after.filter(|after| after.starts_with(own)).or_else(|| Some(own.clone()));
    }
    let is_own = |record: &ActivityRecord| own.as_ref().is_none_or(|own| record.arn.starts_with(own));
    // One more than asked for tells whether there is another page.
    let wanted = page.items + 1;
    let mut found = Vec::new();
    // The store may give less than asked for, so only an empty answer is the end.
    while found.len() < wanted {
        let records = server.store.activities(after.as_deref(), wanted - found.len()).await?;
        let read = records.len();
        let records: Vec<ActivityRecord> = records.into_iter().filter(is_own).collect();
        let Some(last) = records.last() else { break };
        after = Some(last.arn.clone());
        let is_end = records.len() < read;
        found.extend(records);
        if is_end {
            break;
        }
    }
    let more = found.len() == wanted;
    found.truncate(page.items);
    let items: Vec<Value> = found
        .iter()
        .map(|record| {
            let (arn, name) = (&record.arn, &record.name);
            json!({"activityArn": arn, "name": name, "creationDate": record.created_at.as_seconds()})
        })
        .collect();
    let mut answer = json!({"activities": items});
    if let (true, Some(last)) = (more, found.last()) {
        answer["nextToken"] = json!(page_token::issue(server, &SCOPE, last.arn.as_bytes()).await);
    }
    Ok(answer)
}

fn position_arn(position: Vec<u8>) -> Result<String, ApiError> {
    let arn = String::from_utf8(position).ok().filter(|arn| fits_a_key(arn));
    arn.ok_or(ApiError::InvalidToken)
}

//! GetExecutionHistory (API reference, sections 2.3 and 3).

use serde_json::{Value, json};
use stepwell_store::ExecutionId;

use super::error::ApiError;
use super::page_token::{self, PageRequest};
use super::{Answer, Call, execution};
use crate::limits;
use crate::server::Server;

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let fields = &mut call.fields;
    let arn = fields.required_text("executionArn", 1, limits::ARN_CHARACTERS);
    let reverse = fields.boolean("reverseOrder").unwrap_or(false);
    let data = fields.boolean("includeExecutionData").unwrap_or(true);
    let page = PageRequest::read(fields, limits::PAGE_TOKEN_CHARACTERS);
    fields.check()?;
    let id = execution::find(server, &arn).await?;
    let scope = ["GetExecutionHistory", arn.as_str(), if reverse { "reverse" } else { "forward" }];
    let first = if reverse { u64::MAX } else { 1 };
    let from = page.position(server, &scope).await?.map(event_id).transpose()?.unwrap_or(first);
    let (events, next) = read(server, id, (from, page.items), reverse, data).await?;
    execution::check_not_removed(server, id, &arn).await?;
    let mut answer = json!({"events": events});
    if let Some(next) = next {
        answer["nextToken"] = json!(page_token::issue(server, &scope, &next.to_be_bytes()).await);
    }
    Ok(answer)
}

/// Up to `limit` events from `from` on, fewer when their data is large, and where the next page begins.
async fn read(
    server: &Server,
    id: ExecutionId,
    (from, limit): (u64, usize),
    reverse: bool,
    data: bool,
) -> Result<(Vec<Value>, Option<u64>), ApiError> {
    let mut events = Vec::new();
    let mut bytes = 0;
    let mut next = Some(from);
    while let Some(at) = next {
        let room = limit - events.len();
        if room == 0 || bytes > limits::HISTORY_PAGE_BYTES {
            break;
        }
        let page = server.store.history(id, at, room.min(limits::HISTORY_READ_EVENTS), reverse).await?;
        next = page.next_event_id;
        for event in &page.events {
            let event = event.to_api_json(data);
            bytes += payload_bytes(&event);
            events.push(event);
        }
    }
    Ok((events, next))
}

/// About the size of an event on the wire: its texts.
fn payload_bytes(event: &Value) -> usize {
    match event {
        Value::String(text) => text.len(),
        Value::Object(members) => members.values().map(payload_bytes).sum(),
        Value::Array(items) => items.iter().map(payload_bytes).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

fn event_id(position: Vec<u8>) -> Result<u64, ApiError> {
    position.try_into().map(u64::from_be_bytes).map_err(|_| ApiError::InvalidToken)
}

//! ListMapRuns (API reference, section 2.5). This release runs no Distributed Map: no execution has a map run.

use serde_json::json;

use super::page_token::PageRequest;
use super::{Answer, Call, execution};
use crate::limits;
use crate::server::Server;

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let fields = &mut call.fields;
    let arn = fields.required_text("executionArn", 1, limits::ARN_CHARACTERS);
    let page = PageRequest::read(fields, limits::PAGE_TOKEN_CHARACTERS);
    fields.check()?;
    execution::find(server, &arn).await?;
    // There is no second page, so no token is one of this operation.
    page.position(server, &["ListMapRuns", &arn]).await?;
    Ok(json!({"mapRuns": []}))
}

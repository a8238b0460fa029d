//! ListTagsForResource (API reference, section 2.6): an empty list where there are none.

use serde_json::json;

use super::{Answer, Call, tags};
use crate::limits;
use crate::server::Server;

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let resource = call.fields.required_text("resourceArn", 1, limits::ARN_CHARACTERS);
    call.fields.check()?;
    let found = tags::of(server, &resource).await?;
    Ok(json!({"tags": tags::to_json(&found)}))
}

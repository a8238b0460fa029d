//! TagResource (API reference, section 2.6): adds tags, or gives them other values.

use serde_json::json;

use super::{Answer, Call, tags};
use crate::limits;
use crate::server::Server;

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let fields = &mut call.fields;
    let resource = fields.required_text("resourceArn", 1, limits::ARN_CHARACTERS);
    fields.require("tags");
    let added = tags::read(fields).unwrap_or_default();
    fields.check()?;
    tags::check(&resource, &added)?;
    tags::change(server, &resource, |tags| tags.extend(added.clone())).await?;
    Ok(json!({}))
}

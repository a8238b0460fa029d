//! UntagResource (API reference, section 2.6): removes tags by key; a key that is not there is no error (recorded).

use serde_json::json;

use super::{Answer, Call, tags};
use crate::limits;
use crate::server::Server;

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let fields = &mut call.fields;
    let resource = fields.required_text("resourceArn", 1, limits::ARN_CHARACTERS);
    let keys = tags::read_keys(fields);
    fields.check()?;
    tags::change(server, &resource, |tags| tags.retain(|key, _| !keys.contains(key))).await?;
    Ok(json!({}))
}

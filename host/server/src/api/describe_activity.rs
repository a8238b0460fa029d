//! DescribeActivity (API reference, section 2.4).

use serde_json::json;

use super::create_activity::encryption_of;
use super::{Answer, Call, activity};
use crate::limits;
use crate::server::Server;

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let arn = call.fields.required_text("activityArn", 1, limits::ARN_CHARACTERS);
    call.fields.check()?;
    let record = activity::require(server, &arn).await?;
    Ok(json!({
        "activityArn": record.arn,
        "name": record.name,
        "creationDate": record.created_at.as_seconds(),
        "encryptionConfiguration": encryption_of(&record),
    }))
}

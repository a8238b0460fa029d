//! CreateActivity (API reference, section 2.4; idempotency, section 1.12): tags of an activity that is there already are
//! ignored, another encryption is refused.

use serde_json::{Value, json};
use stepwell_store::{ActivityRecord, StoreError};

use super::constraints::check_name;
use super::error::ApiError;
use super::machine_settings::{self, default_encryption};
use super::{Answer, Call, activity, arn, tags};
use crate::limits;
use crate::server::Server;

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let fields = &mut call.fields;
    let name = fields.required_text("name", 1, limits::NAME_CHARACTERS);
    let encryption = machine_settings::encryption(fields);
    let tags = tags::read(fields).unwrap_or_default();
    fields.check()?;
    check_name(&name)?;
    machine_settings::check_encryption(encryption.as_ref())?;
    let arn = activity::activity_arn(&server.identity, &name);
    arn::check_key(&arn)?;
    tags::check(&arn, &tags)?;
    // A conflict means that another request has just created the activity: then that one is compared with.
    for _ in 0..limits::CHANGE_TRIES {
        if let Some((record, _)) = server.store.activity(&arn).await? {
            let wanted = encryption.clone().unwrap_or_else(default_encryption);
            if encryption_of(&record) == wanted {
                return Ok(answer(&record));
            }
            return Err(ApiError::ActivityAlreadyExists(arn));
        }
        let resources = &server.resources.activities;
        let lot = resources.take(&arn).map_err(|full| ApiError::ActivityLimitExceeded(full.most))?;
        let record = ActivityRecord {
            arn: arn.clone(),
            name: name.clone(),
            created_at: server.clock.now(),
            encryption_configuration: encryption.clone(),
        };
        match server.store.create_activity(&record, tags.clone()).await {
            Ok(()) => {
                lot.keep();
                return Ok(answer(&record));
            }
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Conflict.into())
}

/// The encryption that an activity shows.
pub(super) fn encryption_of(record: &ActivityRecord) -> Value {
    record.encryption_configuration.clone().unwrap_or_else(default_encryption)
}

fn answer(record: &ActivityRecord) -> Value {
    json!({"activityArn": record.arn, "creationDate": record.created_at.as_seconds()})
}

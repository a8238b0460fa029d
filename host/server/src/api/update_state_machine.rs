//! UpdateStateMachine (API reference, section 2.1): executions that run keep the definition that they began with.

use serde_json::{Value, json};
use stepwell_store::{Changes, MachineRecord, StoreError};
use uuid::Uuid;

use super::arn::{MachineArn, check_role_arn};
use super::constraints::Fields;
use super::error::ApiError;
use super::machine_settings::MachineSettings;
use super::versions::Publication;
use super::{Answer, Call, definition, machine};
use crate::limits;
use crate::server::Server;

struct Wish {
    arn: MachineArn,
    definition: Option<String>,
    role_arn: Option<String>,
    settings: MachineSettings,
}

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let wish = Wish::read(&mut call.fields)?;
    wish.settings.check_destination(server).await?;
    // A conflict means that another request has just changed the machine: then its result is changed instead.
    for _ in 0..limits::CHANGE_TRIES {
        let (mut record, read) = machine::require_active(server, &wish.arn).await?;
        if let Some(definition) = &wish.definition {
            definition::check(server, definition, machine::is_express(&record))?;
        }
        let stored = server.store.definition(record.id, record.revision).await?;
        let stored =
            stored.ok_or_else(|| ApiError::internal(&format!("{} has no definition", record.arn)))?;
        let definition = wish.definition.as_ref().unwrap_or(&stored);
        let is_new_revision = wish.apply(&mut record) || *definition != stored;
        if is_new_revision {
            record.revision += 1;
            record.revision_id = Some(Uuid::new_v4().to_string());
            record.updated_at = server.clock.now();
        }
        let publication = wish.publication(server, &mut record).await?;
        let answer = answer(&record, publication.as_ref());
        if !is_new_revision && publication.as_ref().is_none_or(|publication| !publication.is_new) {
            return Ok(answer);
        }
        let mut changes = Changes::new();
        if is_new_revision {
            changes.machine(&record, definition, Some(read))?;
        } else {
            changes.machine_record(&record, read)?;
        }
        if let Some(publication) = &publication {
            publication.add_to(&mut changes)?;
        }
        match server.store.commit(changes).await {
            Ok(()) => return Ok(answer),
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Conflict.into())
}

impl Wish {
    fn read(fields: &mut Fields) -> Result<Wish, ApiError> {
        let arn = fields.required_text("stateMachineArn", 1, limits::ARN_CHARACTERS);
        let definition = fields.text("definition", 1, limits::DEFINITION_CHARACTERS);
        let role_arn = fields.text("roleArn", 1, limits::ARN_CHARACTERS);
        let settings = MachineSettings::read(fields);
        fields.check()?;
        let arn = MachineArn::parse(&arn)?.without_label()?;
        role_arn.as_deref().map_or(Ok(()), check_role_arn)?;
        settings.check()?;
        if definition.is_none() && role_arn.is_none() && !settings.are_mentioned() {
            return Err(ApiError::MissingRequiredParameter);
        }
        Ok(Wish { arn, definition, role_arn, settings })
    }

    /// The version that is asked for, of the machine as it will be.
    async fn publication(
        &self,
        server: &Server,
        record: &mut MachineRecord,
    ) -> Result<Option<Publication>, ApiError> {
        if !self.settings.publish {
            return Ok(None);
        }
        let description = self.settings.version_description.clone();
        Publication::of(server, record, description).await.map(Some)
    }

    /// Writes everything but the definition into `record`. Whether anything changed.
    fn apply(&self, record: &mut MachineRecord) -> bool {
        let mut changed = self.settings.apply(record);
        if let Some(role_arn) = &self.role_arn {
            changed |= *role_arn != record.role_arn;
            record.role_arn.clone_from(role_arn);
        }
        changed
    }
}

fn answer(record: &MachineRecord, publication: Option<&Publication>) -> Value {
    let mut answer = json!({"updateDate": record.updated_at.as_seconds()});
    if let Some(revision_id) = &record.revision_id {
        answer["revisionId"] = json!(revision_id);
    }
    if let Some(publication) = publication {
        answer["stateMachineVersionArn"] = json!(publication.arn(record));
    }
    answer
}

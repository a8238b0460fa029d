//! CreateStateMachine (API reference, section 2.1; idempotency, section 1.12).

use serde_json::{Value, json};
use std::collections::BTreeMap;
use stepwell_store::{Changes, FirstVersion, MachineId, MachineRecord, StoreError};
use uuid::Uuid;

use super::constraints::{Fields, check_name};
use super::error::ApiError;
use super::machine_settings::MachineSettings;
use super::versions::Publication;
use super::{Answer, Call, arn, definition, machine, tags};
use crate::limits;
use crate::server::Server;

/// The types, as messages list them.
pub(super) const TYPES: [&str; 2] = ["STANDARD", "EXPRESS"];

struct Wish {
    name: String,
    definition: String,
    role_arn: String,
    machine_type: &'static str,
    settings: MachineSettings,
    tags: BTreeMap<String, String>,
}

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let wish = Wish::read(server, &mut call.fields)?;
    wish.settings.check_destination(server).await?;
    let arn = arn::machine_arn(&server.identity, &wish.name);
    arn::check_key(&arn)?;
    // A conflict means that another request has just created the machine: then that one is compared with.
    for _ in 0..limits::CHANGE_TRIES {
        if let Some((record, _)) = machine::find(server, &arn).await? {
            return wish.answer_existing(server, &record).await;
        }
        let resources = &server.resources.machines;
        let lot = resources.take(&arn).map_err(|full| ApiError::StateMachineLimitExceeded(full.most))?;
        let mut record = wish.record(server, arn.clone());
        let mut changes = Changes::new();
        if record.created_with.is_some() {
            let description = wish.settings.version_description.clone();
            Publication::of(server, &mut record, description).await?.add_to(&mut changes)?;
        }
        changes.machine(&record, &wish.definition, None)?;
        changes.set_tags(&record.arn, wish.tags.clone())?;
        match server.store.commit(changes).await {
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

impl Wish {
    fn read(server: &Server, fields: &mut Fields) -> Result<Wish, ApiError> {
        let wish = Wish {
            name: fields.required_text("name", 1, limits::NAME_CHARACTERS),
            definition: fields.required_text("definition", 1, limits::DEFINITION_CHARACTERS),
            role_arn: fields.required_text("roleArn", 1, limits::ARN_CHARACTERS),
            machine_type: fields.choice("type", &TYPES).unwrap_or("STANDARD"),
            settings: MachineSettings::read(fields),
            tags: tags::read(fields).unwrap_or_default(),
        };
        fields.check()?;
        check_name(&wish.name)?;
        arn::check_role_arn(&wish.role_arn)?;
        wish.settings.check()?;
        tags::check(&arn::machine_arn(&server.identity, &wish.name), &wish.tags)?;
        definition::check(server, &wish.definition, wish.machine_type == machine::EXPRESS)?;
        Ok(wish)
    }

    fn record(&self, server: &Server, arn: String) -> MachineRecord {
        let now = server.clock.now();
        MachineRecord {
            id: MachineId(Uuid::now_v7().into_bytes()),
            arn,
            name: self.name.clone(),
            machine_type: self.machine_type.to_owned(),
            role_arn: self.role_arn.clone(),
            created_at: now,
            updated_at: now,
            revision: 1,
            revision_id: None,
            logging_configuration: self.settings.logging.clone(),
            tracing_configuration: self.settings.tracing.clone(),
            encryption_configuration: self.settings.encryption.clone(),
            deleting: false,
            next_version: 1,
            created_with: self.first_version(),
        }
    }

    fn first_version(&self) -> Option<FirstVersion> {
        let description = self.settings.version_description.clone();
        self.settings.publish.then_some(FirstVersion { description })
    }

    /// The first response again, if the same is asked for: another role or other tags do not count and are not applied.
    async fn answer_existing(&self, server: &Server, record: &MachineRecord) -> Answer {
        machine::check_active(record)?;
        let definition = server.store.definition(record.id, record.revision).await?;
        let same = definition.as_deref() == Some(self.definition.as_str())
            && record.machine_type == self.machine_type
            && self.first_version() == record.created_with
            && self.settings.equal(record);
        if same { Ok(answer(record)) } else { Err(ApiError::StateMachineAlreadyExists(record.arn.clone())) }
    }
}

fn answer(record: &MachineRecord) -> Value {
    let mut answer = json!({"stateMachineArn": record.arn, "creationDate": record.created_at.as_seconds()});
    if record.created_with.is_some() {
        answer["stateMachineVersionArn"] = json!(arn::qualified_arn(&record.arn, 1));
    }
    answer
}

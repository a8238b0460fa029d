//! PublishStateMachineVersion (API reference, section 2.2; idempotency by machine and revision, section 1.12).

use serde_json::json;
use stepwell_store::{Changes, StoreError};

use super::arn::MachineArn;
use super::versions::{Publication, check_revision};
use super::{Answer, Call, machine};
use crate::limits;
use crate::server::Server;

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let fields = &mut call.fields;
    let arn = fields.required_text("stateMachineArn", 1, limits::ARN_CHARACTERS);
    let revision_id = fields.text("revisionId", 0, usize::MAX);
    let description = fields.text("description", 0, limits::VERSION_DESCRIPTION_CHARACTERS);
    fields.check()?;
    let arn = MachineArn::parse(&arn)?.without_label()?;
    // A conflict means that another request has just changed the machine: then its result is published.
    for _ in 0..limits::CHANGE_TRIES {
        let (mut record, read) = machine::require_active(server, &arn).await?;
        check_revision(&record, revision_id.as_deref())?;
        let publication = Publication::of(server, &mut record, description.clone()).await?;
        let answer = json!({
            "creationDate": publication.version.created_at.as_seconds(),
            "stateMachineVersionArn": publication.arn(&record),
        });
        if !publication.is_new {
            return Ok(answer);
        }
        let mut changes = Changes::new();
        changes.machine_record(&record, read)?;
        publication.add_to(&mut changes)?;
        match server.store.commit(changes).await {
            Ok(()) => return Ok(answer),
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Conflict.into())
}

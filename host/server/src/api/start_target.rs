//! What StartExecution is to start: a machine, a version of it, or what its alias chooses (API reference, section 2.2).
//!
//! Read from the store for each start: whoever has had the answer to a change sees it here.

use std::sync::Arc;

use stepwell_store::MachineRecord;
use uuid::Uuid;

use super::arn::{MachineArn, Qualifier};
use super::error::ApiError;
use super::{machine, routing};
use crate::server::Server;

/// A machine as an execution is to run it.
pub(super) struct StartTarget {
    /// As the version has it, if there is one.
    pub(super) machine: Arc<MachineRecord>,
    pub(super) version: Option<u64>,
    pub(super) alias: Option<String>,
}

impl StartTarget {
    /// What an ARN names. An alias chooses one of its versions by their weights, at random.
    /// Errors: `StateMachineDoesNotExist`, `StateMachineDeleting`.
    pub(super) async fn of(server: &Server, arn: &MachineArn) -> Result<StartTarget, ApiError> {
        let missing = || ApiError::StateMachineDoesNotExist(arn.text.clone());
        let machine = server.executor.machine(&arn.machine).await?.ok_or_else(missing)?;
        machine::check_active(&machine)?;
        let (number, alias) = match &arn.qualifier {
            None => return Ok(StartTarget { machine, version: None, alias: None }),
            Some(Qualifier::Version(number)) => (*number, None),
            Some(Qualifier::Alias(name)) => {
                let alias = server.store.machine_alias(machine.id, name).await?.ok_or_else(missing)?;
                let random = Uuid::new_v4().as_fields().0;
                (routing::choose(&alias, random).ok_or_else(missing)?, Some(alias.name))
            }
        };
        let version = server.store.machine_version(machine.id, number).await?.ok_or_else(missing)?;
        Ok(StartTarget { machine: Arc::new(version.of(&machine)), version: Some(number), alias })
    }
}

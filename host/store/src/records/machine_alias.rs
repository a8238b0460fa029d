//! Stored aliases of state machines (API: CreateStateMachineAlias): a name for one version, or for two that share the
//! executions. Changes of aliases write the machine's own record too (see `machine_version`).

use super::changes::Changes;
use super::machine::MachineId;
use super::space;
use super::store::{Store, encode};
use crate::backend::KeyRange;
use crate::error::StoreError;
use serde::{Deserialize, Serialize};
use stepwell_asl::Timestamp;

/// A name for one or two versions of a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineAliasRecord {
    /// The machine.
    pub machine: MachineId,
    /// The alias.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// One or two; their shares make 100.
    pub routes: Vec<MachineRoute>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A version and its share of the executions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineRoute {
    /// Its number.
    pub version: u64,
    /// In percent.
    pub weight: u8,
}

impl Changes {
    /// An alias, beside the machine's own record.
    pub fn machine_alias(&mut self, record: &MachineAliasRecord) -> Result<(), StoreError> {
        let key = space::machine_alias_key(record.machine, &record.name);
        self.put(space::MACHINE_ALIASES, key, encode(record)?);
        Ok(())
    }

    /// Removes an alias, beside the machine's own record.
    pub fn delete_machine_alias(&mut self, machine: MachineId, name: &str) {
        self.delete(space::MACHINE_ALIASES, space::machine_alias_key(machine, name));
    }
}

impl Store {
    /// An alias of a machine.
    pub async fn machine_alias(
        &self,
        machine: MachineId,
        name: &str,
    ) -> Result<Option<MachineAliasRecord>, StoreError> {
        self.record(space::MACHINE_ALIASES, &space::machine_alias_key(machine, name)).await
    }

    /// Aliases of a machine by name, from behind `after`. Fewer than `limit` are not the end; none are.
    pub async fn machine_aliases(
        &self,
        machine: MachineId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<MachineAliasRecord>, StoreError> {
        let range = KeyRange::prefix(machine.0.to_vec());
        let after = after.map(|name| space::machine_alias_key(machine, name));
        self.records_after(space::MACHINE_ALIASES, range, after.as_deref(), limit).await
    }
}

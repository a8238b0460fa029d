//! Stored versions of state machines (API: PublishStateMachineVersion): a revision of a machine under a number, with
//! the settings of that moment. A version never changes, and its number is never given to another one.
//!
//! Every change of versions and aliases also writes the machine's own record, on the condition that it is still the one
//! that was read: changes of one machine happen one after the other, whoever makes them.

use super::changes::Changes;
use super::machine::{MachineId, MachineRecord};
use super::space;
use super::store::{Store, decode, encode};
use crate::backend::KeyRange;
use crate::batch::Key;
use crate::error::StoreError;
use crate::limits;
use serde::{Deserialize, Serialize};
use stepwell_asl::Timestamp;

/// A published version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MachineVersionRecord {
    /// The machine.
    pub machine: MachineId,
    /// Its number, from 1.
    pub number: u64,
    /// For people.
    pub description: Option<String>,
    /// When it was published.
    pub created_at: Timestamp,
    /// The revision that it stands for.
    pub revision: u64,
    /// The API's revision id of it.
    pub revision_id: Option<String>,
    /// When the machine became that revision.
    pub revised_at: Timestamp,
    /// The role at that moment.
    pub role_arn: String,
    /// The setting at that moment, JSON.
    pub logging_configuration: Option<serde_json::Value>,
    /// The setting at that moment, JSON.
    pub tracing_configuration: Option<serde_json::Value>,
    /// The setting at that moment, JSON.
    pub encryption_configuration: Option<serde_json::Value>,
}

impl MachineVersionRecord {
    /// The next version of a machine: as the machine is now.
    pub fn next(
        machine: &MachineRecord,
        description: Option<String>,
        now: Timestamp,
    ) -> MachineVersionRecord {
        MachineVersionRecord {
            machine: machine.id,
            number: machine.next_version,
            description,
            created_at: now,
            revision: machine.revision,
            revision_id: machine.revision_id.clone(),
            revised_at: machine.updated_at,
            role_arn: machine.role_arn.clone(),
            logging_configuration: machine.logging_configuration.clone(),
            tracing_configuration: machine.tracing_configuration.clone(),
            encryption_configuration: machine.encryption_configuration.clone(),
        }
    }

    /// The machine as this version of it has it.
    pub fn of(&self, machine: &MachineRecord) -> MachineRecord {
        MachineRecord {
            role_arn: self.role_arn.clone(),
            updated_at: self.revised_at,
            revision: self.revision,
            revision_id: self.revision_id.clone(),
            logging_configuration: self.logging_configuration.clone(),
            tracing_configuration: self.tracing_configuration.clone(),
            encryption_configuration: self.encryption_configuration.clone(),
            ..machine.clone()
        }
    }
}

impl Changes {
    /// A machine's record without a new revision; `expected` is the version of the record that was read.
    pub fn machine_record(&mut self, record: &MachineRecord, expected: u64) -> Result<(), StoreError> {
        self.expect(space::MACHINES, record.arn.clone().into(), Some(expected));
        self.put(space::MACHINES, record.arn.clone().into(), encode(record)?);
        Ok(())
    }

    /// The condition that a machine's record is still the one that was read.
    pub fn expect_machine(&mut self, arn: &str, expected: u64) {
        self.expect(space::MACHINES, Key::copy_from_slice(arn.as_bytes()), Some(expected));
    }

    /// A version, beside the machine's own record.
    pub fn machine_version(&mut self, record: &MachineVersionRecord) -> Result<(), StoreError> {
        let key = space::machine_version_key(record.machine, record.number);
        self.put(space::MACHINE_VERSIONS, key, encode(record)?);
        Ok(())
    }

    /// Removes a version, beside the machine's own record.
    pub fn delete_machine_version(&mut self, machine: MachineId, number: u64) {
        self.delete(space::MACHINE_VERSIONS, space::machine_version_key(machine, number));
    }
}

impl Store {
    /// A version of a machine.
    pub async fn machine_version(
        &self,
        machine: MachineId,
        number: u64,
    ) -> Result<Option<MachineVersionRecord>, StoreError> {
        self.record(space::MACHINE_VERSIONS, &space::machine_version_key(machine, number)).await
    }

    /// Versions of a machine, newest first, below the number `before`. Fewer than `limit` are not the end; none are.
    pub async fn machine_versions(
        &self,
        machine: MachineId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<MachineVersionRecord>, StoreError> {
        let mut range = KeyRange::prefix(machine.0.to_vec());
        if let Some(before) = before {
            range = range.before(space::machine_version_key(machine, before));
        }
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let page = self.backend.scan(space::MACHINE_VERSIONS, range, true, limit).await?;
        page.items.iter().map(|(key, value)| decode(space::MACHINE_VERSIONS, key, value)).collect()
    }

    /// Says that a machine is being deleted, and removes its versions and aliases with it. `record` is as read, with
    /// its version. Errors: `Conflict`, when it has changed since.
    pub async fn begin_machine_deletion(
        &self,
        record: &MachineRecord,
        expected: u64,
    ) -> Result<(), StoreError> {
        let mut changes = Changes::new();
        let record = MachineRecord { deleting: true, ..record.clone() };
        changes.machine_record(&record, expected)?;
        self.delete_dependents(record.id, &mut changes).await?;
        self.commit(changes).await
    }

    /// Removes a machine with its versions, aliases and tags, if it is still there; its revisions stay for the executions
    /// that ran them. Whether it was. Errors: `Conflict`, when it is changed at the same moment.
    pub async fn delete_machine(&self, arn: &str, id: MachineId) -> Result<bool, StoreError> {
        let found = self.machine(arn).await?.filter(|(record, _)| record.id == id);
        let Some((record, version)) = found else { return Ok(false) };
        let mut changes = Changes::new();
        changes.expect_machine(arn, version);
        changes.delete(space::MACHINES, Key::copy_from_slice(arn.as_bytes()));
        changes.delete_tags(arn);
        self.delete_dependents(record.id, &mut changes).await?;
        self.commit(changes).await?;
        Ok(true)
    }

    /// Adds the removal of what belongs to a machine: bounded by the quotas of versions and aliases.
    async fn delete_dependents(&self, machine: MachineId, changes: &mut Changes) -> Result<(), StoreError> {
        for space in [space::MACHINE_VERSIONS, space::MACHINE_ALIASES] {
            let mut range = Some(KeyRange::prefix(machine.0.to_vec()));
            while let Some(rest) = range {
                let page = self.backend.scan(space, rest, false, limits::PAGE_ITEMS).await?;
                for (key, _) in page.items {
                    changes.delete(space, key);
                }
                range = page.next;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryBackend;
    use std::sync::Arc;

    fn machine() -> MachineRecord {
        MachineRecord {
            id: MachineId([7; 16]),
            arn: "m".into(),
            name: "m".into(),
            machine_type: "STANDARD".into(),
            role_arn: "old".into(),
            created_at: Timestamp(1),
            updated_at: Timestamp(1),
            revision: 1,
            revision_id: None,
            logging_configuration: None,
            tracing_configuration: None,
            encryption_configuration: None,
            deleting: false,
            next_version: 1,
            created_with: None,
        }
    }

    async fn stored() -> (Store, MachineRecord, u64) {
        let store = Store::new(Arc::new(MemoryBackend::new()));
        let mut changes = Changes::new();
        changes.machine(&machine(), "{}", None).unwrap();
        store.commit(changes).await.unwrap();
        let (record, version) = store.machine("m").await.unwrap().unwrap();
        (store, record, version)
    }

    #[tokio::test]
    async fn versions_come_newest_first_and_keep_what_the_machine_was() {
        let (store, mut record, version) = stored().await;
        let mut changes = Changes::new();
        for number in 1..=3 {
            record.next_version = number;
            changes.machine_version(&MachineVersionRecord::next(&record, None, Timestamp(5))).unwrap();
        }
        changes.machine_record(&record, version).unwrap();
        store.commit(changes).await.unwrap();
        let numbers = |found: Vec<MachineVersionRecord>| -> Vec<u64> {
            found.into_iter().map(|version| version.number).collect()
        };
        assert_eq!(numbers(store.machine_versions(record.id, None, 9).await.unwrap()), [3, 2, 1]);
        assert_eq!(numbers(store.machine_versions(record.id, Some(3), 1).await.unwrap()), [2]);
        assert!(store.machine_versions(record.id, Some(1), 9).await.unwrap().is_empty());
        record.role_arn = "new".into();
        record.revision = 2;
        let first = store.machine_version(record.id, 1).await.unwrap().unwrap();
        assert_eq!((first.of(&record).role_arn.as_str(), first.of(&record).revision), ("old", 1));
    }

    #[tokio::test]
    async fn a_machine_takes_its_versions_and_tags_with_it() {
        let (store, record, version) = stored().await;
        let mut changes = Changes::new();
        changes.machine_version(&MachineVersionRecord::next(&record, None, Timestamp(5))).unwrap();
        changes.set_tags("m", [("a".to_owned(), "b".to_owned())].into()).unwrap();
        changes.machine_record(&record, version).unwrap();
        store.commit(changes).await.unwrap();
        // The record has changed since.
        assert!(matches!(store.begin_machine_deletion(&record, version).await, Err(StoreError::Conflict)));
        let (record, version) = store.machine("m").await.unwrap().unwrap();
        store.begin_machine_deletion(&record, version).await.unwrap();
        assert!(store.machine("m").await.unwrap().unwrap().0.deleting);
        assert!(store.machine_version(record.id, 1).await.unwrap().is_none());
        assert!(store.tags("m").await.unwrap().is_some());
        store.delete_machine("m", MachineId([7; 16])).await.unwrap();
        assert!(store.machine("m").await.unwrap().is_none() && store.tags("m").await.unwrap().is_none());
        store.delete_machine("m", MachineId([7; 16])).await.unwrap();
    }
}

//! The typed store: reads records, commits [`Changes`].
//!
//! It must never cache: what it answers is what is durable.

use super::changes::Changes;
use super::execution::{ExecutionId, ExecutionSummary, LogLine};
use super::machine::{MachineId, MachineRecord};
use super::space;
use crate::backend::{Backend, Fatal, KeyRange};
use crate::batch::{Key, Space};
use crate::error::StoreError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use stepwell_asl::{HistoryEvent, Status};

/// Typed records over a backend. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pub(super) backend: Arc<dyn Backend>,
}

/// One page of history.
#[derive(Clone, Debug, Default)]
pub struct HistoryPage {
    /// The events, in the order asked for.
    pub events: Vec<HistoryEvent>,
    /// Where the next page begins; none at the end.
    pub next_event_id: Option<u64>,
}

impl Store {
    /// A store over `backend`.
    pub fn new(backend: Arc<dyn Backend>) -> Store {
        Store { backend }
    }

    /// The backend, for its description.
    pub fn describe(&self) -> String {
        self.backend.describe()
    }

    /// Reports the failure after which nothing is acknowledged any more.
    pub fn fatal(&self) -> Fatal {
        self.backend.fatal()
    }

    /// Makes everything durable and lets go of the files.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.backend.close().await
    }

    /// Commits, all or nothing; `Ok` means durable.
    pub async fn commit(&self, changes: Changes) -> Result<(), StoreError> {
        for batch in changes.into_batches() {
            self.backend.commit(batch).await?;
        }
        Ok(())
    }

    /// A machine with the version to expect when changing it.
    pub async fn machine(&self, arn: &str) -> Result<Option<(MachineRecord, u64)>, StoreError> {
        match self.backend.get(space::MACHINES, arn.as_bytes()).await? {
            Some(stored) => {
                Ok(Some((decode(space::MACHINES, arn.as_bytes(), &stored.value)?, stored.version)))
            }
            None => Ok(None),
        }
    }

    /// The text of a revision of a machine.
    pub async fn definition(&self, machine: MachineId, revision: u64) -> Result<Option<String>, StoreError> {
        let key = space::definition_key(machine, revision);
        let stored = self.backend.get(space::DEFINITIONS, &key).await?;
        Ok(stored.map(|stored| String::from_utf8_lossy(&stored.value).into_owned()))
    }

    /// Removes a machine; its revisions stay for the executions that ran them.
    pub async fn delete_machine(&self, arn: &str) -> Result<(), StoreError> {
        let mut changes = Changes::new();
        changes.delete(space::MACHINES, Key::copy_from_slice(arn.as_bytes()));
        self.commit(changes).await
    }

    /// Machines in the order of their ARNs, from behind `after`.
    pub async fn machines(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<MachineRecord>, StoreError> {
        self.records_after(space::MACHINES, KeyRange::all(), after.map(str::as_bytes), limit).await
    }

    /// The execution that has this ARN.
    pub async fn execution_id(&self, arn: &str) -> Result<Option<ExecutionId>, StoreError> {
        // No key is longer than this; a longer ARN cannot have been stored.
        if arn.len() > crate::limits::KEY_BYTES {
            return Ok(None);
        }
        let stored = self.backend.get(space::NAMES, arn.as_bytes()).await?;
        stored.map(|stored| id_of(space::NAMES, arn.as_bytes(), &stored.value)).transpose()
    }

    /// Executions that have not ended, from behind `after`, in the order of their start.
    pub async fn open_executions(
        &self,
        after: Option<ExecutionId>,
        limit: usize,
    ) -> Result<Vec<ExecutionId>, StoreError> {
        let range = behind(KeyRange::all(), after.as_ref().map(|id| id.0.as_slice()));
        let page = self.backend.scan(space::OPEN, range, false, limit).await?;
        page.items.iter().map(|(key, _)| id_of(space::OPEN, key, key)).collect()
    }

    /// Executions of a machine, newest first, older than `before`; only those with `status` if given.
    pub async fn executions(
        &self,
        machine: MachineId,
        status: Option<Status>,
        before: Option<ExecutionId>,
        limit: usize,
    ) -> Result<Vec<(ExecutionId, ExecutionSummary)>, StoreError> {
        let (space, prefix) = match status {
            None => (space::LISTS, Key::copy_from_slice(&machine.0)),
            Some(status) => (space::STATUSES, space::status_prefix(machine, status)),
        };
        let mut range = KeyRange::prefix(prefix.clone());
        if let Some(before) = before {
            range = range.before([prefix.as_ref(), &before.0].concat());
        }
        let page = self.backend.scan(space, range, true, limit).await?;
        let mut executions = Vec::with_capacity(page.items.len());
        for (key, value) in page.items {
            let id = id_of(space, &key, &key[prefix.len()..])?;
            let summary = match status {
                None => Some(decode(space, &key, &value)?),
                Some(_) => self.record(space::LISTS, &space::list_key(machine, id)).await?,
            };
            executions.extend(summary.map(|summary| (id, summary)));
        }
        Ok(executions)
    }

    /// History events from `from` on (or from it down when `reverse`), at most `limit`.
    pub async fn history(
        &self,
        id: ExecutionId,
        from: u64,
        limit: usize,
        reverse: bool,
    ) -> Result<HistoryPage, StoreError> {
        let mut page = HistoryPage::default();
        let mut next = Some(from);
        while let Some(at) = next {
            let records = self.history_records(id, at, reverse).await?;
            next = None;
            for mut events in records {
                if reverse {
                    events.reverse();
                }
                for event in
                    events.into_iter().filter(|event| if reverse { event.id <= at } else { event.id >= at })
                {
                    if page.events.len() == limit {
                        page.next_event_id = Some(event.id);
                        return Ok(page);
                    }
                    next = if reverse {
                        event.id.checked_sub(1).filter(|id| *id > 0)
                    } else {
                        Some(event.id + 1)
                    };
                    page.events.push(event);
                }
            }
        }
        Ok(page)
    }

    /// All log lines of an execution, at most `limit` records of them.
    pub async fn log(&self, id: ExecutionId, limit: usize) -> Result<Vec<LogLine>, StoreError> {
        let range = KeyRange::prefix(id.0.to_vec());
        let page = self.backend.scan(space::LOGS, range, false, limit).await?;
        let mut lines = Vec::new();
        for (key, value) in page.items {
            lines.extend(decode::<Vec<LogLine>>(space::LOGS, &key, &value)?);
        }
        Ok(lines)
    }

    /// A page of packed history records around event `at`: forward it starts with the record that holds it.
    async fn history_records(
        &self,
        id: ExecutionId,
        at: u64,
        reverse: bool,
    ) -> Result<Vec<Vec<HistoryEvent>>, StoreError> {
        let down = KeyRange::between(space::event_key(id, 0), space::event_key(id, at.saturating_add(1)));
        let (range, limit) = if reverse {
            (down, 64)
        } else {
            let holder = self.backend.scan(space::HISTORY, down, true, 1).await?;
            let start =
                holder.items.into_iter().next().map_or_else(|| space::event_key(id, at), |(key, _)| key);
            (KeyRange::between(start, space::event_key(id, u64::MAX)), 64)
        };
        let page = self.backend.scan(space::HISTORY, range, reverse, limit).await?;
        page.items.iter().map(|(key, value)| decode(space::HISTORY, key, value)).collect()
    }

    pub(super) async fn record<T: DeserializeOwned>(
        &self,
        space: Space,
        key: &[u8],
    ) -> Result<Option<T>, StoreError> {
        if key.len() > crate::limits::KEY_BYTES {
            return Ok(None);
        }
        let stored = self.backend.get(space, key).await?;
        stored.map(|stored| decode(space, key, &stored.value)).transpose()
    }

    pub(super) async fn records_after<T: DeserializeOwned>(
        &self,
        space: Space,
        range: KeyRange,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<T>, StoreError> {
        let page = self.backend.scan(space, behind(range, after), false, limit).await?;
        page.items.iter().map(|(key, value)| decode(space, key, value)).collect()
    }
}

fn behind(range: KeyRange, after: Option<&[u8]>) -> KeyRange {
    match after {
        Some(key) => range.after(key),
        None => range,
    }
}

/// Reads an execution id that a key or a value holds.
pub(super) fn id_of(space: Space, key: &[u8], bytes: &[u8]) -> Result<ExecutionId, StoreError> {
    let id = bytes.try_into().map_err(|_| StoreError::corrupt(space, key, "an execution id has 16 bytes"))?;
    Ok(ExecutionId(id))
}

/// The stored form of a record.
pub(super) fn encode<T: Serialize + ?Sized>(record: &T) -> Result<Vec<u8>, StoreError> {
    rmp_serde::to_vec_named(record).map_err(|_| StoreError::Invalid("this record cannot be encoded"))
}

/// Reads the stored form of a record.
pub(super) fn decode<T: DeserializeOwned>(space: Space, key: &[u8], value: &[u8]) -> Result<T, StoreError> {
    rmp_serde::from_slice(value).map_err(|error| StoreError::corrupt(space, key, &error.to_string()))
}

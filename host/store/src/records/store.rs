//! The typed store: reads records, commits [`Changes`].
//!
//! It must never cache: what it answers is what is durable.

use super::apart::Texts;
use super::changes::Changes;
use super::execution::{ExecutionId, ExecutionSummary, LogLine};
use super::machine::{MachineId, MachineLook, MachineRecord};
use super::space;
use crate::backend::{Backend, Fatal, KeyRange};
use crate::batch::{Key, Space};
use crate::error::StoreError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use stepwell_asl::{HistoryEvent, Status, Timestamp};

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

/// List entries that are read at once when they are only counted.
const COUNTED_AT_ONCE: usize = 500;

/// A place in the list of open executions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListPosition(Key);

impl ListPosition {
    /// The execution there.
    pub fn execution(&self) -> Option<ExecutionId> {
        self.0.last_chunk().map(|id| ExecutionId(*id))
    }
}

/// A parked execution and the time at which it is to be woken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wake {
    /// When.
    pub at: Timestamp,
    /// Whom.
    pub id: ExecutionId,
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

    /// Whether a machine is as somebody knows it, by the version that it had then. No version is given twice, to another
    /// machine of the same ARN neither.
    pub async fn look_at_machine(&self, arn: &str, known: Option<u64>) -> Result<MachineLook, StoreError> {
        if arn.len() > crate::limits::KEY_BYTES {
            return Ok(MachineLook::Missing);
        }
        match self.backend.get(space::MACHINES, arn.as_bytes()).await? {
            None => Ok(MachineLook::Missing),
            Some(stored) if Some(stored.version) == known => Ok(MachineLook::Known),
            Some(stored) => {
                let record = decode(space::MACHINES, arn.as_bytes(), &stored.value)?;
                Ok(MachineLook::Changed(Box::new(record), stored.version))
            }
        }
    }

    /// The text of a revision of a machine.
    pub async fn definition(&self, machine: MachineId, revision: u64) -> Result<Option<String>, StoreError> {
        let key = space::definition_key(machine, revision);
        let stored = self.backend.get(space::DEFINITIONS, &key).await?;
        Ok(stored.map(|stored| String::from_utf8_lossy(&stored.value).into_owned()))
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

    /// Executions that run and do not rest, from behind `after`, which is such a position: what was in memory when the
    /// last process ended. With each, its ARN.
    pub async fn open_executions(
        &self,
        after: Option<&ListPosition>,
        limit: usize,
    ) -> Result<Vec<(ListPosition, String)>, StoreError> {
        let range = behind(KeyRange::prefix(vec![space::OPEN]), after.map(|after| &*after.0));
        let page = self.backend.scan(space::LISTS, range, false, limit).await?;
        let summaries = page.items.into_iter().map(|(key, value)| {
            let summary: ExecutionSummary = decode(space::LISTS, &key, &value)?;
            Ok((ListPosition(key), summary.execution_arn))
        });
        summaries.collect()
    }

    /// How many executions run, whether they rest or not.
    pub async fn count_running(&self) -> Result<u64, StoreError> {
        let mut count = 0;
        for list in [space::OPEN, space::PARKED] {
            let mut after: Option<Key> = None;
            loop {
                let range = behind(KeyRange::prefix(vec![list]), after.as_deref());
                let page = self.backend.scan(space::LISTS, range, false, COUNTED_AT_ONCE).await?;
                count += page.items.len() as u64;
                let Some((last, _)) = page.items.last() else { break };
                after = Some(last.clone());
            }
        }
        Ok(count)
    }

    /// What the store says about itself.
    pub async fn stats(&self) -> Result<crate::stats::Stats, StoreError> {
        self.backend.stats().await
    }

    /// Executions that rest and are to be woken up from `after` (excluded) to `until` (included), earliest first, with
    /// their ARNs; and, if that is not all of them, when the next one is.
    pub async fn wakes(
        &self,
        after: Option<Wake>,
        until: Timestamp,
        limit: usize,
    ) -> Result<(Vec<(Wake, String)>, Option<Timestamp>), StoreError> {
        let after = after.map(|wake| space::time_key(wake.at, wake.id));
        let range = behind(KeyRange::all(), after.as_deref());
        let page = self.backend.scan(space::WAKES, range, false, limit).await?;
        let mut wakes = Vec::new();
        for (key, value) in page.items {
            let wake = space::time_of(&key).map(|(at, id)| Wake { at, id });
            let wake = wake.ok_or_else(|| StoreError::corrupt(space::WAKES, &key, "it names no time"))?;
            if wake.at > until {
                return Ok((wakes, Some(wake.at)));
            }
            wakes.push((wake, String::from_utf8_lossy(&value).into_owned()));
        }
        let more = page.next.and(wakes.last().map(|(wake, _)| wake.at));
        Ok((wakes, more))
    }

    /// Executions of a machine, newest first, older than `before`; only those with `status` if given. Fewer than
    /// `limit` are not the end; none are.
    pub async fn executions(
        &self,
        machine: MachineId,
        status: Option<Status>,
        before: Option<ExecutionId>,
        limit: usize,
    ) -> Result<Vec<(ExecutionId, ExecutionSummary)>, StoreError> {
        let mut executions = Vec::new();
        // Where a page ends early, nothing older than its end may be taken from the other lists.
        let mut oldest = None;
        for list in status.map_or(space::ALL_LISTS.as_slice(), space::lists_of) {
            let prefix = space::list_prefix(*list, machine);
            let mut range = KeyRange::prefix(prefix.clone());
            if let Some(before) = before {
                range = range.before([prefix.as_ref(), &before.0].concat());
            }
            let page = self.backend.scan(space::LISTS, range, true, limit).await?;
            let more = page.next.is_some();
            for (key, value) in page.items {
                let id = id_of(space::LISTS, &key, &key[prefix.len()..])?;
                executions.push((id, decode(space::LISTS, &key, &value)?));
            }
            oldest = oldest.max(executions.last().filter(|_| more).map(|(id, _)| *id));
        }
        executions.sort_unstable_by_key(|(id, _): &(_, ExecutionSummary)| std::cmp::Reverse(*id));
        // An execution that moved on while the lists were read may be in two of them.
        executions.dedup_by_key(|(id, _)| *id);
        executions.retain(|(id, _)| oldest.is_none_or(|oldest| *id >= oldest));
        executions.truncate(limit);
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
        let (mut records, mut texts) = (Vec::new(), Texts::default());
        for (key, value) in &page.items {
            records.extend(self.entry(key, value, &mut texts).await?.map(|entry| entry.history));
            // The page was bounded without them.
            if texts.given > crate::limits::PAGE_BYTES {
                break;
            }
        }
        Ok(records)
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

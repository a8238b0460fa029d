//! What names of modules stood for before: `$LATEST`, numbers and aliases, each until a moment.
//!
//! A call on behalf of an execution takes what a name stood for when that began: the first record whose end lies behind
//! that moment, or what the name stands for now. A name that nobody had yet takes what it came to stand for first. It must
//! never be removed while an execution that began before its end may still make a call.

use super::changes::Changes;
use super::execution::ExecutionSummary;
use super::machine::MachineId;
use super::module::ModuleContent;
use super::space;
use super::store::{Store, decode, encode};
use crate::backend::KeyRange;
use crate::error::StoreError;
use serde::{Deserialize, Serialize};
use stepwell_asl::Timestamp;

/// What a qualifier of a module stood for, until it was changed or removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModulePastRecord {
    /// The module's name.
    pub name: String,
    /// `$LATEST`, a number or an alias.
    pub qualifier: String,
    /// For executions that began before this.
    pub until: Timestamp,
    /// For what.
    pub was: ModulePast,
}

/// What a qualifier stood for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ModulePast {
    /// A content: `$LATEST`, or a version by its number.
    Content {
        /// The content.
        content: ModuleContent,
        /// The version; none is `$LATEST`.
        version: Option<u64>,
    },
    /// Other versions, as an alias does.
    Alias {
        /// The version; none is `$LATEST`.
        version: Option<u64>,
        /// A second version, and its share of the calls, from 0 to 1.
        weighted: Option<(u64, f64)>,
    },
}

/// A span of time in which a qualifier stood for one thing.
#[derive(Clone, Debug, PartialEq)]
pub struct ModuleEpoch {
    /// For executions that began at this moment or later; none: from the beginning.
    pub since: Option<Timestamp>,
    /// What it stood for then; none: what it stands for now.
    pub past: Option<ModulePastRecord>,
}

impl Changes {
    /// What a qualifier stood for, beside the change that ends it.
    pub fn module_past(&mut self, record: &ModulePastRecord) -> Result<(), StoreError> {
        let key = space::module_past_key(&record.name, &record.qualifier, record.until);
        self.put(space::MODULE_PASTS, key, encode(record)?);
        Ok(())
    }

    /// Forgets what a qualifier stood for.
    pub fn delete_module_past(&mut self, record: &ModulePastRecord) {
        let key = space::module_past_key(&record.name, &record.qualifier, record.until);
        self.delete(space::MODULE_PASTS, key);
    }
}

impl Store {
    /// In which span of time a moment lies; none is now.
    pub async fn module_epoch(
        &self,
        name: &str,
        qualifier: &str,
        at: Option<Timestamp>,
    ) -> Result<ModuleEpoch, StoreError> {
        let all = KeyRange::prefix(space::module_past_prefix(name, qualifier));
        let past = match at {
            None => None,
            Some(at) => {
                let behind = all.clone().after(&space::module_past_key(name, qualifier, at));
                let page = self.backend.scan(space::MODULE_PASTS, behind, false, 1).await?;
                page.items.into_iter().next()
            }
        };
        let before = match &past {
            Some((key, _)) => all.before(key.clone()),
            None => all,
        };
        let page = self.backend.scan(space::MODULE_PASTS, before, true, 1).await?;
        let read = |key: &[u8], value: &[u8]| decode::<ModulePastRecord>(space::MODULE_PASTS, key, value);
        let since = page.items.first().map(|(key, value)| read(key, value)).transpose()?;
        let past = past.map(|(key, value)| read(&key, &value)).transpose()?;
        Ok(ModuleEpoch { since: since.map(|record| record.until), past })
    }

    /// All that names stood for, in the order of the names, from behind `after`.
    pub async fn module_pasts(
        &self,
        after: Option<&ModulePastRecord>,
        limit: usize,
    ) -> Result<Vec<ModulePastRecord>, StoreError> {
        let after = after.map(|record| space::module_past_key(&record.name, &record.qualifier, record.until));
        self.records_after(space::MODULE_PASTS, KeyRange::all(), after.as_deref(), limit).await
    }

    /// When the execution was started that has run longest. The lists are by machine, and by start within: one look for
    /// each machine that has running executions.
    pub async fn oldest_start(&self) -> Result<Option<Timestamp>, StoreError> {
        let mut oldest: Option<Timestamp> = None;
        for list in [space::OPEN, space::PARKED] {
            let mut range = KeyRange::prefix(vec![list]);
            loop {
                let page = self.backend.scan(space::LISTS, range.clone(), false, 1).await?;
                let Some((key, value)) = page.items.first() else { break };
                let summary: ExecutionSummary = decode(space::LISTS, key, value)?;
                oldest = Some(oldest.map_or(summary.started_at, |oldest| oldest.min(summary.started_at)));
                let Some(machine) = key.get(1..17).and_then(|id| id.try_into().ok()) else {
                    return Err(StoreError::corrupt(space::LISTS, key, "it names no machine"));
                };
                // On to the next machine: no id is as long as this.
                let last = [&*space::list_prefix(list, MachineId(machine)), &[u8::MAX; 17]].concat();
                range = range.after(&last);
                if range.is_empty() {
                    break;
                }
            }
        }
        Ok(oldest)
    }
}

#[cfg(test)]
mod tests {
    use super::super::execution::ExecutionId;
    use super::*;
    use crate::memory::MemoryBackend;
    use std::sync::Arc;

    fn past(qualifier: &str, until: i64) -> ModulePastRecord {
        let content = ModuleContent { sha256: format!("{qualifier}{until}"), ..ModuleContent::default() };
        ModulePastRecord {
            name: "m".into(),
            qualifier: qualifier.into(),
            until: Timestamp(until),
            was: ModulePast::Content { content, version: None },
        }
    }

    #[tokio::test]
    async fn the_oldest_start_is_found_among_all_machines_and_lists() {
        let store = Store::new(Arc::new(MemoryBackend::new()));
        assert_eq!(store.oldest_start().await.unwrap(), None);
        let mut changes = Changes::new();
        for (list, machine, number, started) in [
            (space::OPEN, 1, 1, 30),
            (space::OPEN, 1, 2, 40),
            (space::OPEN, u8::MAX, 3, 20),
            (space::PARKED, 2, 4, 25),
            (b's', 1, 0, 1),
        ] {
            let summary = ExecutionSummary {
                execution_arn: "e".into(),
                status: stepwell_asl::Status::Running,
                started_at: Timestamp(started),
                stopped_at: None,
                wakes_at: None,
                version: None,
                alias: None,
                redrive: None,
            };
            let id = ExecutionId([number; 16]);
            let key = space::list_key(list, MachineId([machine; 16]), id);
            changes.insert(space::LISTS, key, encode(&summary).unwrap());
        }
        store.commit(changes).await.unwrap();
        assert_eq!(store.oldest_start().await.unwrap(), Some(Timestamp(20)));
    }

    #[tokio::test]
    async fn a_moment_takes_what_ended_first_behind_it() {
        let store = Store::new(Arc::new(MemoryBackend::new()));
        let mut changes = Changes::new();
        for (qualifier, until) in [("$LATEST", 10), ("$LATEST", 20), ("live", 15), ("$LATESTER", 5)] {
            changes.module_past(&past(qualifier, until)).unwrap();
        }
        store.commit(changes).await.unwrap();
        let epoch = async |at: Option<i64>| {
            let epoch = store.module_epoch("m", "$LATEST", at.map(Timestamp)).await.unwrap();
            (epoch.since.map(|since| since.0), epoch.past.map(|past| past.until.0))
        };
        assert_eq!(epoch(Some(-5)).await, (None, Some(10)));
        assert_eq!(epoch(Some(9)).await, (None, Some(10)));
        assert_eq!(epoch(Some(10)).await, (Some(10), Some(20)));
        assert_eq!(epoch(Some(19)).await, (Some(10), Some(20)));
        assert_eq!(epoch(Some(20)).await, (Some(20), None));
        assert_eq!(epoch(None).await, (Some(20), None));
        let none = store.module_epoch("m", "other", Some(Timestamp(0))).await.unwrap();
        assert_eq!(none, ModuleEpoch { since: None, past: None });
        assert_eq!(store.module_pasts(None, 9).await.unwrap().len(), 4);
        assert_eq!(store.module_contents().await.unwrap().len(), 4);
    }
}

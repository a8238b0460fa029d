//! Machines in memory: records as they were last read, and parsed definitions, shared by all shards.
//!
//! A revision never changes, so its definition is never stale. A record is used only while the store says that it has the
//! same version: a change, a removal or a new machine of the same ARN is seen by whoever asks next. It must never answer
//! without having asked the store.

use crate::error::StartError;
use crate::limits;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use stepwell_asl::StateMachine;
use stepwell_store::{MachineId, MachineLook, MachineRecord, Store, StoreError};

/// What is in memory, each at most [`limits::MACHINES`].
pub(crate) struct Machines {
    store: Store,
    /// By ARN, with the version that the store had.
    records: Mutex<BTreeMap<String, (Arc<MachineRecord>, u64)>>,
    /// By machine and revision.
    parsed: Mutex<BTreeMap<(MachineId, u64), Arc<StateMachine>>>,
}

impl Machines {
    pub(crate) fn new(store: Store) -> Machines {
        Machines { store, records: Mutex::default(), parsed: Mutex::default() }
    }

    /// The machine that has this ARN now: one read, and nothing to decode unless it has changed.
    pub(crate) async fn record(&self, arn: &str) -> Result<Option<Arc<MachineRecord>>, StoreError> {
        let known = self.records().get(arn).cloned();
        let version = known.as_ref().map(|(_, version)| *version);
        match (self.store.look_at_machine(arn, version).await?, known) {
            (MachineLook::Known, Some((record, _))) => Ok(Some(record)),
            (MachineLook::Changed(record, version), _) => {
                let record: Arc<MachineRecord> = Arc::from(record);
                let mut records = self.records();
                if records.len() >= limits::MACHINES && !records.contains_key(arn) {
                    records.clear();
                }
                records.insert(arn.to_owned(), (Arc::clone(&record), version));
                Ok(Some(record))
            }
            (MachineLook::Missing | MachineLook::Known, _) => {
                self.records().remove(arn);
                Ok(None)
            }
        }
    }

    /// The definition of a revision, parsed.
    pub(crate) async fn get(
        &self,
        machine: MachineId,
        revision: u64,
    ) -> Result<Arc<StateMachine>, StartError> {
        let key = (machine, revision);
        if let Some(parsed) = self.parsed().get(&key) {
            return Ok(Arc::clone(parsed));
        }
        let text = self.store.definition(machine, revision).await?;
        let text = text.ok_or_else(|| StartError::Definition { detail: "its text is missing".to_owned() })?;
        let parsed = StateMachine::parse(&text).map_err(|problems| {
            let detail = problems.first().map(ToString::to_string).unwrap_or_default();
            StartError::Definition { detail }
        })?;
        let parsed = Arc::new(parsed);
        let mut cache = self.parsed();
        if cache.len() >= limits::MACHINES {
            cache.clear();
        }
        cache.insert(key, Arc::clone(&parsed));
        Ok(parsed)
    }

    fn records(&self) -> MutexGuard<'_, BTreeMap<String, (Arc<MachineRecord>, u64)>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn parsed(&self) -> MutexGuard<'_, BTreeMap<(MachineId, u64), Arc<StateMachine>>> {
        self.parsed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

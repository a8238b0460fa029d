//! Parsed definitions, shared by all shards.
//!
//! A revision never changes, so the cache needs no invalidation.

use crate::error::StartError;
use crate::limits;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use stepwell_asl::StateMachine;
use stepwell_store::{MachineId, Store};

/// Parsed definitions by machine and revision.
pub(crate) struct Machines {
    store: Store,
    parsed: Mutex<BTreeMap<(MachineId, u64), Arc<StateMachine>>>,
}

impl Machines {
    pub(crate) fn new(store: Store) -> Machines {
        Machines { store, parsed: Mutex::new(BTreeMap::new()) }
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

    fn parsed(&self) -> std::sync::MutexGuard<'_, BTreeMap<(MachineId, u64), Arc<StateMachine>>> {
        self.parsed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

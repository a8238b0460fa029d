//! What an account may have in a region: machines, activities, open executions (API reference, section 5.1).
//!
//! Without bounds nothing is counted. It must never count versions, aliases and tags: those belong to one machine, and are
//! counted where they are made.

use stepwell_executor::Allotment;
use stepwell_store::{Store, StoreError};

/// How many of each there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResourceBounds {
    /// State machines, also those that are being deleted.
    pub machines: u64,
    /// Activities.
    pub activities: u64,
    /// Standard executions that run.
    pub open_executions: u64,
}

/// How many there are, and may be. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Resources {
    pub(crate) machines: Allotment,
    pub(crate) activities: Allotment,
    /// Counted by the executor, once it is given to it.
    pub open_executions: Allotment,
}

impl Resources {
    /// Everybody may have as many as they like.
    pub fn unbounded() -> Resources {
        Resources::default()
    }

    /// Counts what a store has. Nothing may be begun in it before, nor meanwhile.
    pub async fn counted(store: &Store, bounds: ResourceBounds) -> Result<Resources, StoreError> {
        let ResourceBounds { machines, activities, open_executions } = bounds;
        Ok(Resources {
            machines: Allotment::bounded(machines, store.count_held_machines().await?),
            activities: Allotment::bounded(activities, store.count_held_activities().await?),
            open_executions: Allotment::bounded(open_executions, store.count_held_running().await?),
        })
    }
}

//! How long a shard has been unable to make a turn durable, and what new requests are told then.
//!
//! What is under way waits as long as it takes; a new start would only make the others wait longer.

use crate::error::StartError;
use crate::limits;
use std::sync::{Mutex, MutexGuard, PoisonError};
use stepwell_store::StoreError;
use tokio::time::Instant;

/// The commit that a shard waits for, if it waits for one.
#[derive(Default)]
pub(crate) struct Stall(Mutex<Option<Waiting>>);

struct Waiting {
    /// When the turn was first given to the store.
    since: Instant,
    /// Why it was refused, if it was.
    failure: Option<StoreError>,
}

impl Stall {
    /// A turn is given to the store, or given again.
    pub(crate) fn begin(&self) {
        self.waiting().get_or_insert_with(|| Waiting { since: Instant::now(), failure: None });
    }

    /// The store has refused the turn, and it will be given again.
    pub(crate) fn refused(&self, failure: &StoreError) {
        if let Some(waiting) = self.waiting().as_mut() {
            waiting.failure = Some(failure.clone());
        }
    }

    /// The turn is durable, or there is nothing of it to give again.
    pub(crate) fn end(&self) {
        *self.waiting() = None;
    }

    /// What a new start is told: that the store is slow, or what is wrong with it.
    pub(crate) fn refusal(&self) -> Option<StartError> {
        let waiting = self.waiting();
        let waiting = waiting.as_ref().filter(|waiting| waiting.since.elapsed() > limits::COMMIT_PATIENCE)?;
        match &waiting.failure {
            Some(StoreError::Conflict) | None => Some(StartError::Busy),
            Some(failure) => Some(StartError::Store(failure.clone())),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Option<Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

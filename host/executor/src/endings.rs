//! Who waits for the ends of a shard's executions.
//!
//! They are told after the commit, and read for themselves what it says. Where an execution is meanwhile, in memory or
//! not, makes no difference. Whoever gives up is forgotten at once.

use crate::error::WaitError;
use crate::limits;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use stepwell_store::ExecutionId;
use tokio::sync::oneshot;

/// Those who wait, of one shard.
#[derive(Default)]
pub(crate) struct Endings(Mutex<Waiters>);

#[derive(Default)]
struct Waiters {
    /// By execution, and in the order in which they came.
    by_execution: BTreeMap<(ExecutionId, u64), oneshot::Sender<()>>,
    came: u64,
    closed: bool,
}

/// One who waits.
pub(crate) struct Waiter {
    endings: Arc<Endings>,
    place: (ExecutionId, u64),
    told: oneshot::Receiver<()>,
}

impl Endings {
    /// Notes one more who waits. Whoever then reads that the execution runs will be told of its end.
    pub(crate) fn enter(self: &Arc<Self>, id: ExecutionId) -> Result<Waiter, WaitError> {
        let (tell, told) = oneshot::channel();
        let mut waiters = self.waiters();
        if waiters.closed {
            return Err(WaitError::ShuttingDown);
        }
        if waiters.by_execution.len() >= limits::WAITERS {
            return Err(WaitError::Busy);
        }
        waiters.came += 1;
        let place = (id, waiters.came);
        waiters.by_execution.insert(place, tell);
        drop(waiters);
        Ok(Waiter { endings: Arc::clone(self), place, told })
    }

    /// Tells all who wait for an execution to look.
    pub(crate) fn tell(&self, id: ExecutionId) {
        let mut waiters = self.waiters();
        let places = waiters.by_execution.range((id, 0)..=(id, u64::MAX));
        for place in places.map(|(place, _)| *place).collect::<Vec<_>>() {
            if let Some(waiter) = waiters.by_execution.remove(&place) {
                // One who has given up meanwhile need not be told.
                let _ = waiter.send(());
            }
        }
    }

    /// Tells everybody: no execution of this shard will end in this life any more.
    pub(crate) fn close(&self) {
        let mut waiters = self.waiters();
        waiters.closed = true;
        waiters.by_execution.clear();
    }

    fn waiters(&self) -> MutexGuard<'_, Waiters> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter {
    /// Waits until it is time to look.
    pub(crate) async fn told(mut self) {
        // An error is news as well: nobody will tell any more.
        let _ = (&mut self.told).await;
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.endings.waiters().by_execution.remove(&self.place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    const ONE: ExecutionId = ExecutionId([1; 16]);
    const TWO: ExecutionId = ExecutionId([2; 16]);
    const THREE: ExecutionId = ExecutionId([3; 16]);

    fn waiting(endings: &Endings) -> usize {
        endings.waiters().by_execution.len()
    }

    #[test]
    fn those_who_wait_for_an_execution_are_told_and_no_others() {
        let endings = Arc::new(Endings::default());
        let [one, two, twice, three] = [ONE, TWO, TWO, THREE].map(|id| endings.enter(id).ok().unwrap());
        endings.tell(TWO);
        assert_eq!(waiting(&endings), 2);
        assert!([two, twice].into_iter().all(|waiter| waiter.told().now_or_never().is_some()));
        assert!([one, three].into_iter().all(|waiter| waiter.told().now_or_never().is_none()));
        assert_eq!(waiting(&endings), 0, "who gave up is forgotten");
    }

    #[test]
    fn there_is_a_most_and_an_end() {
        let endings = Arc::new(Endings::default());
        let all: Vec<Waiter> = (0..limits::WAITERS).map(|_| endings.enter(ONE).ok().unwrap()).collect();
        assert_eq!(endings.enter(TWO).err(), Some(WaitError::Busy));
        endings.close();
        assert!(all.into_iter().all(|waiter| waiter.told().now_or_never().is_some()));
        assert_eq!(endings.enter(ONE).err(), Some(WaitError::ShuttingDown));
    }
}

//! Who waits for the ends of a shard's executions.
//!
//! They are told after the commit, and read for themselves what it says. Where an execution is meanwhile, in memory or
//! not, makes no difference. Whoever gives up is forgotten at once.

use crate::error::WaitError;
use crate::limits;
use crate::quiescence::Hold;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use stepwell_store::ExecutionId;
use tokio::sync::oneshot;
use tokio::task_local;

/// Those who wait, of one shard.
#[derive(Default)]
pub(crate) struct Endings(Mutex<Waiters>);

#[derive(Default)]
struct Waiters {
    /// By execution, and in the order in which they came.
    by_execution: BTreeMap<(ExecutionId, u64), oneshot::Sender<Hold>>,
    came: u64,
    closed: bool,
}

/// One who waits.
pub(crate) struct Waiter {
    endings: Arc<Endings>,
    place: (ExecutionId, u64),
    told: oneshot::Receiver<Hold>,
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

    /// Tells all who wait for an execution to look. Each gets a hold of virtual time, until it has said what follows.
    pub(crate) fn tell(&self, id: ExecutionId, hold: impl Fn() -> Hold) {
        let mut waiters = self.waiters();
        let places = waiters.by_execution.range((id, 0)..=(id, u64::MAX));
        for place in places.map(|(place, _)| *place).collect::<Vec<_>>() {
            if let Some(waiter) = waiters.by_execution.remove(&place) {
                // One who has given up meanwhile need not be told.
                let _ = waiter.send(hold());
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
        if let Ok(hold) = (&mut self.told).await {
            keep(hold);
        }
    }
}

task_local! {
    /// What keeps virtual time from being skipped while a task that waits for an end has something to do.
    static HELD: RefCell<Option<Hold>>;
}

/// Runs a future that waits for ends, holding time but for when it waits; gives back what it holds then.
pub(crate) async fn holding<T>(hold: Hold, future: impl Future<Output = T>) -> (T, Option<Hold>) {
    let work = async { (future.await, HELD.with(RefCell::take)) };
    HELD.scope(RefCell::new(Some(hold)), work).await
}

fn keep(hold: Hold) {
    // Who is no task of an execution holds nothing: time goes on without it.
    let _ = HELD.try_with(|held| held.replace(Some(hold)));
}

/// Lets time go on: whoever waits is told of what it waits for.
pub(crate) fn let_go() {
    let _ = HELD.try_with(|held| held.replace(None));
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.endings.waiters().by_execution.remove(&self.place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quiescence::Quiescence;
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
        endings.tell(TWO, || Quiescence::default().hold());
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

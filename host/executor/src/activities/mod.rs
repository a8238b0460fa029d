//! Activities: tasks that wait for a worker, and workers that wait for a task (API: GetActivityTask).
//!
//! What waits is an index in memory, of what executions owe: it is made anew after a restart. A task that is given to a
//! worker here is not handed out yet: only the shard of its execution does that, durably. A task is never in the hands of
//! somebody who can vanish with it: whoever holds one gives it back when dropped.

mod delivery;
mod line;

use crate::error::PollError;
use crate::limits;
pub(crate) use delivery::Delivery;
pub use delivery::HandedTask;
use line::Line;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use stepwell_asl::WorkId;
use stepwell_store::ExecutionId;
use tokio::sync::oneshot;

/// A task that waits for a worker.
#[derive(Clone, Debug)]
pub(crate) struct Offered {
    pub(crate) id: ExecutionId,
    pub(crate) execution_arn: String,
    pub(crate) work: WorkId,
    /// Whether a worker had been given it before and never got it.
    pub(crate) again: bool,
}

/// All activities that somebody waits for.
#[derive(Default)]
pub(crate) struct Activities(Mutex<State>);

#[derive(Default)]
struct State {
    /// By ARN, without those where nobody and nothing waits.
    lines: BTreeMap<String, Line>,
    pollers: usize,
    came: u64,
}

/// A worker that waits. When it is dropped it waits no more, and what it has not taken is given back.
pub(crate) struct Poller {
    activities: Arc<Activities>,
    activity: String,
    number: u64,
    receiver: oneshot::Receiver<Offered>,
}

/// A task on its way from the line to its shard. It goes back to the line when it is dropped.
pub(crate) struct Ticket {
    activities: Arc<Activities>,
    activity: String,
    offered: Option<Offered>,
}

impl Activities {
    /// Lets a task wait for a worker of its activity.
    pub(crate) fn offer(&self, activity: &str, offered: Offered) {
        self.add(activity, offered, false);
    }

    /// The same for one that had been taken out of the line: it is the next.
    pub(crate) fn put_back(&self, activity: &str, offered: Offered) {
        self.add(activity, offered, true);
    }

    fn add(&self, activity: &str, offered: Offered, first: bool) {
        self.change(activity, |line| line.add_task(offered, first));
    }

    /// Takes a task out that is no longer to be handed out, if it is there.
    pub(crate) fn withdraw(&self, activity: &str, id: ExecutionId, work: WorkId) {
        self.change(activity, |line| line.remove_task(id, work));
    }

    /// Lets a worker wait. Errors: too many do.
    pub(crate) fn poll(self: &Arc<Self>, activity: &str) -> Result<Poller, PollError> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state();
        if state.lines.get(activity).map_or(0, Line::pollers) >= limits::ACTIVITY_POLLERS {
            return Err(PollError::WorkerLimitExceeded);
        }
        if state.pollers >= limits::POLLERS {
            return Err(PollError::Busy);
        }
        state.came += 1;
        state.pollers += 1;
        let number = state.came;
        drop(state);
        self.change(activity, |line| line.add_poller(number, sender));
        Ok(Poller { activities: Arc::clone(self), activity: activity.to_owned(), number, receiver })
    }

    /// Changes a line, and gives its tasks to its workers.
    fn change(&self, activity: &str, change: impl FnOnce(&mut Line)) {
        let mut state = self.state();
        if !state.lines.contains_key(activity) {
            state.lines.insert(activity.to_owned(), Line::default());
        }
        let Some(line) = state.lines.get_mut(activity) else { return };
        change(line);
        let (gone, empty) = (line.match_up(), line.is_empty());
        state.pollers -= gone;
        if empty {
            state.lines.remove(activity);
        }
    }

    fn forget_poller(&self, activity: &str, number: u64) {
        let mut removed = false;
        self.change(activity, |line| removed = line.remove_poller(number));
        if removed {
            self.state().pollers -= 1;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Poller {
    /// Waits for a task.
    pub(crate) async fn ticket(&mut self) -> Ticket {
        let offered = (&mut self.receiver).await.ok();
        if offered.is_none() {
            // The line never drops a worker without a task.
            std::future::pending::<()>().await;
        }
        Ticket { activities: Arc::clone(&self.activities), activity: self.activity.clone(), offered }
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        self.activities.forget_poller(&self.activity, self.number);
        self.receiver.close();
        if let Ok(offered) = self.receiver.try_recv() {
            self.activities.put_back(&self.activity, offered);
        }
    }
}

impl Ticket {
    /// Takes the task out: from now on it is the caller's to give back.
    pub(crate) fn take(mut self) -> Option<Offered> {
        self.offered.take()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(offered) = self.offered.take() {
            self.activities.put_back(&self.activity, offered);
        }
    }
}

/// Whether two ARNs are of the same account: nobody has business with the activities of another one.
pub(crate) fn same_account(one: &str, other: &str) -> bool {
    let account = |arn: &str| arn.split(':').nth(4).map(str::to_owned);
    account(one) == account(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use stepwell_asl::BranchId;

    fn task(serial: u64) -> Offered {
        let work = WorkId { branch: BranchId::ROOT, serial };
        Offered { id: ExecutionId([1; 16]), execution_arn: String::new(), work, again: false }
    }

    #[tokio::test]
    async fn whoever_vanishes_with_a_task_gives_it_back() {
        let activities = Arc::<Activities>::default();
        activities.offer("a", task(1));
        // Before it has looked, and after.
        drop(activities.poll("a").unwrap());
        drop(activities.poll("a").unwrap().ticket().await);
        let mut other = activities.poll("b").unwrap();
        let mut poller = activities.poll("a").unwrap();
        assert_eq!(poller.ticket().await.take().unwrap().work, task(1).work);
        drop(poller);
        assert!(other.receiver.try_recv().is_err(), "it is another activity");
        drop(other);
        let state = activities.state();
        assert_eq!((state.pollers, state.lines.len()), (0, 0), "nothing is left behind");
    }

    #[tokio::test]
    async fn a_withdrawn_task_is_not_given_out() {
        let activities = Arc::<Activities>::default();
        activities.offer("a", task(1));
        activities.offer("a", task(2));
        activities.withdraw("a", task(1).id, task(1).work);
        let mut poller = activities.poll("a").unwrap();
        assert_eq!(poller.ticket().await.take().unwrap().work, task(2).work);
    }

    #[test]
    fn workers_are_bounded() {
        let activities = Arc::<Activities>::default();
        let mut pollers: Vec<Poller> =
            (0..limits::ACTIVITY_POLLERS).map(|_| activities.poll("a").unwrap()).collect();
        assert!(matches!(activities.poll("a"), Err(PollError::WorkerLimitExceeded)));
        pollers.pop();
        assert!(activities.poll("a").is_ok());
    }
}

//! The timers of one shard, ordered by their due time. The executions' own checkpoints are the truth; this is
//! an index that is rebuilt when a shard adopts an execution.

use std::collections::BTreeSet;
use stepwell_asl::{Timestamp, WorkId};
use stepwell_store::ExecutionId;

/// Pending timers.
#[derive(Default)]
pub(super) struct Timers {
    due: BTreeSet<(Timestamp, ExecutionId, WorkId)>,
}

impl Timers {
    pub(super) fn set(&mut self, at: Timestamp, id: ExecutionId, work: WorkId) {
        self.due.insert((at, id, work));
    }

    pub(super) fn clear(&mut self, at: Timestamp, id: ExecutionId, work: WorkId) {
        self.due.remove(&(at, id, work));
    }

    pub(super) fn len(&self) -> usize {
        self.due.len()
    }

    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, ..)| *at)
    }

    /// Takes one timer whose time has come.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<(ExecutionId, WorkId)> {
        let (at, id, work) = *self.due.first()?;
        if at > now {
            return None;
        }
        self.due.pop_first();
        Some((id, work))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(serial: u64) -> WorkId {
        WorkId { branch: stepwell_asl::BranchId::ROOT, serial }
    }

    #[test]
    fn timers_fire_in_order_and_not_before_their_time() {
        let (one, two) = (ExecutionId([1; 16]), ExecutionId([2; 16]));
        let mut timers = Timers::default();
        timers.set(Timestamp(20), one, work(1));
        timers.set(Timestamp(10), two, work(1));
        timers.set(Timestamp(15), two, work(2));
        timers.clear(Timestamp(15), two, work(2));
        assert_eq!(timers.pop_due(Timestamp(9)), None);
        assert_eq!(timers.next_due(), Some(Timestamp(10)));
        assert_eq!(timers.pop_due(Timestamp(20)), Some((two, work(1))));
        assert_eq!(timers.pop_due(Timestamp(20)), Some((one, work(1))));
        assert_eq!(timers.next_due(), None);
    }
}

//! Machines that are being deleted: their executions end at their next transition (API: DeleteStateMachine).
//!
//! Shared by all shards. It only says which machines these are: the store has it too, and whoever opens the executor says
//! so again after a restart. It must never hold up a shard.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};
use stepwell_asl::EventKind;
use stepwell_store::MachineId;

/// The machines that are being deleted.
#[derive(Default)]
pub(crate) struct Deletions {
    /// Whether there are any: nearly always there are none, and then nobody looks further.
    any: AtomicBool,
    machines: RwLock<BTreeSet<MachineId>>,
}

impl Deletions {
    /// From now on the executions of this machine end at their next transition.
    pub(crate) fn add(&self, machine: MachineId) {
        self.machines.write().unwrap_or_else(PoisonError::into_inner).insert(machine);
        self.any.store(true, Ordering::Release);
    }

    /// The machine is gone.
    pub(crate) fn remove(&self, machine: MachineId) {
        let mut machines = self.machines.write().unwrap_or_else(PoisonError::into_inner);
        machines.remove(&machine);
        self.any.store(!machines.is_empty(), Ordering::Release);
    }

    /// Whether an execution of this machine ends with this event, should it still run after it.
    pub(crate) fn end(&self, machine: MachineId, event: &EventKind) -> bool {
        self.any.load(Ordering::Acquire)
            && is_transition(event)
            && self.machines.read().unwrap_or_else(PoisonError::into_inner).contains(&machine)
    }
}

/// Whether an event leads on, rather than telling how far the work is that goes on.
fn is_transition(event: &EventKind) -> bool {
    match event {
        EventKind::TaskSucceeded { .. }
        | EventKind::TaskFailed { .. }
        | EventKind::TimerFired { .. }
        | EventKind::Continued { .. } => true,
        EventKind::Start
        | EventKind::Redrive { .. }
        | EventKind::TaskStarted { .. }
        | EventKind::TaskSubmitted { .. }
        | EventKind::TaskHeartbeat { .. }
        | EventKind::ActivityScheduled { .. }
        | EventKind::TaskDelivered { .. }
        | EventKind::TaskReturned { .. }
        | EventKind::TaskStartedAgain { .. }
        | EventKind::Stop { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stepwell_asl::WorkId;

    #[test]
    fn only_transitions_of_machines_that_go_are_the_last() {
        let (one, other) = (MachineId([1; 16]), MachineId([2; 16]));
        let fired = EventKind::TimerFired { work: WorkId::EXECUTION };
        let deletions = Deletions::default();
        assert!(!deletions.end(one, &fired));
        deletions.add(one);
        assert!(deletions.end(one, &fired) && !deletions.end(other, &fired));
        assert!(!deletions.end(one, &EventKind::Start));
        assert!(!deletions.end(one, &EventKind::TaskHeartbeat { work: WorkId::EXECUTION }));
        deletions.remove(one);
        assert!(!deletions.end(one, &fired));
    }
}

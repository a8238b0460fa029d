//! An execution in memory, with what runs for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use stepwell_asl::jsonata::NoEvaluator;
use stepwell_asl::{Event, EventKind, Execution, StateMachine, Timestamp, Transition, WorkId, step};
use stepwell_store::StartRecord;
use tokio::task::AbortHandle;

/// One open execution of a shard.
pub(super) struct Live {
    pub(super) machine: Arc<StateMachine>,
    pub(super) record: StartRecord,
    pub(super) execution: Execution,
    /// Running tasks.
    pub(super) tasks: BTreeMap<WorkId, AbortHandle>,
    /// Timers that are set.
    pub(super) timers: BTreeMap<WorkId, Timestamp>,
    last_event_at: Timestamp,
}

impl Live {
    pub(super) fn new(machine: Arc<StateMachine>, record: StartRecord, execution: Execution) -> Live {
        Live {
            machine,
            record,
            execution,
            tasks: BTreeMap::new(),
            timers: BTreeMap::new(),
            last_event_at: Timestamp(i64::MIN),
        }
    }

    /// Moves the execution. History never runs backwards, even when the clock does.
    pub(super) fn step(&mut self, now: Timestamp, kind: EventKind) -> Transition {
        let at = now.max(self.last_event_at).max(self.execution.context.start_time);
        self.last_event_at = at;
        // The placeholder lives only until the caller puts the transition's execution in its place.
        let execution = std::mem::replace(&mut self.execution, Execution::placeholder());
        step(&self.machine, execution, Event { at, kind }, &NoEvaluator)
    }

    pub(super) fn abort_tasks(&mut self) {
        for (_, task) in std::mem::take(&mut self.tasks) {
            task.abort();
        }
    }
}

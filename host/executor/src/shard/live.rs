//! An execution in memory, with what runs for it.

use super::away::Away;
use crate::allotment::Lot;
use crate::revive::Revived;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use stepwell_asl::{Activity, Event, EventKind, Execution, StateMachine, TaskWork, Timestamp, WorkId};
use stepwell_store::Tracked;
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// One open execution of a shard.
pub(super) struct Live {
    pub(super) machine: Arc<StateMachine>,
    /// What the store holds of it.
    pub(super) tracked: Tracked,
    /// A placeholder while a step has it: for those with `away`, between two turns as well.
    pub(super) execution: Execution,
    /// Set when the steps are taken on the lane.
    pub(super) away: Option<Box<Away>>,
    /// Running tasks.
    pub(super) tasks: BTreeMap<WorkId, Running>,
    /// Timers that are set.
    pub(super) timers: BTreeMap<WorkId, Timestamp>,
    /// Tasks that wait for a worker, with the ARNs of their activities.
    pub(super) offered: BTreeMap<WorkId, String>,
    /// Tasks whose timers are later than the store says, because they were heard of.
    pub(super) heard_of: BTreeSet<WorkId>,
    /// Its place among the open executions of its account; none once its end is committed.
    open: Option<Lot>,
    last_event_at: Timestamp,
}

/// A task that runs.
pub(super) struct Running {
    handle: AbortHandle,
    /// Whether it is the second half of a job: it waits for the end of what was started.
    pub(super) awaits_job: bool,
}

impl Running {
    pub(super) fn new(handle: AbortHandle, awaits_job: bool) -> Running {
        Running { handle, awaits_job }
    }

    pub(super) fn abort(self) {
        self.handle.abort();
    }
}

/// Where an execution stood before a step: what the store has to be told beside the transition.
#[derive(Clone, Copy)]
pub(super) struct Before {
    /// When the step was taken.
    pub(super) at: Timestamp,
    /// The same by a clock that nobody sets.
    pub(super) began: Instant,
    pub(super) last_event: u64,
}

impl Live {
    pub(super) fn new(machine: Arc<StateMachine>, tracked: Tracked, execution: Execution, open: Lot) -> Live {
        let away = machine.uses_jsonata().then(|| Box::new(Away::new(&execution.context)));
        Live {
            machine,
            tracked,
            execution,
            away,
            tasks: BTreeMap::new(),
            timers: BTreeMap::new(),
            offered: BTreeMap::new(),
            heard_of: BTreeSet::new(),
            open: Some(open),
            last_event_at: Timestamp(i64::MIN),
        }
    }

    /// One that was read back: its next event is not earlier than its last one, also when the clock was set back
    /// meanwhile.
    pub(super) fn revived(revived: Revived, open: Lot) -> Live {
        let Revived { machine, tracked, execution, last_event_at } = revived;
        Live { last_event_at, ..Live::new(machine, tracked, execution, open) }
    }

    /// Notes that it is open no longer.
    pub(super) fn ended(&mut self) {
        self.open = None;
    }

    /// Notes that it leaves memory and is as open as before.
    pub(super) fn stays_open(&mut self) {
        if let Some(open) = self.open.take() {
            open.keep();
        }
    }

    /// Takes the execution out for a step. The caller puts the transition's execution in its place.
    pub(super) fn take(&mut self, now: Timestamp, kind: EventKind) -> (Before, Execution, Event) {
        let last_event = self.execution.progress.last_event_id;
        // History never runs backwards, even when the clock does.
        let at = now.max(self.last_event_at).max(self.execution.context.start_time);
        self.last_event_at = at;
        let before = Before { at, began: Instant::now(), last_event };
        (before, std::mem::replace(&mut self.execution, Execution::placeholder()), Event { at, kind })
    }

    /// When the execution was started.
    pub(super) fn started_at(&self) -> Timestamp {
        self.away.as_ref().map_or(self.execution.context.start_time, |away| away.started_at)
    }

    /// ARN of the execution.
    pub(super) fn execution_arn(&self) -> &str {
        self.away.as_ref().map_or(&self.execution.context.execution_arn, |away| &away.execution_arn)
    }

    /// When the execution ended. One that is with the lane had not ended before; the placeholder says the same.
    pub(super) fn stopped_at(&self) -> Option<Timestamp> {
        self.execution.progress.stop_time
    }

    /// Whether work is a task, as a task's timer has the same work as the task.
    pub(super) fn is_task(&self, work: WorkId) -> bool {
        let activity = self.execution.branches.get(&work.branch).map(|branch| &branch.activity);
        matches!(activity, Some(Activity::Task(task)) if task.work == work)
    }

    /// Whether something runs for a task already, or a worker is awaited: of a job, for the half that it stands in.
    pub(super) fn runs(&self, task: &TaskWork) -> bool {
        let running = self.tasks.get(&task.work);
        running.is_some_and(|running| running.awaits_job == task.submission.is_some())
            || self.offered.contains_key(&task.work)
    }

    /// Whether something is under way that a shut-down waits for: a task, or a step. The end of a job may be far away.
    pub(super) fn is_busy(&self) -> bool {
        self.tasks.values().any(|task| !task.awaits_job)
            || self.away.as_ref().is_some_and(|away| !away.is_here())
    }

    /// The same, or an event waits for a step.
    pub(super) fn is_busy_or_queued(&self) -> bool {
        self.is_busy() || self.away.as_ref().is_some_and(|away| !away.is_idle())
    }

    /// Whether nothing at all is under way for it: no task, no step, and no event that waits for one.
    pub(super) fn is_idle(&self) -> bool {
        self.tasks.is_empty() && self.away.as_ref().is_none_or(|away| away.is_idle())
    }

    pub(super) fn abort_tasks(&mut self) {
        for (_, task) in std::mem::take(&mut self.tasks) {
            task.abort();
        }
    }
}

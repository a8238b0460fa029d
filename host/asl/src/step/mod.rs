//! `step`: one event moves one execution. The heart of Stepwell, and the only code that changes an [`Execution`].
//!
//! Total and deterministic: no `Result`, no clock, no unseeded randomness. A late, duplicate or unknown event
//! changes nothing. It must never do what it says is to be done: it answers with commands.

mod branch_run;
mod ending;
mod recorder;
mod task_run;

use crate::definition::StateMachine;
use crate::event::{Event, EventKind};
use crate::execution::{Activity, BranchId, Command, Execution, Status, Work, WorkId};
use crate::history::HistoryEvent;
use crate::states_error::StatesError;
use crate::timestamp::Timestamp;

/// What one event did.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// The execution afterwards.
    pub execution: Execution,
    /// New history events, ids following on. Empty when the event changed nothing.
    pub history: Vec<HistoryEvent>,
    /// Changes of the pending work, in order.
    pub commands: Vec<Command>,
}

/// Moves `execution` of `machine` by one event.
pub fn step(machine: &StateMachine, execution: Execution, event: Event) -> Transition {
    let mut step =
        Step { machine, execution, at: event.at, history: Vec::new(), commands: Vec::new(), entered: 0 };
    if step.execution.status == Status::Running {
        step.apply(event.kind);
    }
    Transition { execution: step.execution, history: step.history, commands: step.commands }
}

/// One step under way.
struct Step<'m> {
    machine: &'m StateMachine,
    execution: Execution,
    at: Timestamp,
    history: Vec<HistoryEvent>,
    commands: Vec<Command>,
    /// States entered in this step, bounded by [`crate::limits::STATES_PER_STEP`].
    entered: usize,
}

impl Step<'_> {
    fn apply(&mut self, event: EventKind) {
        match event {
            EventKind::Start => self.start(),
            EventKind::Stop { error, cause } => self.abort(error, cause),
            EventKind::TaskSucceeded { work, result } => {
                if let Some(branch) = self.branch_with_task(work) {
                    self.task_succeeded(branch, result);
                }
            }
            EventKind::TaskFailed { work, error } => {
                if let Some(branch) = self.branch_with_task(work) {
                    self.task_failed(branch, error);
                }
            }
            EventKind::TimerFired { work } => self.timer_fired(work),
            EventKind::Continued { work } => {
                if let Some(branch) = self.branch_waiting_for(work)
                    && let Activity::Ready { .. } = self.execution.branches[&branch].activity
                {
                    self.resume(branch);
                }
            }
        }
    }

    fn start(&mut self) {
        if self.execution.last_event_id > 0 {
            return;
        }
        if let Some(seconds) = self.machine.timeout_seconds {
            let at = self.at.plus_seconds(seconds);
            self.execution.deadline = Some(at);
            self.dispatch(Work::Timer { work: WorkId::EXECUTION, at });
        }
        self.record_started();
        let start_at = self.machine.start_at.clone();
        let input = self.execution.input.clone();
        self.enter_branch(BranchId::ROOT, None, start_at, input);
    }

    fn timer_fired(&mut self, work: WorkId) {
        if work == WorkId::EXECUTION {
            if self.execution.deadline.is_some() {
                self.time_out();
            }
            return;
        }
        let Some(branch) = self.branch_waiting_for(work) else { return };
        match &self.execution.branches[&branch].activity {
            Activity::Ready { .. } => {}
            Activity::Waiting { .. } => self.wait_ended(branch),
            Activity::BackingOff { .. } => self.task_retried(branch),
            Activity::Task(task) => {
                if task.deadline.is_some() {
                    self.task_failed(branch, StatesError::timeout());
                }
            }
        }
    }

    fn branch_waiting_for(&self, work: WorkId) -> Option<BranchId> {
        let branches = self.execution.branches.iter();
        branches.filter(|(_, branch)| branch.activity.work() == work).map(|(id, _)| *id).next()
    }

    fn branch_with_task(&self, work: WorkId) -> Option<BranchId> {
        let branch = self.branch_waiting_for(work)?;
        matches!(self.execution.branches[&branch].activity, Activity::Task(_)).then_some(branch)
    }

    fn dispatch(&mut self, work: Work) {
        self.commands.push(Command::Dispatch(work));
    }

    fn new_work(&mut self) -> WorkId {
        let work = WorkId(self.execution.next_work);
        self.execution.next_work += 1;
        work
    }
}

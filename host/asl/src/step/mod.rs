//! `step`: one event moves one execution. The heart of Stepwell, and the only code that changes an [`Execution`].
//!
//! Total and deterministic: no `Result`, no clock, no unseeded randomness, and an [`Evaluator`] that has none either. A late, duplicate or unknown event
//! changes nothing. It must never do what it says is to be done: it answers with commands.

mod abort;
mod branch_run;
mod ending;
mod failure;
mod join;
mod quotas;
mod recorder;
mod redrive;
mod task_run;
mod variables;

pub(crate) use self::quotas::{exit_text, result_text};
use crate::context_object::{ContextObject, TaskContext};
use crate::definition::StateMachine;
use crate::event::{Event, EventKind};
use crate::execution::{
    Activity, Branch, BranchId, Changed, Command, Derived, Execution, Remains, Status, Work, WorkId,
};
use crate::history::HistoryEvent;
use crate::jsonata::Evaluator;
use crate::states::State;
use crate::task_token::TaskToken;
use crate::timestamp::Timestamp;
use std::collections::VecDeque;
use std::sync::Arc;

/// What one event did.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// The execution afterwards.
    pub execution: Execution,
    /// New history events, ids following on.
    pub history: Vec<HistoryEvent>,
    /// Changes of the pending work, in order.
    pub commands: Vec<Command>,
    /// The parts of the execution that changed.
    pub changed: Changed,
}

impl Transition {
    /// Whether nothing came of the event: it was late, or a duplicate.
    pub fn is_nothing(&self) -> bool {
        self.history.is_empty() && self.commands.is_empty() && self.changed == Changed::default()
    }
}

/// Moves `execution` of `machine` by one event. `jsonata` is asked for the values of expressions.
pub fn step(
    machine: &StateMachine,
    execution: Execution,
    event: Event,
    jsonata: &dyn Evaluator,
) -> Transition {
    let mut step = Step {
        machine,
        jsonata,
        execution,
        at: event.at,
        history: Vec::new(),
        commands: Vec::new(),
        changed: Changed::default(),
        runnable: VecDeque::new(),
        entered: 0,
        bytes: 0,
        passed_on: None,
        history_full: false,
        remains: Remains::default(),
    };
    match (step.execution.progress.status, event.kind) {
        (Status::Running, kind) => step.apply(kind),
        (Status::Failed | Status::Aborted | Status::TimedOut, EventKind::Redrive { number }) => {
            step.redrive(number);
        }
        // Too late.
        (Status::Succeeded | Status::Failed | Status::Aborted | Status::TimedOut, _) => {}
    }
    if step.execution.progress.status == Status::Running {
        step.drain();
    }
    let Step { execution, history, commands, changed, .. } = step;
    Transition { execution, history, commands, changed }
}

/// One step under way.
struct Step<'m> {
    machine: &'m StateMachine,
    jsonata: &'m dyn Evaluator,
    execution: Execution,
    at: Timestamp,
    history: Vec<HistoryEvent>,
    commands: Vec<Command>,
    changed: Changed,
    /// Branches that stand before a state. They are in none of the execution's lists until they wait again.
    runnable: VecDeque<(BranchId, Branch)>,
    /// States entered in this step, bounded by [`crate::limits::STATES_PER_STEP`].
    entered: usize,
    /// Text recorded and handed to branches in this step, bounded by [`crate::limits::STEP_BYTES`].
    bytes: usize,
    /// The text of the last output that became the input of the same branch's next state: it is recorded twice.
    passed_on: Option<(BranchId, String)>,
    /// An event found no room in the history: the execution fails at the end of the step.
    history_full: bool,
    /// What an error has taken down on its way so far. It is forgotten where the error is handled, and stays with the
    /// execution when it ends.
    remains: Remains,
}

impl<'m> Step<'m> {
    fn apply(&mut self, event: EventKind) {
        match event {
            EventKind::Start => self.start(),
            EventKind::Stop { error, cause } => self.abort(error, cause),
            // It runs already.
            EventKind::Redrive { .. } => {}
            EventKind::TaskStarted { work, worker_name } => {
                if let Some(branch) = self.branch_with_task(work) {
                    self.task_started(branch, worker_name, false);
                }
            }
            EventKind::TaskStartedAgain { work, worker_name } => {
                if let Some(branch) = self.branch_with_task(work) {
                    self.task_started(branch, worker_name, true);
                }
            }
            EventKind::ActivityScheduled { work } => {
                if let Some(branch) = self.branch_with_task(work) {
                    self.activity_scheduled(branch);
                }
            }
            EventKind::TaskDelivered { work } => {
                if let Some(branch) = self.branch_with_task(work) {
                    self.task_delivered(branch);
                }
            }
            EventKind::TaskReturned { work } => {
                if let Some(branch) = self.branch_with_task(work) {
                    self.task_returned(branch);
                }
            }
            EventKind::TaskSubmitted { work, output } => {
                if let Some(branch) = self.branch_with_task(work) {
                    self.task_submitted(branch, &output);
                }
            }
            EventKind::TaskHeartbeat { work } => {
                if let Some(branch) = self.branch_with_task(work) {
                    self.task_heartbeat(branch);
                }
            }
            EventKind::TaskSucceeded { work, result } => {
                if let Some(branch) = self.branch_with_task(work) {
                    self.task_succeeded(branch, result);
                }
            }
            EventKind::TaskFailed { work, error } => {
                if let Some(branch) = self.branch_with_task(work) {
                    self.task_failed(branch, &error);
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

    /// Runs every branch that can run until it waits or ends. Beyond the bound of one step they yield.
    fn drain(&mut self) {
        while let Some((id, branch)) = self.runnable.pop_front() {
            self.run(id, branch);
            if self.history_full {
                break;
            }
        }
        if self.history_full && self.execution.progress.status == Status::Running {
            self.history_overflowed();
        }
    }

    fn start(&mut self) {
        if self.execution.progress.last_event_id > 0 {
            return;
        }
        self.set_deadline();
        self.record_started();
        let start_at = self.machine.start_at.clone();
        let input = self.execution.input.clone();
        let root = self.new_branch(None, 0, start_at, input, 0);
        self.runnable.push_back((BranchId::ROOT, root));
    }

    /// The machine's `TimeoutSeconds` begin.
    fn set_deadline(&mut self) {
        if let Some(seconds) = self.machine.timeout_seconds {
            let at = self.at.plus_seconds(seconds);
            self.execution.progress.deadline = Some(at);
            self.dispatch(Work::Timer { work: WorkId::EXECUTION, at });
        }
    }

    fn timer_fired(&mut self, work: WorkId) {
        if work == WorkId::EXECUTION {
            if self.execution.progress.deadline.is_some_and(|deadline| deadline <= self.at) {
                self.time_out();
            }
            return;
        }
        let Some(id) = self.branch_waiting_for(work) else { return };
        let (due, heartbeat) = match &self.execution.branches[&id].activity {
            Activity::Ready { .. } | Activity::Joining => return,
            Activity::Waiting { until, .. } | Activity::BackingOff { until, .. } => (Some(*until), false),
            Activity::Task(task) => {
                (task.next_deadline(), task.deadline.is_none_or(|deadline| deadline > self.at))
            }
        };
        let Some(due) = due else { return };
        if due > self.at {
            // Too early, or a heartbeat has moved the time on while the timer was under way.
            self.dispatch(Work::Timer { work, at: due });
            return;
        }
        match &self.execution.branches[&id].activity {
            Activity::Ready { .. } | Activity::Joining => {}
            Activity::Waiting { .. } => self.wait_ended(id),
            Activity::BackingOff { .. } => self.retried(id),
            Activity::Task(_) => self.task_timed_out(id, heartbeat),
        }
    }

    /// The branch that waits for `work`, once what its states may read is at hand.
    fn branch_waiting_for(&mut self, work: WorkId) -> Option<BranchId> {
        let waits = self.execution.branches.get(&work.branch)?.activity.work() == Some(work);
        if !waits {
            return None;
        }
        self.restore_items(work.branch);
        Some(work.branch)
    }

    fn branch_with_task(&mut self, work: WorkId) -> Option<BranchId> {
        let branch = self.branch_waiting_for(work)?;
        matches!(self.execution.branches[&branch].activity, Activity::Task(_)).then_some(branch)
    }

    /// Makes the items of all Map states around a branch anew where a restart has lost them.
    fn restore_items(&mut self, id: BranchId) {
        let mut outer = Vec::new();
        let mut next = self.execution.branches.get(&id).and_then(|branch| branch.parent);
        while let Some(id) = next {
            outer.push(id);
            next = self.execution.branches.get(&id).and_then(|branch| branch.parent);
        }
        // Outermost first: inner ones may read the item of an outer one.
        for id in outer.into_iter().rev() {
            self.restore_items_of(id);
        }
    }

    fn restore_items_of(&mut self, id: BranchId) {
        let missing = self.execution.joins.get(&id).is_some_and(|join| join.items.0.is_none());
        let Some(branch) = self.execution.branches.get(&id).filter(|_| missing) else { return };
        let Some(State::Map(map)) = self.machine.states.get(&branch.state) else { return };
        let begun = self.execution.joins.get(&id).and_then(|join| join.begun);
        let items = map.items(&branch.input, &self.context(id, branch).repeatable(begun));
        // They could be made when the state was entered, from the same input.
        if let (Ok(items), Some(join)) = (items, self.execution.joins.get_mut(&id)) {
            join.items = Derived(Some(Arc::new(items)));
        }
    }

    /// What expressions of the branch's state may read.
    fn context<'s>(&'s self, id: BranchId, branch: &'s Branch) -> ContextObject<'s> {
        let task = self.machine.states.get(&branch.state).and_then(State::task).map(|task| {
            let work = match &branch.activity {
                Activity::Task(pending) => pending.work,
                Activity::Ready { .. }
                | Activity::Waiting { .. }
                | Activity::BackingOff { .. }
                | Activity::Joining => WorkId { branch: id, serial: self.execution.progress.last_work + 1 },
            };
            TaskContext {
                retry_count: branch.retries.iter().sum(),
                token: task.resource.gives_token().then(|| TaskToken::issue(&self.execution.context, work)),
            }
        });
        ContextObject::new(&self.execution, id, branch, task).with_evaluator(self.jsonata, self.at)
    }

    fn new_branch(
        &self,
        parent: Option<BranchId>,
        index: u64,
        state: String,
        input: serde_json::Value,
        previous_event_id: u64,
    ) -> Branch {
        Branch {
            parent,
            index,
            state,
            input,
            entered_at: self.at,
            entered_event_id: 0,
            previous_event_id,
            retries: Vec::new(),
            activity: Activity::Joining,
        }
    }

    fn new_branch_id(&mut self) -> BranchId {
        self.execution.progress.last_branch.0 += 1;
        self.execution.progress.last_branch
    }

    fn state(&self, branch: &Branch) -> Option<&'m State> {
        self.machine.states.get(&branch.state)
    }

    fn dispatch(&mut self, work: Work) {
        self.commands.push(Command::Dispatch(work));
    }

    fn new_work(&mut self, branch: BranchId) -> WorkId {
        self.execution.progress.last_work += 1;
        WorkId { branch, serial: self.execution.progress.last_work }
    }
}

//! The whole state of one execution, as plain data: what a checkpoint holds.
//!
//! A flat map of branches with parent ids, never a tree of futures. It must stay readable by later releases:
//! fields may be added with a serde default, none may change its meaning.

use crate::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Identifies one piece of pending work within its execution; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkId(pub u64);

impl WorkId {
    /// The execution's own deadline (the machine's `TimeoutSeconds`).
    pub const EXECUTION: WorkId = WorkId(0);
}

/// Identifies one branch within its execution: the root, a Parallel branch, a Map iteration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BranchId(pub u64);

impl BranchId {
    /// The branch that runs the machine's own states.
    pub const ROOT: BranchId = BranchId(0);
}

/// Status of an execution (API: ExecutionStatus).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Not ended yet.
    Running,
    /// Ended with an output.
    Succeeded,
    /// Ended with an error.
    Failed,
    /// The machine's `TimeoutSeconds` ran out.
    TimedOut,
    /// Stopped by StopExecution.
    Aborted,
}

impl Status {
    /// The API's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Running => "RUNNING",
            Status::Succeeded => "SUCCEEDED",
            Status::Failed => "FAILED",
            Status::TimedOut => "TIMED_OUT",
            Status::Aborted => "ABORTED",
        }
    }

    /// The status with this API name.
    pub fn from_name(name: &str) -> Option<Status> {
        [Status::Running, Status::Succeeded, Status::Failed, Status::TimedOut, Status::Aborted]
            .into_iter()
            .find(|status| status.as_str() == name)
    }
}

/// What the context object (`$$`) and history say of the execution; never changes after the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionContext {
    /// ARN of the execution.
    pub execution_arn: String,
    /// Its name.
    pub execution_name: String,
    /// ARN of the role that the machine names.
    pub role_arn: String,
    /// ARN of the state machine.
    pub state_machine_arn: String,
    /// Its name.
    pub state_machine_name: String,
    /// Region named in `TaskScheduled` events.
    pub region: String,
    /// When the execution was started.
    pub start_time: Timestamp,
    /// Seeds every random choice of this execution (retry jitter).
    pub seed: u64,
}

/// One execution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    /// Identity and start facts.
    pub context: ExecutionContext,
    /// The input as parsed JSON.
    pub input: Value,
    /// Where it stands.
    pub status: Status,
    /// The output, once succeeded.
    pub output: Option<Value>,
    /// The error name, once failed, aborted or timed out with one.
    pub error: Option<String>,
    /// The cause, likewise.
    pub cause: Option<String>,
    /// When it ended.
    pub stop_time: Option<Timestamp>,
    /// The machine's `TimeoutSeconds` as a moment.
    pub deadline: Option<Timestamp>,
    /// The id of the last history event; ids are dense from 1.
    pub last_event_id: u64,
    /// The next unused [`WorkId`].
    pub next_work: u64,
    /// Running branches by id.
    pub branches: BTreeMap<BranchId, Branch>,
}

/// One line of control.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Branch {
    /// The branch that waits for this one; `None` for the root.
    pub parent: Option<BranchId>,
    /// The state it is in.
    pub state: String,
    /// The raw input of that state.
    pub input: Value,
    /// When the state was entered.
    pub entered_at: Timestamp,
    /// Id of the state's Entered event.
    pub entered_event_id: u64,
    /// Causal parent of the branch's next history event.
    pub previous_event_id: u64,
    /// Retries made in this visit, by retrier.
    pub retries: Vec<u64>,
    /// What it waits for.
    pub activity: Activity,
}

/// What a branch waits for between two events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Activity {
    /// Yielded; enters its state when [`Work::Continue`] comes back.
    Ready {
        /// The yield's work.
        work: WorkId,
    },
    /// A task runs.
    Task(Box<PendingTask>),
    /// A Wait state waits.
    Waiting {
        /// The timer's work.
        work: WorkId,
        /// When it ends.
        until: Timestamp,
    },
    /// A retrier's back-off passes before the task is scheduled again.
    BackingOff {
        /// The timer's work.
        work: WorkId,
        /// When it ends.
        until: Timestamp,
    },
}

/// A scheduled task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PendingTask {
    /// The work that runs it.
    pub work: WorkId,
    /// The state's `Resource`.
    pub resource: String,
    /// The effective input (after InputPath and Parameters).
    pub parameters: Value,
    /// When `TimeoutSeconds` runs out.
    pub deadline: Option<Timestamp>,
    /// Retries made before this attempt.
    pub attempt: u32,
}

/// Work that an execution owes the world. [`Execution::pending`] lists all of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Work {
    /// Run a task and answer with `TaskSucceeded` or `TaskFailed`.
    Task(TaskWork),
    /// Answer with `TimerFired` at the given time, not before.
    Timer {
        /// The work to name in the event.
        work: WorkId,
        /// When to fire.
        at: Timestamp,
    },
    /// Answer with `Continued` at once.
    Continue {
        /// The work to name in the event.
        work: WorkId,
    },
}

/// All that an integration needs to run a task.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskWork {
    /// The work to name in the answer.
    pub work: WorkId,
    /// The state's `Resource`.
    pub resource: String,
    /// The effective input.
    pub parameters: Value,
    /// Name of the state.
    pub state_name: String,
    /// Retries made before this attempt.
    pub attempt: u32,
    /// The same for every run of this attempt, different for every other attempt of any execution.
    pub idempotency_key: String,
    /// When `TimeoutSeconds` runs out; the matching timer is listed apart.
    pub deadline: Option<Timestamp>,
}

/// A change of the pending work.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// New work.
    Dispatch(Work),
    /// No longer pending: abort it if it runs, drop its timer.
    Cancel(WorkId),
}

impl Execution {
    /// An execution that has not begun: it waits for [`crate::EventKind::Start`].
    pub fn new(context: ExecutionContext, input: Value) -> Execution {
        Execution {
            context,
            input,
            status: Status::Running,
            output: None,
            error: None,
            cause: None,
            stop_time: None,
            deadline: None,
            last_event_id: 0,
            next_work: 1,
            branches: BTreeMap::new(),
        }
    }

    /// All work owed, in a fixed order. What recovery dispatches: there is no other record of it.
    pub fn pending(&self) -> Vec<Work> {
        let mut pending = Vec::new();
        if self.status != Status::Running {
            return pending;
        }
        if let Some(at) = self.deadline {
            pending.push(Work::Timer { work: WorkId::EXECUTION, at });
        }
        for branch in self.branches.values() {
            self.pending_of(branch, &mut pending);
        }
        pending
    }

    /// Appends the work that `branch` waits for.
    pub(crate) fn pending_of(&self, branch: &Branch, pending: &mut Vec<Work>) {
        match &branch.activity {
            Activity::Ready { work } => pending.push(Work::Continue { work: *work }),
            Activity::Waiting { work, until } | Activity::BackingOff { work, until } => {
                pending.push(Work::Timer { work: *work, at: *until });
            }
            Activity::Task(task) => {
                if let Some(at) = task.deadline {
                    pending.push(Work::Timer { work: task.work, at });
                }
                pending.push(Work::Task(self.task_work(branch, task)));
            }
        }
    }

    fn task_work(&self, branch: &Branch, task: &PendingTask) -> TaskWork {
        let arn = &self.context.execution_arn;
        TaskWork {
            work: task.work,
            resource: task.resource.clone(),
            parameters: task.parameters.clone(),
            state_name: branch.state.clone(),
            attempt: task.attempt,
            idempotency_key: format!("{arn}#{}#{}", branch.entered_event_id, task.attempt),
            deadline: task.deadline,
        }
    }
}

impl Activity {
    /// The work that ends this activity.
    pub fn work(&self) -> WorkId {
        match self {
            Activity::Ready { work } | Activity::Waiting { work, .. } | Activity::BackingOff { work, .. } => {
                *work
            }
            Activity::Task(task) => task.work,
        }
    }
}

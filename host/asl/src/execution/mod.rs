//! The whole state of one execution, as plain data: what a checkpoint holds.
//!
//! A flat map of branches with parent ids, never a tree of futures. It must stay readable by later releases:
//! fields may be added with a serde default, none may change its meaning.

mod branch;
mod changed;
mod join;
mod remains;
mod work;

pub use branch::{Activity, Branch, PendingTask};
pub use changed::Changed;
pub use join::Join;
pub(crate) use join::{Begun, Derived, Items};
pub use remains::Remains;
pub(crate) use remains::{Remnant, Stood};
pub use work::{Command, Doer, TaskWork, Work};

use crate::limits::Quotas;
use crate::states::{Pattern, Resource};
use crate::task_token::TokenKey;
use crate::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Identifies one piece of pending work within its execution; never used twice. It names the branch that waits
/// for it, so that an event finds its branch without a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WorkId {
    /// The branch that waits.
    pub branch: BranchId,
    /// Counts the work of the whole execution, from 1.
    pub serial: u64,
}

impl WorkId {
    /// The execution's own deadline (the machine's `TimeoutSeconds`).
    pub const EXECUTION: WorkId = WorkId { branch: BranchId::ROOT, serial: 0 };
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
    /// Seeds every random choice of this execution (retry jitter, `States.UUID`).
    pub seed: u64,
    /// The bounds that it was started with: a change of the configuration does not reach it.
    #[serde(default)]
    pub quotas: Quotas,
    /// The version of the machine that it was started by, or that its alias chose.
    #[serde(default)]
    pub version: Option<u64>,
    /// The alias of the machine that it was started by.
    #[serde(default)]
    pub alias: Option<String>,
    /// Signs its task tokens; none where its machine has no task that gives one.
    #[serde(default)]
    pub token_key: TokenKey,
    /// The test case whose mocks answer its tasks. (Stored by position: what is new comes last.)
    #[serde(default)]
    pub test_case: Option<Box<TestCase>>,
    /// The task of another execution that has started it; none where a client has.
    #[serde(default)]
    pub starter: Option<Starter>,
}

/// A test case that an execution was started for, with mocks in place of what its tasks call (Developer Guide, "Using
/// mocked service integrations").
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TestCase {
    /// Name of the state machine that has it.
    pub machine: String,
    /// Its name.
    pub name: String,
    /// ARN of the execution that was started for it; its children have the same.
    pub run: String,
}

/// A task that has started an execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Starter {
    /// The key of the attempt, which begins with the ARN of the task's execution. Its repetition is the same start.
    pub idempotency_key: String,
    /// How many executions wait for this one, each for the next; 0 where the task does not wait.
    pub depth: u32,
}

impl ExecutionContext {
    /// Whether it is an Express execution, as its ARN says.
    pub fn is_express(&self) -> bool {
        self.execution_arn.split(':').nth(5) == Some("express")
    }

    /// ARN of the version that it was started by.
    pub fn version_arn(&self) -> Option<String> {
        self.version.map(|number| format!("{}:{number}", self.state_machine_arn))
    }

    /// ARN of the alias that it was started by.
    pub fn alias_arn(&self) -> Option<String> {
        self.alias.as_ref().map(|alias| format!("{}:{alias}", self.state_machine_arn))
    }
}

/// One execution. Its parts are stored apart, because a transition changes few of them ([`Changed`]).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    /// Identity and start facts; never changes.
    pub context: ExecutionContext,
    /// The input as parsed JSON; never changes.
    pub input: Value,
    /// What nearly every transition changes.
    pub progress: Progress,
    /// Running branches by id.
    pub branches: BTreeMap<BranchId, Branch>,
    /// Parallel and Map states under way, by the branch that stands in them.
    pub joins: BTreeMap<BranchId, Join>,
    /// Outputs of ended branches and iterations, by the branch that waits for them and by index.
    pub results: BTreeMap<BranchId, BTreeMap<u64, Value>>,
    /// Variables by the branch whose scope they belong to; branches without any have no entry.
    pub variables: BTreeMap<BranchId, Variables>,
    /// What a redrive goes on from, once it has ended without success. No part of any checkpoint.
    #[serde(default)]
    pub remains: Option<Box<Remains>>,
}

/// The variables of one scope, by name.
pub type Variables = BTreeMap<String, Value>;

/// Where an execution stands: the small part that nearly every transition changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Its status.
    pub status: Status,
    /// The output, once succeeded; may be null.
    #[serde(default, with = "maybe_null")]
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
    /// Serial number of the newest [`WorkId`].
    pub last_work: u64,
    /// The newest [`BranchId`].
    pub last_branch: BranchId,
    /// Size of all variables as JSON text, in bytes.
    pub variable_bytes: u64,
    /// The last redrive; none before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redrive: Option<Redrive>,
}

/// The last redrive of an execution (API: `redriveCount`, `redriveDate`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redrive {
    /// How many there were with it, from 1.
    pub count: u32,
    /// When it was.
    pub at: Timestamp,
}

impl Execution {
    /// An execution that has not begun: it waits for [`crate::EventKind::Start`].
    pub fn new(context: ExecutionContext, input: Value) -> Execution {
        Execution {
            context,
            input,
            progress: Progress::new(),
            branches: BTreeMap::new(),
            joins: BTreeMap::new(),
            results: BTreeMap::new(),
            variables: BTreeMap::new(),
            remains: None,
        }
    }

    /// Stands in for an execution while `step` has it. It is none itself.
    pub fn placeholder() -> Execution {
        let context = ExecutionContext {
            execution_arn: String::new(),
            execution_name: String::new(),
            role_arn: String::new(),
            state_machine_arn: String::new(),
            state_machine_name: String::new(),
            region: String::new(),
            start_time: Timestamp(0),
            seed: 0,
            quotas: Quotas::default(),
            version: None,
            alias: None,
            test_case: None,
            token_key: TokenKey::default(),
            starter: None,
        };
        Execution::new(context, Value::Null)
    }

    /// As of when what its tasks name is resolved: its last redrive, or its start.
    pub fn pinned_at(&self) -> Timestamp {
        self.progress.redrive.map_or(self.context.start_time, |redrive| redrive.at)
    }

    /// All work owed, in a fixed order. What recovery dispatches: there is no other record of it.
    pub fn pending(&self) -> Vec<Work> {
        let mut pending = Vec::new();
        if self.progress.status != Status::Running {
            return pending;
        }
        if let Some(at) = self.progress.deadline {
            pending.push(Work::Timer { work: WorkId::EXECUTION, at });
        }
        for branch in self.branches.values() {
            self.pending_of(branch, &mut pending);
        }
        pending
    }

    /// Whether the execution runs and owes the world nothing at all up to and including `until`: it waits for timers
    /// that are due later, or for somebody outside who has taken its tasks over. It stops looking at the first
    /// branch that is not at rest.
    pub fn rests_until(&self, until: Timestamp) -> Option<Rest> {
        if self.progress.status != Status::Running {
            return None;
        }
        let mut first = self.progress.deadline;
        for branch in self.branches.values() {
            let due = match &branch.activity {
                Activity::Joining => None,
                Activity::Waiting { until, .. } | Activity::BackingOff { until, .. } => Some(*until),
                Activity::Task(task) if task.submitted && task.delivered => task.next_deadline(),
                Activity::Ready { .. } | Activity::Task(_) => return None,
            };
            first = [first, due].into_iter().flatten().min();
            if first.is_some_and(|first| first <= until) {
                return None;
            }
        }
        Some(Rest { due: first })
    }

    /// Appends the work that `branch` waits for.
    pub(crate) fn pending_of(&self, branch: &Branch, pending: &mut Vec<Work>) {
        match &branch.activity {
            Activity::Joining => {}
            Activity::Ready { work } => pending.push(Work::Continue { work: *work }),
            Activity::Waiting { work, until } | Activity::BackingOff { work, until } => {
                pending.push(Work::Timer { work: *work, at: *until });
            }
            Activity::Task(task) => {
                if let Some(at) = task.next_deadline() {
                    pending.push(Work::Timer { work: task.work, at });
                }
                if !task.submitted {
                    pending.push(Work::Task(self.task_work(branch, task)));
                }
            }
        }
    }

    /// The job that `branch` waits for, if it waits for one.
    pub(crate) fn job_of(&self, branch: &Branch) -> Option<TaskWork> {
        let Activity::Task(task) = &branch.activity else { return None };
        let work = self.task_work(branch, task);
        matches!(work.doer, Doer::Job { .. }).then_some(work)
    }

    fn task_work(&self, branch: &Branch, task: &PendingTask) -> TaskWork {
        let arn = &self.context.execution_arn;
        let attempt = format!("{arn}#{}#{}", branch.entered_event_id, task.attempt);
        let idempotency_key = match self.progress.redrive {
            // A state that a redrive begins again is not entered again, and its attempts are counted anew.
            Some(Redrive { count, .. }) => format!("{attempt}#{count}"),
            None => attempt,
        };
        TaskWork {
            work: task.work,
            resource: task.resource.clone(),
            parameters: task.parameters.clone(),
            state_name: branch.state.clone(),
            attempt: task.attempt,
            idempotency_key,
            deadline: task.deadline,
            doer: match Resource::parse(&task.resource) {
                Some(Resource::Activity { .. }) => {
                    Doer::Worker { scheduled: task.scheduled, again: task.returned }
                }
                Some(Resource::Integration { pattern: Pattern::WaitForTaskToken, .. }) => Doer::Callback,
                Some(Resource::Integration { pattern: Pattern::RunAJob, .. }) => {
                    Doer::Job { submitted: task.submission.is_some() }
                }
                Some(
                    Resource::Function { .. }
                    | Resource::Integration { pattern: Pattern::RequestResponse, .. },
                )
                | None => Doer::Integration,
            },
            submission: task.submission.clone().map(Box::new),
        }
    }
}

/// An execution at rest ([`Execution::rests_until`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rest {
    /// When its first timer is due; none when only somebody outside can wake it.
    pub due: Option<Timestamp>,
}

impl Progress {
    fn new() -> Progress {
        Progress {
            status: Status::Running,
            output: None,
            error: None,
            cause: None,
            stop_time: None,
            deadline: None,
            last_event_id: 0,
            last_work: 0,
            last_branch: BranchId::ROOT,
            variable_bytes: 0,
            redrive: None,
        }
    }
}

/// An optional value that may itself be null: in a list of its own, so that `Some(null)` is not read as `None`.
mod maybe_null {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};
    use serde_json::Value;

    #[allow(clippy::ref_option)] // the shape that serde calls
    pub(super) fn serialize<S: Serializer>(value: &Option<Value>, serializer: S) -> Result<S::Ok, S::Error> {
        value.as_ref().map(|value| [value]).serialize(serializer)
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(deserializer: D) -> Result<Option<Value>, D::Error> {
        let value = Option::<[Value; 1]>::deserialize(deserializer)?;
        Ok(value.map(|[value]| value))
    }
}

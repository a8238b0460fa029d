//! Work that an execution owes the world, and commands that change it.

use super::WorkId;
use crate::timestamp::Timestamp;
use serde_json::Value;

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
    /// Who does it.
    pub doer: Doer,
    /// Of a job that has been started: what the service answered.
    pub submission: Option<Box<Value>>,
}

/// Who does a task, and so what its dispatch means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doer {
    /// An integration, whose answer is the result.
    Integration,
    /// An integration whose answer only says that it has passed the token on (`TaskSubmitted`).
    Callback,
    /// An integration that starts a job and then waits for its end.
    Job {
        /// Whether the job has been started (`TaskSubmitted`); only its end is waited for then.
        submitted: bool,
    },
    /// A worker of the activity that the resource names.
    Worker {
        /// Whether the activity is known to exist; otherwise that is asked first, and answered with
        /// `ActivityScheduled` or `TaskFailed`.
        scheduled: bool,
        /// Whether a worker had been given it before and never got it: `TaskStartedAgain` hands it out.
        again: bool,
    },
}

/// A change of the pending work.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// New work.
    Dispatch(Work),
    /// No longer pending: abort it if it runs, drop its timer.
    Cancel(WorkId),
    /// A job is no longer wanted, because its task was aborted or its time ran out: stop it if it can be stopped. It may
    /// have been started without anybody knowing. Nothing waits for that, and nothing tries it again after a crash.
    StopJob(Box<TaskWork>),
}

//! What can happen to an execution. Everything that `step` learns about the world arrives as an [`Event`].

use crate::execution::WorkId;
use crate::states_error::StatesError;
use crate::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One thing that happened, with the time at which the executor saw it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When it was seen. Never earlier than the event before it: the executor clamps it.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
}

/// The kinds of events. All but `Start`, `Redrive` and `Stop` name the work that they belong to: an event whose work is no
/// longer pending is late or a duplicate, and changes nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum EventKind {
    /// The execution begins. Only the first one counts.
    Start,
    /// A worker took the task of an activity.
    TaskStarted {
        /// The work that began.
        work: WorkId,
        /// The name that the worker gave itself.
        worker_name: Option<String>,
    },
    /// The service accepted the request of a task whose result comes later (`.sync`, `.waitForTaskToken`).
    TaskSubmitted {
        /// The work that goes on.
        work: WorkId,
        /// The service's response.
        output: Value,
    },
    /// SendTaskHeartbeat.
    TaskHeartbeat {
        /// The work that goes on.
        work: WorkId,
    },
    /// A task's work ended well with this result.
    TaskSucceeded {
        /// The work that ended.
        work: WorkId,
        /// The result, any JSON.
        result: Value,
    },
    /// A task's work ended with an error.
    TaskFailed {
        /// The work that ended.
        work: WorkId,
        /// What Retry and Catch will see.
        error: StatesError,
    },
    /// The activity of a task exists, and the task waits for a worker.
    ActivityScheduled {
        /// The work that waits.
        work: WorkId,
    },
    /// The worker that took the task of an activity has it: it is in good hands after a crash as well. In no history.
    TaskDelivered {
        /// The work that goes on.
        work: WorkId,
    },
    /// The worker that took the task of an activity has not got it: another one may. It is in no history; what it
    /// changes, [`EventKind::TaskStartedAgain`] brings about as well.
    TaskReturned {
        /// The work that waits again.
        work: WorkId,
    },
    /// A worker took the task of an activity that had been returned.
    TaskStartedAgain {
        /// The work that began anew.
        work: WorkId,
        /// The name that the worker gave itself.
        worker_name: Option<String>,
    },
    /// The time of a pending timer has come: the end of a Wait, of a retry's back-off, of a task's
    /// `TimeoutSeconds`, or ([`WorkId::EXECUTION`]) of the execution's own.
    TimerFired {
        /// The work that the timer belongs to.
        work: WorkId,
    },
    /// An execution that yielded after [`crate::limits::STATES_PER_STEP`] states goes on.
    Continued {
        /// The work that stands for the yield.
        work: WorkId,
    },
    /// RedriveExecution: an execution that ended without success goes on.
    Redrive {
        /// Which redrive of the execution it is, from 1: told twice, it happens once.
        number: u32,
    },
    /// StopExecution.
    Stop {
        /// The caller's error name, if any.
        error: Option<String>,
        /// The caller's cause, if any.
        cause: Option<String>,
    },
}

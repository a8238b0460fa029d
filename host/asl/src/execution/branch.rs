//! Branches: the lines of control of an execution, and what each waits for.
//!
//! Stored with checkpoints: fields may be added with a serde default, none may change its meaning.

use super::{BranchId, WorkId};
use crate::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One line of control.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Branch {
    /// The branch that waits for this one; `None` for the root.
    pub parent: Option<BranchId>,
    /// Its place among the branches of a Parallel state or the items of a Map state, from 0.
    pub index: u64,
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
    /// A retrier's back-off passes before the state's work begins again.
    BackingOff {
        /// The timer's work.
        work: WorkId,
        /// When it ends.
        until: Timestamp,
    },
    /// A Parallel or Map state waits for its branches: [`Execution::joins`] has the count.
    Joining,
}

/// A scheduled task.
#[allow(clippy::struct_excessive_bools)] // stored one by one, and added at the end
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PendingTask {
    /// The work that runs it.
    pub work: WorkId,
    /// The state's `Resource`.
    pub resource: String,
    /// The effective input (after InputPath and Parameters).
    pub parameters: Value,
    /// `TimeoutSeconds`.
    pub timeout_seconds: Option<u64>,
    /// When it runs out.
    pub deadline: Option<Timestamp>,
    /// `HeartbeatSeconds`, where the resource can send heartbeats.
    pub heartbeat_seconds: Option<u64>,
    /// When the next heartbeat must have come.
    pub heartbeat_deadline: Option<Timestamp>,
    /// Retries made before this attempt.
    pub attempt: u32,
    /// Whether somebody outside has taken it over, who ends it with its token.
    pub submitted: bool,
    /// Whether its Scheduled event is recorded: that of an activity is when the activity is known to exist.
    #[serde(default = "yes")]
    pub scheduled: bool,
    /// Whether it was handed to a worker who was gone.
    #[serde(default)]
    pub returned: bool,
    /// Whether whoever has taken it over is known to have it. Until then somebody else may get it after a crash.
    #[serde(default = "yes")]
    pub delivered: bool,
    /// Of a job that has been started: what the service answered, from which its end is waited for.
    #[serde(default, with = "super::maybe_null")]
    pub submission: Option<Value>,
}

fn yes() -> bool {
    true
}

impl PendingTask {
    /// When the task runs out of time if nothing is heard of it.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        match (self.deadline, self.heartbeat_deadline) {
            (Some(deadline), Some(heartbeat)) => Some(deadline.min(heartbeat)),
            (deadline, heartbeat) => deadline.or(heartbeat),
        }
    }
}

impl Activity {
    /// The work that ends this activity; none where branches end it.
    pub fn work(&self) -> Option<WorkId> {
        match self {
            Activity::Ready { work } | Activity::Waiting { work, .. } | Activity::BackingOff { work, .. } => {
                Some(*work)
            }
            Activity::Task(task) => Some(task.work),
            Activity::Joining => None,
        }
    }
}

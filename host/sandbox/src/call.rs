//! One call of a module as the rest of Stepwell sees it. No wasmtime type may appear here.

use crate::grants::Grants;
use std::sync::Arc;
use std::time::Duration;

/// Everything that one call needs.
#[derive(Clone)]
pub struct Call {
    /// The task's input: JSON text.
    pub input: String,
    /// What the module may ask about its execution.
    pub context: CallContext,
    /// How long the module may run, counted from the moment it starts, not while it queues. At most
    /// [`MAX_CALL_TIMEOUT`](crate::limits::MAX_CALL_TIMEOUT).
    pub timeout: Duration,
    /// What the module may reach, and its own bounds.
    pub grants: Arc<Grants>,
    /// Whose call it is, such as the ARN of a state machine: calls that wait take turns by this name, so that nobody's
    /// many calls keep another's waiting.
    pub queue: Arc<str>,
    /// Where log lines and heartbeats go.
    pub host: Arc<dyn CallHost>,
}

/// Which execution, state and attempt a call belongs to: record `task-context` of `wit/task.wit`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallContext {
    /// ARN of the execution.
    pub execution_arn: String,
    /// Name of the Task state.
    pub state_name: String,
    /// 0 for the first attempt.
    pub attempt: u32,
    /// Equal for an attempt that is run again after a crash.
    pub idempotency_key: String,
    /// Set when the state waits for a callback.
    pub task_token: Option<String>,
}

/// Receives what a running module tells its host. It is called on the threads that run guests: it must not block.
pub trait CallHost: Send + Sync {
    /// Takes one log line. Lines beyond the call's log limit are dropped before they get here.
    fn log(&self, level: LogLevel, message: &str);
    /// Takes a sign of life.
    fn heartbeat(&self);
    /// How far the module's wall clock is ahead of the machine's: time that tests have skipped. Asked once a call.
    fn clock_ahead(&self) -> Duration {
        Duration::ZERO
    }
}

/// How important a log line is, from the least to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Every step.
    Trace,
    /// For whoever debugs the module.
    Debug,
    /// What happened; standard output.
    Info,
    /// Something to look at; standard error.
    Warn,
    /// Something that failed.
    Error,
}

/// What a successful call returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallOutput {
    /// The result: valid JSON text, byte for byte as the module wrote it.
    pub result: String,
}

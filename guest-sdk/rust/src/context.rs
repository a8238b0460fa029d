//! What a task may know about the execution that called it: interface `context` of `wit/task.wit`.

use std::time::Duration;

/// Which execution, state and attempt a call belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskContext {
    /// ARN of the execution.
    pub execution_arn: String,
    /// Name of the Task state in the definition.
    pub state_name: String,
    /// 0 for the first attempt, 1 for the first retry, and so on.
    pub attempt: u32,
    /// The same when this attempt is run again after a crash of the host, different for every other attempt. Hand it to
    /// outside systems, so that they do the work once.
    pub idempotency_key: String,
    /// Set when the state waits for a callback (`.waitForTaskToken`).
    pub task_token: Option<String>,
}

/// Returns the context of this call. In a native build: a fixed one, first attempt, no token.
#[cfg(target_arch = "wasm32")]
pub fn context() -> TaskContext {
    crate::bindings::stepwell::task::context::current().into()
}

/// Returns the context of this call. In a native build: a fixed one, first attempt, no token.
#[cfg(not(target_arch = "wasm32"))]
pub fn context() -> TaskContext {
    TaskContext {
        execution_arn: "arn:aws:states:us-east-1:123456789012:execution:native:test".to_owned(),
        state_name: "Native".to_owned(),
        attempt: 0,
        idempotency_key: "native".to_owned(),
        task_token: None,
    }
}

/// Returns how long this call may still run before the host stops it. In a native build: a minute.
pub fn remaining() -> Duration {
    #[cfg(target_arch = "wasm32")]
    let milliseconds = crate::bindings::stepwell::task::context::remaining_milliseconds();
    #[cfg(not(target_arch = "wasm32"))]
    let milliseconds = 60_000;
    Duration::from_millis(milliseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn native_calls_are_first_attempts_with_time_left() {
        assert_eq!(context().attempt, 0);
        assert_eq!(context().task_token, None);
        assert_eq!(remaining(), Duration::from_mins(1));
    }
}

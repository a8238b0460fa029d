//! What a task may know about the execution that called it: interface `context` of `wit/task.wit`.

/// Which execution, state and attempt a call belongs to.
pub const Context = struct {
    /// ARN of the execution.
    execution_arn: []const u8,
    /// Name of the Task state in the definition.
    state_name: []const u8,
    /// 0 for the first attempt, 1 for the first retry, and so on.
    attempt: u32,
    /// The same when this attempt is run again after a crash of the host, different for every other attempt. Hand it to
    /// outside systems, so that they do the work once.
    idempotency_key: []const u8,
    /// Set when the state waits for a callback (`.waitForTaskToken`).
    task_token: ?[]const u8,
};

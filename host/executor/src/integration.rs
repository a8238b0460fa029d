//! How tasks run: the trait between the executor and whatever does the work.

use async_trait::async_trait;
use serde_json::Value;
use stepwell_asl::{Resource, StatesError, TestCase, Timestamp};
use stepwell_store::LogLine;

/// A task to run. A crash may run it again with the same idempotency key.
#[derive(Clone, Debug)]
pub struct TaskRequest {
    /// ARN of the execution.
    pub execution_arn: String,
    /// Name of the state.
    pub state_name: String,
    /// The state's `Resource`.
    pub resource: String,
    /// The effective input.
    pub parameters: Value,
    /// Retries made before this attempt.
    pub attempt: u32,
    /// The same for every run of this attempt.
    pub idempotency_key: String,
    /// When the state's `TimeoutSeconds` runs out.
    pub deadline: Option<Timestamp>,
    /// As of when names stand for what they stand for: the execution's start, or its last redrive. None: now.
    pub pinned_at: Option<Timestamp>,
    /// What ends the task beside its result, where the resource gives a token away.
    pub task_token: Option<String>,
    /// The test case whose mocks may answer it.
    pub test_case: Option<Box<TestCase>>,
}

/// How a task ended.
#[derive(Clone, Debug)]
pub struct TaskOutcome {
    /// Its result, or what Retry and Catch will see.
    pub result: Result<Value, StatesError>,
    /// What it logged.
    pub log: Vec<LogLine>,
}

/// Runs tasks. Dropping the future aborts the task.
#[async_trait]
pub trait Integration: Send + Sync {
    /// Whether tasks with this resource can be run at all. Machines with others are refused when they are created.
    fn runs(&self, resource: &Resource) -> bool;

    /// Runs one task to its end; of a job, its start. What a job's start answers is its submission.
    async fn run(&self, request: TaskRequest) -> TaskOutcome;

    /// What the mocks of the request's test case say of a task, in place of everything that would happen to it; none
    /// where they say nothing of its state.
    fn mocked(&self, request: &TaskRequest) -> Option<Result<Value, StatesError>> {
        let _ = request;
        None
    }

    /// Waits for the end of a job, from what its start has answered. It runs again from there after a crash, and must not
    /// count on anything that is in memory alone. Without jobs, what the start has answered is the result.
    async fn finish(&self, _request: TaskRequest, submission: Value) -> TaskOutcome {
        TaskOutcome { result: Ok(submission), log: Vec::new() }
    }

    /// Stops a job whose task was aborted or has run out of time, if that can be done. Without a submission it may have
    /// been started or not.
    async fn stop(&self, _request: TaskRequest, _submission: Option<Value>) {}
}

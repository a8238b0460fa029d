//! Requests that reach a shard from outside, already checked by the API.

use serde_json::Value;
use std::sync::Arc;
use stepwell_asl::{Starter, TestCase, Timestamp};
use stepwell_store::MachineRecord;

/// An execution to start.
#[derive(Clone, Debug)]
pub struct StartRequest {
    /// The machine, as read just now ([`crate::Executor::machine`]).
    pub machine: Arc<MachineRecord>,
    /// Name of the execution.
    pub name: String,
    /// Whether the name was made just now and is unique, so that nobody else can have it.
    pub fresh_name: bool,
    /// ARN of the execution; for an Express execution without the id at its end, which the executor makes.
    pub execution_arn: String,
    /// Region of the execution, for its history.
    pub region: String,
    /// The input text as given.
    pub input: String,
    /// The same, parsed.
    pub input_value: Value,
    /// The trace header as given.
    pub trace_header: Option<String>,
    /// The version of the machine that it is started by, or that its alias chose. `machine` is as that version has it.
    pub version: Option<u64>,
    /// The alias of the machine that it is started by.
    pub alias: Option<String>,
    /// The test case whose mocks answer its tasks.
    pub test_case: Option<Box<TestCase>>,
    /// The task that starts it; none where a client does.
    pub starter: Option<Starter>,
}

/// A started execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// ARN of the execution.
    pub execution_arn: String,
    /// When it was started: for a repeated request, the first time.
    pub started_at: Timestamp,
}

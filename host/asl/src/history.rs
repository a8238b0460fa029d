//! History events, typed (API: HistoryEvent). Payloads are JSON text, as GetExecutionHistory gives them.
//!
//! It must never lose a field that AWS records for these states; `history_json` turns events into the API form.

use crate::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

/// One entry of an execution's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEvent {
    /// Dense from 1.
    pub id: u64,
    /// The event that caused this one in the same branch; 0 for none.
    pub previous_event_id: u64,
    /// When it happened.
    pub timestamp: Timestamp,
    /// What happened.
    pub details: HistoryDetails,
}

/// The `Type` of a state, as event names spell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // the specification's own names
pub enum StateType {
    Task,
    Pass,
    Choice,
    Wait,
    Succeed,
    Fail,
}

impl StateType {
    /// The name used in definitions and at the start of event types.
    pub fn as_str(self) -> &'static str {
        match self {
            StateType::Task => "Task",
            StateType::Pass => "Pass",
            StateType::Choice => "Choice",
            StateType::Wait => "Wait",
            StateType::Succeed => "Succeed",
            StateType::Fail => "Fail",
        }
    }
}

/// What happened, with the details that AWS records (API: the `...EventDetails` structures).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // field names are the API's own, in snake case
pub enum HistoryDetails {
    ExecutionStarted { input: String, role_arn: String },
    ExecutionSucceeded { output: String },
    ExecutionFailed { error: Option<String>, cause: Option<String> },
    ExecutionAborted { error: Option<String>, cause: Option<String> },
    ExecutionTimedOut { error: Option<String>, cause: Option<String> },
    StateEntered { state_type: StateType, name: String, input: String },
    StateExited { state_type: StateType, name: String, output: String },
    LambdaFunctionScheduled { resource: String, input: String, timeout_in_seconds: Option<u64> },
    LambdaFunctionStarted,
    LambdaFunctionSucceeded { output: String },
    LambdaFunctionFailed { error: Option<String>, cause: Option<String> },
    LambdaFunctionTimedOut { error: Option<String>, cause: Option<String> },
    TaskScheduled(Box<TaskScheduled>),
    TaskStarted { resource_type: String, resource: String },
    TaskSucceeded { resource_type: String, resource: String, output: String },
    TaskFailed { resource_type: String, resource: String, error: Option<String>, cause: Option<String> },
    TaskTimedOut { resource_type: String, resource: String, error: Option<String>, cause: Option<String> },
}

/// Details of `TaskScheduled`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // field names are the API's own, in snake case
pub struct TaskScheduled {
    pub resource_type: String,
    pub resource: String,
    pub region: String,
    pub parameters: String,
    pub timeout_in_seconds: Option<u64>,
    pub heartbeat_in_seconds: Option<u64>,
}

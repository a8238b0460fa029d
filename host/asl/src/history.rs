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
    Parallel,
    Map,
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
            StateType::Parallel => "Parallel",
            StateType::Map => "Map",
        }
    }
}

/// What happened, with the details that AWS records (API: the `...EventDetails` structures).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // field names are the API's own, in snake case
pub enum HistoryDetails {
    ExecutionStarted {
        input: String,
        role_arn: String,
        #[serde(default)]
        state_machine_version_arn: Option<String>,
        #[serde(default)]
        state_machine_alias_arn: Option<String>,
    },
    ExecutionSucceeded {
        output: String,
    },
    ExecutionFailed {
        error: Option<String>,
        cause: Option<String>,
    },
    ExecutionAborted {
        error: Option<String>,
        cause: Option<String>,
    },
    ExecutionTimedOut {
        error: Option<String>,
        cause: Option<String>,
    },
    ExecutionRedriven {
        redrive_count: u32,
    },
    StateEntered {
        state_type: StateType,
        name: String,
        input: String,
    },
    StateExited {
        state_type: StateType,
        name: String,
        output: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        assigned_variables: Vec<(String, String)>,
    },
    ActivityScheduled {
        resource: String,
        request: Request,
    },
    ActivityStarted {
        worker_name: Option<String>,
    },
    ActivitySucceeded {
        output: String,
    },
    ActivityFailed {
        error: Option<String>,
        cause: Option<String>,
    },
    ActivityTimedOut {
        error: Option<String>,
        cause: Option<String>,
    },
    LambdaFunctionScheduled {
        resource: String,
        request: Request,
    },
    LambdaFunctionStarted,
    LambdaFunctionSucceeded {
        output: String,
    },
    LambdaFunctionFailed {
        error: Option<String>,
        cause: Option<String>,
    },
    LambdaFunctionTimedOut {
        error: Option<String>,
        cause: Option<String>,
    },
    TaskScheduled(Box<TaskScheduled>),
    TaskStarted {
        resource_type: String,
        resource: String,
    },
    TaskSubmitted {
        resource_type: String,
        resource: String,
        output: String,
    },
    TaskSucceeded {
        resource_type: String,
        resource: String,
        output: String,
    },
    TaskFailed {
        resource_type: String,
        resource: String,
        error: Option<String>,
        cause: Option<String>,
    },
    TaskTimedOut {
        resource_type: String,
        resource: String,
        error: Option<String>,
        cause: Option<String>,
    },
    EvaluationFailed {
        error: Option<String>,
        cause: Option<String>,
        location: String,
        state: String,
    },
    TaskStateAborted,
    WaitStateAborted,
    ParallelStateStarted,
    ParallelStateSucceeded,
    ParallelStateFailed,
    ParallelStateAborted,
    MapStateStarted {
        length: u64,
    },
    MapStateSucceeded,
    MapStateFailed,
    MapStateAborted,
    MapIterationStarted {
        name: String,
        index: u64,
    },
    MapIterationSucceeded {
        name: String,
        index: u64,
    },
    MapIterationFailed {
        name: String,
        index: u64,
    },
    MapIterationAborted {
        name: String,
        index: u64,
    },
}

impl HistoryDetails {
    /// Shows `visit` every payload inside, in a fixed order: JSON texts and causes, whatever may be long.
    pub fn payloads_mut(&mut self, visit: &mut dyn FnMut(&mut String)) {
        match self {
            HistoryDetails::ExecutionStarted { input, .. } | HistoryDetails::StateEntered { input, .. } => {
                visit(input);
            }
            HistoryDetails::StateExited { output, assigned_variables, .. } => {
                visit(output);
                for (_, text) in assigned_variables {
                    visit(text);
                }
            }
            HistoryDetails::ExecutionSucceeded { output }
            | HistoryDetails::ActivitySucceeded { output }
            | HistoryDetails::LambdaFunctionSucceeded { output }
            | HistoryDetails::TaskSubmitted { output, .. }
            | HistoryDetails::TaskSucceeded { output, .. } => visit(output),
            HistoryDetails::ActivityScheduled { request, .. }
            | HistoryDetails::LambdaFunctionScheduled { request, .. } => visit(&mut request.input),
            HistoryDetails::TaskScheduled(task) => visit(&mut task.request.input),
            HistoryDetails::ExecutionFailed { cause, .. }
            | HistoryDetails::ExecutionAborted { cause, .. }
            | HistoryDetails::ExecutionTimedOut { cause, .. }
            | HistoryDetails::ActivityFailed { cause, .. }
            | HistoryDetails::ActivityTimedOut { cause, .. }
            | HistoryDetails::LambdaFunctionFailed { cause, .. }
            | HistoryDetails::LambdaFunctionTimedOut { cause, .. }
            | HistoryDetails::TaskFailed { cause, .. }
            | HistoryDetails::TaskTimedOut { cause, .. }
            | HistoryDetails::EvaluationFailed { cause, .. } => {
                if let Some(cause) = cause {
                    visit(cause);
                }
            }
            HistoryDetails::ExecutionRedriven { .. }
            | HistoryDetails::ActivityStarted { .. }
            | HistoryDetails::LambdaFunctionStarted
            | HistoryDetails::TaskStarted { .. }
            | HistoryDetails::TaskStateAborted
            | HistoryDetails::WaitStateAborted
            | HistoryDetails::ParallelStateStarted
            | HistoryDetails::ParallelStateSucceeded
            | HistoryDetails::ParallelStateFailed
            | HistoryDetails::ParallelStateAborted
            | HistoryDetails::MapStateStarted { .. }
            | HistoryDetails::MapStateSucceeded
            | HistoryDetails::MapStateFailed
            | HistoryDetails::MapStateAborted
            | HistoryDetails::MapIterationStarted { .. }
            | HistoryDetails::MapIterationSucceeded { .. }
            | HistoryDetails::MapIterationFailed { .. }
            | HistoryDetails::MapIterationAborted { .. } => {}
        }
    }
}

/// What every Scheduled event says of the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // field names are the API's own, in snake case
pub struct Request {
    /// Called `input` or `parameters`.
    pub input: String,
    pub timeout_in_seconds: Option<u64>,
    pub heartbeat_in_seconds: Option<u64>,
    /// `taskCredentials.roleArn`.
    #[serde(default)]
    pub role_arn: Option<String>,
}

/// Details of `TaskScheduled`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // field names are the API's own, in snake case
pub struct TaskScheduled {
    pub resource_type: String,
    pub resource: String,
    pub region: String,
    pub request: Request,
}

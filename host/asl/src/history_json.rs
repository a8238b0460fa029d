//! History events in the form of GetExecutionHistory (API reference, section 3).
//!
//! One table decides the name of an event and of its details member. It must never drop an event.

use crate::history::{HistoryDetails, HistoryEvent, Request};
use serde_json::{Map, Value, json};

impl HistoryEvent {
    /// The API form. Without `include_execution_data` inputs, outputs and parameters are left out while
    /// the details object stays (GetExecutionHistory, `includeExecutionData`).
    pub fn to_api_json(&self, include_execution_data: bool) -> Value {
        let mut event = Map::new();
        event.insert("timestamp".into(), json!(self.timestamp.as_seconds()));
        event.insert("type".into(), json!(self.type_name()));
        event.insert("id".into(), json!(self.id));
        event.insert("previousEventId".into(), json!(self.previous_event_id));
        if let Some((member, mut details)) = self.details.member() {
            if !include_execution_data {
                for data in ["input", "output", "parameters", "assignedVariables"] {
                    details.remove(data);
                }
            }
            event.insert(member.into(), Value::Object(details));
        }
        Value::Object(event)
    }

    /// The event's type, such as `PassStateEntered`.
    pub fn type_name(&self) -> String {
        let name = match &self.details {
            HistoryDetails::StateEntered { state_type, .. } => {
                return format!("{}StateEntered", state_type.as_str());
            }
            HistoryDetails::StateExited { state_type, .. } => {
                return format!("{}StateExited", state_type.as_str());
            }
            HistoryDetails::ExecutionStarted { .. } => "ExecutionStarted",
            HistoryDetails::ExecutionSucceeded { .. } => "ExecutionSucceeded",
            HistoryDetails::ExecutionFailed { .. } => "ExecutionFailed",
            HistoryDetails::ExecutionAborted { .. } => "ExecutionAborted",
            HistoryDetails::ExecutionTimedOut { .. } => "ExecutionTimedOut",
            HistoryDetails::ExecutionRedriven { .. } => "ExecutionRedriven",
            HistoryDetails::ActivityScheduled { .. } => "ActivityScheduled",
            HistoryDetails::ActivityStarted { .. } => "ActivityStarted",
            HistoryDetails::ActivitySucceeded { .. } => "ActivitySucceeded",
            HistoryDetails::ActivityFailed { .. } => "ActivityFailed",
            HistoryDetails::ActivityTimedOut { .. } => "ActivityTimedOut",
            HistoryDetails::LambdaFunctionScheduled { .. } => "LambdaFunctionScheduled",
            HistoryDetails::LambdaFunctionStarted => "LambdaFunctionStarted",
            HistoryDetails::LambdaFunctionSucceeded { .. } => "LambdaFunctionSucceeded",
            HistoryDetails::LambdaFunctionFailed { .. } => "LambdaFunctionFailed",
            HistoryDetails::LambdaFunctionTimedOut { .. } => "LambdaFunctionTimedOut",
            HistoryDetails::TaskScheduled(_) => "TaskScheduled",
            HistoryDetails::TaskStarted { .. } => "TaskStarted",
            HistoryDetails::TaskSubmitted { .. } => "TaskSubmitted",
            HistoryDetails::TaskSucceeded { .. } => "TaskSucceeded",
            HistoryDetails::TaskFailed { .. } => "TaskFailed",
            HistoryDetails::TaskTimedOut { .. } => "TaskTimedOut",
            HistoryDetails::EvaluationFailed { .. } => "EvaluationFailed",
            HistoryDetails::TaskStateAborted => "TaskStateAborted",
            HistoryDetails::WaitStateAborted => "WaitStateAborted",
            HistoryDetails::ParallelStateStarted => "ParallelStateStarted",
            HistoryDetails::ParallelStateSucceeded => "ParallelStateSucceeded",
            HistoryDetails::ParallelStateFailed => "ParallelStateFailed",
            HistoryDetails::ParallelStateAborted => "ParallelStateAborted",
            HistoryDetails::MapStateStarted { .. } => "MapStateStarted",
            HistoryDetails::MapStateSucceeded => "MapStateSucceeded",
            HistoryDetails::MapStateFailed => "MapStateFailed",
            HistoryDetails::MapStateAborted => "MapStateAborted",
            HistoryDetails::MapIterationStarted { .. } => "MapIterationStarted",
            HistoryDetails::MapIterationSucceeded { .. } => "MapIterationSucceeded",
            HistoryDetails::MapIterationFailed { .. } => "MapIterationFailed",
            HistoryDetails::MapIterationAborted { .. } => "MapIterationAborted",
        };
        name.to_owned()
    }
}

/// Builds a details object; absent fields are left out, as AWS does.
#[derive(Default)]
struct Details(Map<String, Value>);

impl Details {
    fn text(mut self, name: &str, value: &str) -> Details {
        self.0.insert(name.into(), Value::String(value.to_owned()));
        self
    }

    fn optional(mut self, name: &str, value: Option<Value>) -> Details {
        if let Some(value) = value {
            self.0.insert(name.into(), value);
        }
        self
    }

    /// A payload with its `...Details` companion; API replies never truncate.
    fn payload(self, name: &str, value: &str) -> Details {
        let companion = format!("{name}Details");
        self.text(name, value).optional(&companion, Some(json!({"truncated": false})))
    }

    fn failure(self, error: Option<&String>, cause: Option<&String>) -> Details {
        self.optional("error", error.map(|text| json!(text))).optional("cause", cause.map(|text| json!(text)))
    }

    fn request(self, request: &Request) -> Details {
        self.optional("timeoutInSeconds", request.timeout_in_seconds.map(Value::from))
            .optional("heartbeatInSeconds", request.heartbeat_in_seconds.map(Value::from))
            .optional("taskCredentials", request.role_arn.as_ref().map(|role| json!({"roleArn": role})))
    }

    fn iteration(self, name: &str, index: u64) -> Details {
        self.text("name", name).optional("index", Some(json!(index)))
    }

    /// Left out where nothing was assigned (recorded).
    fn variables(self, assigned: &[(String, String)]) -> Details {
        if assigned.is_empty() {
            return self;
        }
        let variables: Map<String, Value> =
            assigned.iter().map(|(name, text)| (name.clone(), json!(text))).collect();
        self.optional("assignedVariables", Some(Value::Object(variables)))
            .optional("assignedVariablesDetails", Some(json!({"truncated": false})))
    }

    fn resource(self, resource_type: &str, resource: &str) -> Details {
        self.text("resourceType", resource_type).text("resource", resource)
    }
}

impl HistoryDetails {
    fn member(&self) -> Option<(&'static str, Map<String, Value>)> {
        let new = Details::default;
        let (member, details) = match self {
            HistoryDetails::ExecutionStarted {
                input,
                role_arn,
                state_machine_version_arn,
                state_machine_alias_arn,
            } => {
                let arn = |arn: &Option<String>| arn.as_ref().map(|arn| json!(arn));
                let details = new().payload("input", input).text("roleArn", role_arn);
                let details = details.optional("stateMachineAliasArn", arn(state_machine_alias_arn));
                let details = details.optional("stateMachineVersionArn", arn(state_machine_version_arn));
                ("executionStartedEventDetails", details)
            }
            HistoryDetails::ExecutionSucceeded { output } => {
                ("executionSucceededEventDetails", new().payload("output", output))
            }
            HistoryDetails::ExecutionFailed { error, cause } => {
                ("executionFailedEventDetails", new().failure(error.as_ref(), cause.as_ref()))
            }
            HistoryDetails::ExecutionAborted { error, cause } => {
                ("executionAbortedEventDetails", new().failure(error.as_ref(), cause.as_ref()))
            }
            HistoryDetails::ExecutionTimedOut { error, cause } => {
                ("executionTimedOutEventDetails", new().failure(error.as_ref(), cause.as_ref()))
            }
            HistoryDetails::ExecutionRedriven { redrive_count } => {
                ("executionRedrivenEventDetails", new().optional("redriveCount", Some(json!(redrive_count))))
            }
            HistoryDetails::StateEntered { name, input, .. } => {
                ("stateEnteredEventDetails", new().text("name", name).payload("input", input))
            }
            HistoryDetails::StateExited { name, output, assigned_variables, .. } => (
                "stateExitedEventDetails",
                new().text("name", name).payload("output", output).variables(assigned_variables),
            ),
            HistoryDetails::ActivityScheduled { resource, request } => (
                "activityScheduledEventDetails",
                new().text("resource", resource).payload("input", &request.input).request(request),
            ),
            HistoryDetails::ActivityStarted { worker_name } => (
                "activityStartedEventDetails",
                new().optional("workerName", worker_name.as_ref().map(|name| json!(name))),
            ),
            HistoryDetails::ActivitySucceeded { output } => {
                ("activitySucceededEventDetails", new().payload("output", output))
            }
            HistoryDetails::ActivityFailed { error, cause } => {
                ("activityFailedEventDetails", new().failure(error.as_ref(), cause.as_ref()))
            }
            HistoryDetails::ActivityTimedOut { error, cause } => {
                ("activityTimedOutEventDetails", new().failure(error.as_ref(), cause.as_ref()))
            }
            HistoryDetails::LambdaFunctionScheduled { resource, request } => (
                "lambdaFunctionScheduledEventDetails",
                new().text("resource", resource).payload("input", &request.input).request(request),
            ),
            HistoryDetails::LambdaFunctionStarted
            | HistoryDetails::TaskStateAborted
            | HistoryDetails::WaitStateAborted
            | HistoryDetails::ParallelStateStarted
            | HistoryDetails::ParallelStateSucceeded
            | HistoryDetails::ParallelStateFailed
            | HistoryDetails::ParallelStateAborted
            | HistoryDetails::MapStateSucceeded
            | HistoryDetails::MapStateFailed
            | HistoryDetails::MapStateAborted => return None,
            HistoryDetails::EvaluationFailed { error, cause, location, state } => (
                "evaluationFailedEventDetails",
                new().failure(error.as_ref(), cause.as_ref()).text("location", location).text("state", state),
            ),
            HistoryDetails::MapStateStarted { length } => {
                ("mapStateStartedEventDetails", new().optional("length", Some(json!(length))))
            }
            HistoryDetails::MapIterationStarted { name, index } => {
                ("mapIterationStartedEventDetails", new().iteration(name, *index))
            }
            HistoryDetails::MapIterationSucceeded { name, index } => {
                ("mapIterationSucceededEventDetails", new().iteration(name, *index))
            }
            HistoryDetails::MapIterationFailed { name, index } => {
                ("mapIterationFailedEventDetails", new().iteration(name, *index))
            }
            HistoryDetails::MapIterationAborted { name, index } => {
                ("mapIterationAbortedEventDetails", new().iteration(name, *index))
            }
            HistoryDetails::LambdaFunctionSucceeded { output } => {
                ("lambdaFunctionSucceededEventDetails", new().payload("output", output))
            }
            HistoryDetails::LambdaFunctionFailed { error, cause } => {
                ("lambdaFunctionFailedEventDetails", new().failure(error.as_ref(), cause.as_ref()))
            }
            HistoryDetails::LambdaFunctionTimedOut { error, cause } => {
                ("lambdaFunctionTimedOutEventDetails", new().failure(error.as_ref(), cause.as_ref()))
            }
            HistoryDetails::TaskScheduled(task) => (
                "taskScheduledEventDetails",
                new()
                    .resource(&task.resource_type, &task.resource)
                    .text("region", &task.region)
                    .text("parameters", &task.request.input)
                    .request(&task.request),
            ),
            HistoryDetails::TaskStarted { resource_type, resource } => {
                ("taskStartedEventDetails", new().resource(resource_type, resource))
            }
            HistoryDetails::TaskSubmitted { resource_type, resource, output } => (
                "taskSubmittedEventDetails",
                new().resource(resource_type, resource).payload("output", output),
            ),
            HistoryDetails::TaskSucceeded { resource_type, resource, output } => (
                "taskSucceededEventDetails",
                new().resource(resource_type, resource).payload("output", output),
            ),
            HistoryDetails::TaskFailed { resource_type, resource, error, cause } => (
                "taskFailedEventDetails",
                new().resource(resource_type, resource).failure(error.as_ref(), cause.as_ref()),
            ),
            HistoryDetails::TaskTimedOut { resource_type, resource, error, cause } => (
                "taskTimedOutEventDetails",
                new().resource(resource_type, resource).failure(error.as_ref(), cause.as_ref()),
            ),
        };
        Some((member, details.0))
    }
}

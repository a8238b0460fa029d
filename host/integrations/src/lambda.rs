//! Lambda functions: direct ARNs and `lambda:invoke` (API reference, sections 6.3 and 6.4).
//!
//! It shapes calls and results as Step Functions does. It must never know what a function is made of.

use crate::integrations::{ServiceIntegration, ServiceTask};
use crate::invocation::{Form, Invocation, InvocationType, function_name};
use async_trait::async_trait;
use serde_json::Value;
use std::sync::Arc;
use stepwell_asl::{Pattern, StatesError, Timestamp};
use stepwell_executor::{Clock, TaskOutcome, TaskRequest};
use stepwell_store::LogLine;

/// A call of a function.
#[derive(Clone, Debug)]
pub struct FunctionCall {
    /// Name of the function.
    pub name: String,
    /// Version or alias, if one was named.
    pub qualifier: Option<String>,
    /// The event, JSON text.
    pub payload: String,
    /// ARN of the calling execution.
    pub execution_arn: String,
    /// Whose call it is: the ARN of the calling state machine. Calls that wait take turns by it.
    pub queue: String,
    /// Name of the calling state.
    pub state_name: String,
    /// Retries made before this attempt.
    pub attempt: u32,
    /// The same for every run of this attempt.
    pub idempotency_key: String,
    /// The token of the calling task, where it waits for that.
    pub task_token: Option<String>,
    /// When the calling state's `TimeoutSeconds` runs out.
    pub deadline: Option<Timestamp>,
    /// As of when its name stands for what it stands for: the start of the calling execution. None: now.
    pub pinned_at: Option<Timestamp>,
}

/// What a function answered.
#[derive(Clone, Debug)]
pub struct FunctionReply {
    /// Its result, JSON text, or why there is none.
    pub result: Result<String, FunctionError>,
    /// What it logged.
    pub log: Vec<LogLine>,
    /// The version that ran: a number or `$LATEST`; none when it is not known.
    pub executed_version: Option<String>,
}

/// Why a function gave no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FunctionError {
    /// There is no such function.
    NotFound,
    /// The function itself, or its sandbox, ended it with this error.
    Failed(StatesError),
    /// The host could not run it.
    Service(String),
}

/// Calls functions by name. Dropping the future aborts the call.
#[async_trait]
pub trait Functions: Send + Sync {
    /// Runs one call to its end.
    async fn call(&self, call: FunctionCall) -> FunctionReply;

    /// Whether the function that a call names is there, without calling it.
    async fn look_up(&self, _call: &FunctionCall) -> Result<(), FunctionError> {
        Ok(())
    }
}

/// Calls functions later, when whoever asked has its answer. A call that fails is made again, twice at most. What waits is
/// in memory alone: a crash loses it.
pub trait Background: Send + Sync {
    /// Takes a call. Errors: there is no room, or the payload is too large.
    fn call_later(&self, call: FunctionCall) -> Result<(), StatesError>;
}

/// The integration of Lambda functions.
pub struct Lambda {
    functions: Arc<dyn Functions>,
    /// None: there are no calls of type `Event`.
    background: Option<Arc<dyn Background>>,
    clock: Arc<dyn Clock>,
}

/// `aws-sdk:lambda:invoke`: the payload of its result is text, and an error of the function is a result.
pub(crate) struct SdkLambda(pub(crate) Arc<Lambda>);

impl Lambda {
    /// An integration that calls `functions`; `clock` dates the replies.
    pub fn new(functions: Arc<dyn Functions>, clock: Arc<dyn Clock>) -> Lambda {
        Lambda { functions, background: None, clock }
    }

    /// With calls of type `Event`.
    #[must_use]
    pub fn with_background(self, background: Arc<dyn Background>) -> Lambda {
        Lambda { background: Some(background), ..self }
    }
}

#[async_trait]
impl ServiceIntegration for Lambda {
    fn runs(&self, action: &str, pattern: Pattern) -> bool {
        action == "invoke" && pattern != Pattern::RunAJob
    }

    async fn run(&self, task: ServiceTask) -> TaskOutcome {
        self.run_service(task.request, Form::Optimised).await
    }
}

#[async_trait]
impl ServiceIntegration for SdkLambda {
    fn runs(&self, action: &str, pattern: Pattern) -> bool {
        self.0.runs(action, pattern)
    }

    async fn run(&self, task: ServiceTask) -> TaskOutcome {
        self.0.run_service(task.request, Form::Sdk).await
    }
}

impl Lambda {
    /// Runs a task whose resource is the function itself.
    pub(crate) async fn run_function(&self, request: TaskRequest) -> TaskOutcome {
        let (name, qualifier) = function_name(&request.resource);
        let payload = request.parameters.to_string();
        let (form, kind) = (Form::Bare, InvocationType::RequestResponse);
        let invocation = Invocation { name, qualifier, payload, form, kind, log_tail: false };
        self.invoke(invocation, request).await
    }

    async fn run_service(&self, request: TaskRequest, form: Form) -> TaskOutcome {
        match Invocation::of_parameters(&request.parameters, form) {
            Ok(invocation) => self.invoke(invocation, request).await,
            Err(error) => TaskOutcome { result: Err(error), log: Vec::new() },
        }
    }

    async fn invoke(&self, invocation: Invocation, request: TaskRequest) -> TaskOutcome {
        let call = FunctionCall {
            name: invocation.name.clone(),
            qualifier: invocation.qualifier.clone(),
            payload: invocation.payload.clone(),
            execution_arn: request.execution_arn.clone(),
            queue: machine_of(&request.execution_arn).to_owned(),
            state_name: request.state_name,
            attempt: request.attempt,
            idempotency_key: request.idempotency_key,
            task_token: request.task_token,
            deadline: request.deadline,
            pinned_at: request.pinned_at,
        };
        if invocation.kind != InvocationType::RequestResponse {
            let accepted = self.accept(&invocation, call).await;
            return TaskOutcome { result: accepted, log: Vec::new() };
        }
        let reply = self.functions.call(call).await;
        let result = match reply.result {
            Err(FunctionError::Failed(error))
                if invocation.form == Form::Sdk
                    && !error.error.as_deref().unwrap_or_default().starts_with("Lambda.") =>
            {
                Ok(invocation.sdk_failure(&error, reply.executed_version))
            }
            Ok(text) => invocation.result(&text, reply.executed_version, &reply.log, self.clock.now()),
            Err(error) => Err(invocation.failure(error, &request.execution_arn)),
        };
        TaskOutcome { result, log: reply.log }
    }

    /// Takes a call whose result nobody waits for.
    async fn accept(&self, invocation: &Invocation, call: FunctionCall) -> Result<Value, StatesError> {
        let execution_arn = call.execution_arn.clone();
        let found = self.functions.look_up(&call).await;
        found.map_err(|error| invocation.failure(error, &execution_arn))?;
        let status = if invocation.kind == InvocationType::Event {
            let Some(background) = &self.background else {
                let cause = "The InvocationType 'Event' is not offered by this server";
                return Err(StatesError::new("Lambda.InvalidParameterValueException", cause));
            };
            background.call_later(call)?;
            202
        } else {
            204
        };
        Ok(invocation.accepted(status, self.clock.now()))
    }
}

/// The part of an execution's ARN that all executions of its machine share: everything before its name, and before the
/// name and the id of an Express execution.
fn machine_of(execution_arn: &str) -> &str {
    let machine = execution_arn.rsplit_once(':').map_or(execution_arn, |(machine, _)| machine);
    let is_express = execution_arn.split(':').nth(5) == Some("express");
    if is_express { machine.rsplit_once(':').map_or(machine, |(machine, _)| machine) } else { machine }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executions_of_one_machine_wait_in_one_line() {
        let prefix = "arn:aws:states:us-east-1:123456789012";
        for (tail, machine) in [("execution:m:e", "execution:m"), ("express:m:e:0-1", "express:m")] {
            assert_eq!(machine_of(&format!("{prefix}:{tail}")), format!("{prefix}:{machine}"));
        }
    }
}

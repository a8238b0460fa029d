//! Step Functions itself as a service that tasks call: the operations of the API, in this process, as the account of the
//! execution that calls (API reference, section 6.5).
//!
//! Whatever a task asks for goes through the same table and the same checks as a request. It must never answer while the
//! server ends with what is only true because it ends: such a task runs again after the restart.

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use stepwell_asl::{Pattern, Starter, Timestamp};
use stepwell_executor::{StopError, WaitError};
use stepwell_integrations::{Executions, Service, ServiceCall, ServiceError};
use tokio::sync::watch;

use crate::api;
use crate::api::arn::{MachineArn, execution_arn};
use crate::api::error::ApiError;
use crate::api::start_execution::{name_for, started_by};
use crate::api::{execution, machine};
use crate::limits;
use crate::server::Server;

/// The service. It is made before the server is, because the executor is.
#[derive(Default)]
pub(crate) struct OwnService {
    /// Nobody is kept alive by it: the server has the executor, and that has this.
    server: watch::Sender<Weak<Server>>,
}

impl OwnService {
    /// Says who answers. Calls that came before wait for this.
    pub(crate) fn answered_by(&self, server: &Arc<Server>) {
        self.server.send_replace(Arc::downgrade(server));
    }

    /// The server as an account's executions see it, when there is one. When it is gone, the process ends.
    async fn server(&self, account: &str) -> Server {
        let mut servers = self.server.subscribe();
        loop {
            let server = servers.borrow_and_update().upgrade();
            if let Some(server) = server {
                return server.seen_by_task(account);
            }
            if servers.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// Answers a call, again and again while the host cannot: that is no matter of the workflow.
    async fn answer(&self, call: &ServiceCall, starter: Option<&Starter>) -> Result<Value, ServiceError> {
        let mut tries = 0;
        loop {
            let server = self.server(&call.account).await;
            let members = call.input.as_object().cloned().unwrap_or_default();
            let answer = api::answer_task(&server, &call.operation, members, starter.cloned()).await;
            tries += 1;
            match answer {
                Ok(answer) => return Ok(dated(answer)),
                // The task runs again after the restart.
                Err(ApiError::ServiceUnavailable(_)) => return std::future::pending().await,
                Err(ApiError::Throttling | ApiError::Internal) if tries < limits::OWN_CALL_TRIES => {
                    tokio::time::sleep(limits::OWN_CALL_RETRY).await;
                }
                Err(error) => return Err(told(&error)),
            }
        }
    }

    /// How many executions wait for what a task starts. Errors: `ExecutionLimitExceeded`.
    async fn depth(&self, call: &ServiceCall) -> Result<u32, ApiError> {
        let server = self.server(&call.account).await;
        let arn = call.task.as_ref().map(|task| task.execution_arn.as_str()).unwrap_or_default();
        let Some(id) = server.store.execution_id(arn).await? else { return Ok(1) };
        let standing = server.store.standing(id).await?;
        let above = standing.and_then(|standing| standing.context.starter).map_or(0, |starter| starter.depth);
        if above >= limits::NESTED_EXECUTIONS {
            return Err(ApiError::ExecutionLimitExceeded(TOO_DEEP.into()));
        }
        Ok(above + 1)
    }

    /// Errors: `StateMachineTypeNotSupported`: the end of an Express execution cannot be waited for.
    async fn check_job(&self, call: &ServiceCall) -> Result<(), ApiError> {
        let server = self.server(&call.account).await;
        let Ok(arn) = MachineArn::parse(call.input["stateMachineArn"].as_str().unwrap_or_default()) else {
            // Whoever starts it says what is wrong.
            return Ok(());
        };
        server.caller.check_account(
            crate::auth::account::account_of(&arn.text).unwrap_or_default(),
            "states:StartExecution",
            &arn.text,
        )?;
        match server.executor.machine(&arn.machine).await? {
            Some(found) if machine::is_express(&found) => Err(ApiError::other_machine_type()),
            Some(_) | None => Ok(()),
        }
    }

    async fn waited(&self, call: &ServiceCall) -> Result<(), ApiError> {
        let arn = call.input["executionArn"].as_str().unwrap_or_default();
        loop {
            let server = self.server(&call.account).await;
            let id = execution::find(&server, arn).await?;
            let executor = server.executor.clone();
            drop(server);
            match executor.wait(arn, id).await {
                Ok(()) => return Ok(()),
                Err(WaitError::Busy | WaitError::Store(_)) => {
                    tokio::time::sleep(stepwell_executor::limits::WAITERS_RETRY).await;
                }
                // It is waited for again after the restart.
                Err(WaitError::ShuttingDown) => return std::future::pending().await,
            }
        }
    }

    /// Stops what an attempt has started. A start that is under way may become durable in a moment.
    async fn stop_started(&self, call: &ServiceCall, starter: &Starter) -> Result<(), ApiError> {
        let server = self.server(&call.account).await;
        let machine = MachineArn::parse(call.input["stateMachineArn"].as_str().unwrap_or_default())?;
        let name = call.input["name"].as_str().map_or_else(|| name_for(starter), str::to_owned);
        let arn = execution_arn(&machine.machine, &name);
        for _ in 0..limits::OWN_STOP_TRIES {
            if started_by(&server, &arn, starter).await?.is_some() {
                match server.executor.stop(&arn, None, None).await {
                    Ok(_) | Err(StopError::DoesNotExist { .. } | StopError::ShuttingDown) => return Ok(()),
                    Err(StopError::Busy | StopError::Store(_)) => {}
                }
            }
            tokio::time::sleep(limits::OWN_STOP_RETRY).await;
        }
        Ok(())
    }
}

const TOO_DEEP: &str = "Too many executions wait for each other: a state machine must not start itself without end and \
                        wait for that. Start the next one without waiting";

#[async_trait]
impl Service for OwnService {
    fn offers(&self, operation: &str) -> bool {
        api::operations().any(|offered| offered == operation)
    }

    async fn call(&self, call: ServiceCall) -> Result<Value, ServiceError> {
        let starter = starter(&call, 0);
        self.answer(&call, starter.as_ref()).await
    }
}

#[async_trait]
impl Executions for OwnService {
    async fn start(&self, call: ServiceCall, pattern: Pattern) -> Result<Value, ServiceError> {
        if pattern == Pattern::RunAJob {
            self.check_job(&call).await.map_err(|error| told(&error))?;
        }
        let depth = match pattern {
            Pattern::RequestResponse => 0,
            Pattern::RunAJob | Pattern::WaitForTaskToken => {
                self.depth(&call).await.map_err(|error| told(&error))?
            }
        };
        let starter = starter(&call, depth);
        self.answer(&call, starter.as_ref()).await
    }

    async fn ended(&self, call: ServiceCall) -> Result<Value, ServiceError> {
        self.waited(&call).await.map_err(|error| told(&error))?;
        self.answer(&call, None).await
    }

    async fn stop(&self, call: ServiceCall) {
        let Some(starter) = starter(&call, 0) else { return };
        if let Err(error) = self.stop_started(&call, &starter).await {
            let task = &starter.idempotency_key;
            tracing::warn!(task, %error, "an execution that nobody waits for any more could not be stopped");
        }
    }
}

/// The attempt that calls.
fn starter(call: &ServiceCall, depth: u32) -> Option<Starter> {
    call.task.as_ref().map(|task| Starter { idempotency_key: task.idempotency_key.clone(), depth })
}

fn told(error: &ApiError) -> ServiceError {
    let status = error.status().as_u16();
    ServiceError { code: error.code().to_owned(), message: error.to_string(), status }
}

/// An answer with its times as tasks see them: texts (recorded). Data of users are texts in answers, and stay as they
/// are.
fn dated(answer: Value) -> Value {
    match answer {
        Value::Object(members) => {
            let members = members.into_iter().map(|(name, value)| {
                let is_time = name == "timestamp" || name.ends_with("Date");
                let time = value.as_f64().filter(|_| is_time).map(text);
                let value = time.unwrap_or_else(|| dated(value));
                (name, value)
            });
            Value::Object(members.collect::<Map<_, _>>())
        }
        Value::Array(items) => items.into_iter().map(dated).collect(),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => other,
    }
}

#[allow(clippy::cast_possible_truncation)] // a time in this range fits
fn text(seconds: f64) -> Value {
    json!(Timestamp((seconds * 1_000.0).round() as i64).to_rfc3339())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_texts_and_data_stay() {
        let answer = json!({
            "startDate": 1_764_000_000.123, "input": "{\"startDate\":1}", "count": 1,
            "events": [{"timestamp": 0.0, "id": 2}], "creationDate": "as it is",
        });
        let expected = json!({
            "startDate": "2025-11-24T16:00:00.123Z", "input": "{\"startDate\":1}", "count": 1,
            "events": [{"timestamp": "1970-01-01T00:00:00.000Z", "id": 2}], "creationDate": "as it is",
        });
        assert_eq!(dated(answer), expected);
    }

    #[tokio::test]
    async fn a_call_waits_until_there_is_a_server() {
        let service = OwnService::default();
        let waits = tokio::time::timeout(std::time::Duration::from_millis(20), service.server("1"));
        assert!(waits.await.is_err());
        assert!(service.offers("StartExecution") && !service.offers("startExecution"));
    }
}

//! HTTP tasks: `http:invoke` (API reference, section 6.6; Developer Guide, "Call HTTPS APIs").
//!
//! A task that a crash interrupts is run again: its request may be sent twice. Aborting it closes its connection. Neither a
//! connection's values nor anything of a body may reach a log.

pub(crate) mod encoding;
mod exchanges;
mod headers;
mod outcome;
mod parameters;
mod request;
#[cfg(test)]
mod tests;

use crate::connections::{Additions, Connections};
use crate::http_client::{ClientError, HttpClient, Reply};
use crate::integrations::{ServiceIntegration, ServiceTask};
use crate::limits;
use async_trait::async_trait;
use http::StatusCode;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use stepwell_asl::{Pattern, StatesError};
use stepwell_executor::TaskOutcome;

pub use exchanges::{Exchange, Exchanges, Watch};
use parameters::Parameters;
use request::{Composed, Fixed, compose};

/// How a server runs HTTP tasks.
#[derive(Clone, Copy, Debug)]
pub struct HttpTaskConfig {
    /// As AWS has it: https only, through a connection only, no members of Stepwell's own.
    pub strict: bool,
    /// Whether causes tell the response's body where the task does not say.
    pub keeps_error_bodies: bool,
    /// Largest result of a task, in bytes.
    pub result_bytes: usize,
}

/// Runs HTTP tasks.
pub struct HttpTasks {
    config: HttpTaskConfig,
    client: Arc<HttpClient>,
    connections: Connections,
    exchanges: Exchanges,
    time: Duration,
}

impl HttpTasks {
    /// HTTP tasks over a client, with these connections.
    pub fn new(
        config: HttpTaskConfig,
        client: Arc<HttpClient>,
        connections: Connections,
        exchanges: Exchanges,
    ) -> HttpTasks {
        HttpTasks { config, client, connections, exchanges, time: limits::HTTP_TASK_TIME }
    }

    async fn invoke(&self, task: &ServiceTask) -> Result<Value, StatesError> {
        let parameters = Parameters::read(&task.request.parameters, self.config.strict)?;
        self.check_profile(&parameters)?;
        let answered = tokio::time::timeout(self.time, self.exchange(task, &parameters)).await;
        let reply =
            answered.unwrap_or_else(|_| Err(outcome::of_failure(&ClientError::Timeout(self.time))))?;
        let keeps_error_body = parameters.keeps_error_body.unwrap_or(self.config.keeps_error_bodies);
        outcome::of_reply(&reply, keeps_error_body)
    }

    /// What AWS would not take, where it matters.
    fn check_profile(&self, parameters: &Parameters) -> Result<(), StatesError> {
        if !self.config.strict {
            return Ok(());
        }
        if parameters.connection_arn.is_none() {
            let cause = "The field 'InvocationConfig.ConnectionArn' is required but was missing";
            return Err(StatesError::runtime(cause));
        }
        if !parameters.endpoint.to_ascii_lowercase().starts_with("https://") {
            return Err(StatesError::runtime("The field 'ApiEndpoint' must begin with https://"));
        }
        Ok(())
    }

    /// Sends the request, and once more with a new token if the one that it had is refused.
    async fn exchange(&self, task: &ServiceTask, parameters: &Parameters) -> Result<Reply, StatesError> {
        let call = task.call("", Value::Null);
        let fixed = Fixed {
            region: call.region.clone(),
            range_bytes: self.config.result_bytes,
            idempotency_key: task.request.idempotency_key.clone(),
        };
        let Some(arn) = &parameters.connection_arn else {
            let request = compose(parameters, &Additions::default(), &fixed)?;
            return self.send(&request, Some(&request), &fixed).await;
        };
        let connection = self.connections.find(&call.account, &call.region, arn).await?;
        let public = compose(parameters, &Additions::default(), &fixed);
        let additions = self.connections.additions(&connection, None).await?;
        let request = compose(parameters, &additions, &fixed)?;
        let reply = self.send(&request, public.as_ref().ok(), &fixed).await?;
        if reply.status != StatusCode::UNAUTHORIZED || !connection.has_token() {
            return Ok(reply);
        }
        let additions = self.connections.additions(&connection, additions.token.as_deref()).await?;
        let request = compose(parameters, &additions, &fixed)?;
        self.send(&request, public.as_ref().ok(), &fixed).await
    }

    /// Sends one request; `public` is what may be seen of it by those who must not see secrets.
    async fn send(
        &self,
        request: &Composed,
        public: Option<&Composed>,
        fixed: &Fixed,
    ) -> Result<Reply, StatesError> {
        let key = &fixed.idempotency_key;
        let reveals = self.exchanges.reveals(key);
        match reveals {
            Some(false) => public.into_iter().for_each(|public| self.exchanges.sent(key, public)),
            Some(true) => self.exchanges.sent(key, request),
            None => {}
        }
        let sent = self.client.send(request.outgoing()?, self.time, self.config.result_bytes).await;
        let reply = sent.map_err(|error| outcome::of_failure(&error))?;
        if reveals.is_some() {
            self.exchanges.received(key, request, &reply);
        }
        Ok(reply)
    }
}

#[async_trait]
impl ServiceIntegration for HttpTasks {
    fn runs(&self, action: &str, pattern: Pattern) -> bool {
        action == "invoke" && pattern == Pattern::RequestResponse
    }

    async fn run(&self, task: ServiceTask) -> TaskOutcome {
        TaskOutcome { result: self.invoke(&task).await, log: Vec::new() }
    }
}

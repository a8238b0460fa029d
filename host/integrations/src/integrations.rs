//! Which integration runs a task: the one of its service.
//!
//! It must never run what it did not say that it runs.

use crate::lambda::{Lambda, SdkLambda};
use crate::service::{ServiceCall, Task};
use async_trait::async_trait;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use stepwell_asl::{Pattern, Resource, StatesError};
use stepwell_executor::{Integration, TaskOutcome, TaskRequest};

/// A task of a service, its resource taken apart.
#[derive(Clone, Debug)]
pub struct ServiceTask {
    /// Such as `sqs` or `aws-sdk:sqs`.
    pub service: String,
    /// Such as `sendMessage`, without the suffix of a pattern.
    pub action: String,
    /// The suffix of its pattern as written, without the dot, such as `sync:2`; empty for request-response.
    pub suffix: String,
    /// How its result comes.
    pub pattern: Pattern,
    /// The task.
    pub request: TaskRequest,
}

impl ServiceTask {
    /// The call of `operation` with `input` that this task makes.
    pub fn call(&self, operation: &str, input: Value) -> ServiceCall {
        let mut parts = self.request.execution_arn.split(':').skip(3);
        let (region, account) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        ServiceCall {
            operation: operation.to_owned(),
            input,
            account: account.to_owned(),
            region: region.to_owned(),
            task: Some(Task {
                execution_arn: self.request.execution_arn.clone(),
                state_name: self.request.state_name.clone(),
                attempt: self.request.attempt,
                idempotency_key: self.request.idempotency_key.clone(),
                deadline: self.request.deadline,
            }),
        }
    }
}

/// Runs the tasks of one service.
#[async_trait]
pub trait ServiceIntegration: Send + Sync {
    /// Whether it can run this action, whose result comes like this.
    fn runs(&self, action: &str, pattern: Pattern) -> bool;

    /// Runs one task to its end; with a token, to where the token is passed on. Dropping the future aborts it.
    async fn run(&self, task: ServiceTask) -> TaskOutcome;

    /// Waits for the end of a job, from what `run` has answered: the second half of `.sync`, which alone runs again after a
    /// crash. Whoever has no jobs has the answer as the result.
    async fn finish(&self, _task: ServiceTask, submission: Value) -> TaskOutcome {
        TaskOutcome { result: Ok(submission), log: Vec::new() }
    }

    /// Stops a job that nobody waits for any more, if it can. Without a submission it may have been started or not.
    async fn stop(&self, _task: ServiceTask, _submission: Option<Value>) {}
}

/// All that tasks can call.
pub struct Integrations {
    lambda: Arc<Lambda>,
    services: BTreeMap<String, Arc<dyn ServiceIntegration>>,
}

impl Integrations {
    /// Functions, `lambda:invoke` and `aws-sdk:lambda:invoke` alone.
    pub fn new(lambda: Lambda) -> Integrations {
        let lambda = Arc::new(lambda);
        let service = Arc::clone(&lambda) as Arc<dyn ServiceIntegration>;
        let sdk = Arc::new(SdkLambda(Arc::clone(&lambda))) as Arc<dyn ServiceIntegration>;
        let services = [("lambda".to_owned(), service), ("aws-sdk:lambda".to_owned(), sdk)];
        Integrations { lambda, services: BTreeMap::from(services) }
    }

    /// And this service, by its name in resources, such as `sqs` or `aws-sdk:sqs`.
    #[must_use]
    pub fn with(mut self, service: &str, integration: Arc<dyn ServiceIntegration>) -> Integrations {
        self.services.insert(service.to_owned(), integration);
        self
    }
}

#[async_trait]
impl Integration for Integrations {
    fn runs(&self, resource: &Resource) -> bool {
        match resource {
            // The executor itself hands the tasks of activities out.
            Resource::Function { .. } | Resource::Activity { .. } => true,
            Resource::Integration { service, action, pattern, .. } => {
                let action = action.split_once('.').map_or(action.as_str(), |(action, _)| action);
                self.services.get(service).is_some_and(|integration| integration.runs(action, *pattern))
            }
        }
    }

    async fn run(&self, request: TaskRequest) -> TaskOutcome {
        if let Some(Resource::Function { .. }) = Resource::parse(&request.resource) {
            return self.lambda.run_function(request).await;
        }
        match self.service_task(request) {
            Ok((integration, task)) => integration.run(task).await,
            Err(request) => not_run(&request),
        }
    }

    async fn finish(&self, request: TaskRequest, submission: Value) -> TaskOutcome {
        match self.service_task(request) {
            Ok((integration, task)) => integration.finish(task, submission).await,
            Err(request) => not_run(&request),
        }
    }

    async fn stop(&self, request: TaskRequest, submission: Option<Value>) {
        if let Ok((integration, task)) = self.service_task(request) {
            integration.stop(task, submission).await;
        }
    }
}

impl Integrations {
    /// Who runs the task of a service, and the task taken apart; otherwise the request as it was.
    fn service_task(
        &self,
        request: TaskRequest,
    ) -> Result<(&dyn ServiceIntegration, ServiceTask), Box<TaskRequest>> {
        let Some(Resource::Integration { service, action, pattern, .. }) = Resource::parse(&request.resource)
        else {
            return Err(Box::new(request));
        };
        let (action, suffix) = action.split_once('.').unwrap_or((&action, ""));
        match self.services.get(&service).filter(|integration| integration.runs(action, pattern)) {
            Some(integration) => {
                let (action, suffix) = (action.to_owned(), suffix.to_owned());
                Ok((&**integration, ServiceTask { service, action, suffix, pattern, request }))
            }
            None => Err(Box::new(request)),
        }
    }
}

/// A machine from before, when another configuration or another release could run it.
fn not_run(request: &TaskRequest) -> TaskOutcome {
    let cause = format!("The resource '{}' is not supported by this server", request.resource);
    TaskOutcome { result: Err(StatesError::runtime(cause)), log: Vec::new() }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::lambda::{FunctionCall, FunctionReply, Functions};
    use serde_json::json;
    use stepwell_executor::SystemClock;

    struct Named(&'static str);

    #[async_trait]
    impl Functions for Named {
        async fn call(&self, call: FunctionCall) -> FunctionReply {
            let result = Ok(json!([self.0, call.name]).to_string());
            FunctionReply { result, log: Vec::new(), executed_version: None }
        }
    }

    #[async_trait]
    impl ServiceIntegration for Named {
        fn runs(&self, action: &str, pattern: Pattern) -> bool {
            action == "act" && pattern != Pattern::WaitForTaskToken
        }

        async fn run(&self, task: ServiceTask) -> TaskOutcome {
            let call = task.call("Act", Value::Null);
            let result = json!([self.0, task.action, task.suffix, call.account, call.region]);
            TaskOutcome { result: Ok(result), log: Vec::new() }
        }
    }

    pub(crate) fn request(resource: &str) -> TaskRequest {
        TaskRequest {
            execution_arn: "arn:aws:states:us-east-1:123456789012:execution:m:e".into(),
            state_name: "S".into(),
            resource: resource.into(),
            parameters: json!({}),
            attempt: 0,
            idempotency_key: "k".into(),
            deadline: None,
            pinned_at: None,
            task_token: None,
            test_case: None,
        }
    }

    #[tokio::test]
    async fn the_service_of_a_resource_runs_it() {
        let lambda = Lambda::new(Arc::new(Named("function")), Arc::new(SystemClock));
        let integrations = Integrations::new(lambda)
            .with("one", Arc::new(Named("1")))
            .with("aws-sdk:one", Arc::new(Named("sdk")));
        for (resource, expected) in [
            ("arn:aws:states:::one:act", Some(json!(["1", "act", "", "123456789012", "us-east-1"]))),
            (
                "arn:aws:states:::one:act.sync:2",
                Some(json!(["1", "act", "sync:2", "123456789012", "us-east-1"])),
            ),
            (
                "arn:aws:states:::aws-sdk:one:act",
                Some(json!(["sdk", "act", "", "123456789012", "us-east-1"])),
            ),
            ("arn:aws:lambda:us-east-1:123456789012:function:f", Some(json!(["function", "f"]))),
            ("arn:aws:states:::one:act.waitForTaskToken", None),
            ("arn:aws:states:::one:other", None),
            ("arn:aws:states:::two:act", None),
        ] {
            assert_eq!(
                integrations.runs(&Resource::parse(resource).unwrap()),
                expected.is_some(),
                "{resource}"
            );
            let outcome = integrations.run(request(resource)).await;
            match expected {
                Some(expected) => assert_eq!(outcome.result, Ok(expected), "{resource}"),
                None => assert!(outcome.result.is_err_and(|error| error.is("States.Runtime")), "{resource}"),
            }
        }
    }
}

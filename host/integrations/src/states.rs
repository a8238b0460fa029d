//! `states:startExecution`: executions that are started by tasks of others (API reference, section 6.5).
//!
//! It shapes parameters and results; what starts an execution, and how its end is waited for, is a trait. It must never
//! start two executions for one attempt of a task.

use crate::aws_sdk::{capitalised, optimised_error, renamed, uncapitalised};
use crate::integrations::{ServiceIntegration, ServiceTask};
use crate::sdk_metadata;
use crate::service::{ServiceCall, ServiceError};
use async_trait::async_trait;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use stepwell_asl::{Pattern, StatesError};
use stepwell_executor::{Clock, TaskOutcome};

/// Executions as tasks start them. Every call comes from a task. Dropping the future of a call gives it up.
#[async_trait]
pub trait Executions: Send + Sync {
    /// StartExecution: once for the task's idempotency key, also when the execution has ended meanwhile. The pattern says
    /// what the task waits for.
    async fn start(&self, call: ServiceCall, pattern: Pattern) -> Result<Value, ServiceError>;

    /// DescribeExecution, when the execution has ended.
    async fn ended(&self, call: ServiceCall) -> Result<Value, ServiceError>;

    /// Stops what `start` with the same call has started, if it has. Whether it could is for the operator alone.
    async fn stop(&self, call: ServiceCall);
}

/// The integration of Step Functions itself.
pub struct NestedExecutions {
    executions: Arc<dyn Executions>,
    clock: Arc<dyn Clock>,
}

impl NestedExecutions {
    /// Starts them by `executions`; `clock` dates the replies.
    pub fn new(executions: Arc<dyn Executions>, clock: Arc<dyn Clock>) -> NestedExecutions {
        NestedExecutions { executions, clock }
    }

    async fn start(&self, task: &ServiceTask) -> Result<Value, StatesError> {
        let call = task.call("StartExecution", input(&task.request.parameters)?);
        let started = self.executions.start(call, task.pattern).await.map_err(failure)?;
        let arn = started["executionArn"].as_str().unwrap_or_default();
        // The reply as it goes over the wire, where the date is a number of as many digits.
        let bytes = json!({"executionArn": arn, "startDate": "1.764000000123456"}).to_string().len();
        let members = Map::from_iter([
            ("ExecutionArn".to_owned(), started["executionArn"].clone()),
            ("StartDate".to_owned(), started["startDate"].clone()),
        ]);
        Ok(sdk_metadata::decorate(members, ("application/x-amz-json-1.0", bytes), self.clock.now()))
    }

    async fn end(&self, task: &ServiceTask, submission: &Value) -> Result<Value, StatesError> {
        let call = task.call("DescribeExecution", json!({"executionArn": submission["ExecutionArn"]}));
        let mut described = renamed(self.executions.ended(call).await.map_err(failure)?, &capitalised);
        if let Value::Object(members) = &mut described {
            // As recorded.
            members.sort_keys();
        }
        if described["Status"] != json!("SUCCEEDED") {
            return Err(StatesError::new("States.TaskFailed", described.to_string()));
        }
        if task.suffix == "sync:2" {
            for name in ["Input", "Output"] {
                let parsed = described[name].as_str().and_then(|text| serde_json::from_str(text).ok());
                if let Some(parsed) = parsed {
                    described[name] = parsed;
                }
            }
        }
        Ok(described)
    }
}

#[async_trait]
impl ServiceIntegration for NestedExecutions {
    fn runs(&self, action: &str, _pattern: Pattern) -> bool {
        action == "startExecution"
    }

    async fn run(&self, task: ServiceTask) -> TaskOutcome {
        TaskOutcome { result: self.start(&task).await, log: Vec::new() }
    }

    async fn finish(&self, task: ServiceTask, submission: Value) -> TaskOutcome {
        TaskOutcome { result: self.end(&task, &submission).await, log: Vec::new() }
    }

    async fn stop(&self, task: ServiceTask, _submission: Option<Value>) {
        if let Ok(input) = input(&task.request.parameters) {
            self.executions.stop(task.call("StartExecution", input)).await;
        }
    }
}

/// The input of StartExecution. `Input` is any JSON and is sent as text; a text is sent as it stands, and null is none
/// (recorded).
fn input(parameters: &Value) -> Result<Value, StatesError> {
    if parameters["StateMachineArn"].is_null() {
        return Err(StatesError::runtime("The field 'StateMachineArn' is required but was missing"));
    }
    let mut members = Map::new();
    for name in ["StateMachineArn", "Input", "Name", "TraceHeader"] {
        let value = match &parameters[name] {
            Value::Null => continue,
            Value::String(text) => json!(text),
            value @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_))
                if name == "Input" =>
            {
                json!(value.to_string())
            }
            value @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => value.clone(),
        };
        members.insert(uncapitalised(name), value);
    }
    Ok(Value::Object(members))
}

fn failure(error: ServiceError) -> StatesError {
    optimised_error("StepFunctions", "AWSStepFunctions", error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integrations::tests::request;
    use std::sync::Mutex;
    use stepwell_executor::{SystemClock, TaskRequest};

    const MACHINE: &str = "arn:aws:states:us-east-1:123456789012:stateMachine:child";

    /// Notes what it is asked for.
    struct Asked {
        calls: Mutex<Vec<(String, Value, bool)>>,
        status: &'static str,
    }

    impl Asked {
        fn note(&self, call: &ServiceCall, waits: bool) {
            assert_eq!(call.task.as_ref().unwrap().idempotency_key, "k");
            self.calls.lock().unwrap().push((call.operation.clone(), call.input.clone(), waits));
        }
    }

    #[async_trait]
    impl Executions for Asked {
        async fn start(&self, call: ServiceCall, pattern: Pattern) -> Result<Value, ServiceError> {
            self.note(&call, pattern == Pattern::RunAJob);
            if call.input["stateMachineArn"] != json!(MACHINE) {
                let message = "State Machine Does Not Exist: 'x'";
                return Err(ServiceError::client("StateMachineDoesNotExist", message));
            }
            Ok(json!({"executionArn": "child", "startDate": "2026-01-02T03:04:05.678Z"}))
        }

        async fn ended(&self, call: ServiceCall) -> Result<Value, ServiceError> {
            self.note(&call, true);
            Ok(json!({
                "stateMachineArn": MACHINE, "name": "n", "executionArn": "child", "input": "{\"a\":{\"b\":1}}",
                "inputDetails": {"included": true}, "output": "[1]", "status": self.status,
            }))
        }

        async fn stop(&self, call: ServiceCall) {
            self.note(&call, false);
        }
    }

    fn nested(status: &'static str) -> (Arc<Asked>, NestedExecutions) {
        let asked = Arc::new(Asked { calls: Mutex::default(), status });
        (Arc::clone(&asked), NestedExecutions::new(asked, Arc::new(SystemClock)))
    }

    fn task(suffix: &str, parameters: Value) -> ServiceTask {
        ServiceTask {
            service: "states".into(),
            action: "startExecution".into(),
            suffix: suffix.into(),
            pattern: if suffix.starts_with("sync") { Pattern::RunAJob } else { Pattern::RequestResponse },
            request: TaskRequest { parameters, ..request("arn:aws:states:::states:startExecution") },
        }
    }

    #[tokio::test]
    async fn what_is_started_is_told_as_recorded() {
        let (asked, nested) = nested("SUCCEEDED");
        for (given, sent) in [
            (json!({"a": 1}), json!("{\"a\":1}")),
            (json!("[1]"), json!("[1]")),
            (json!(1), json!("1")),
            (Value::Null, Value::Null),
        ] {
            let parameters = json!({"StateMachineArn": MACHINE, "Input": given, "Name": "n", "Other": 1});
            let outcome = nested.run(task("", parameters)).await.result.unwrap();
            let members: Vec<&String> = outcome.as_object().unwrap().keys().collect();
            assert_eq!(members, ["ExecutionArn", "SdkHttpMetadata", "SdkResponseMetadata", "StartDate"]);
            let (operation, input, waits) = asked.calls.lock().unwrap().pop().unwrap();
            assert_eq!((operation.as_str(), &input["input"], waits), ("StartExecution", &sent, false));
            assert_eq!((&input["name"], input.get("other")), (&json!("n"), None));
        }
        nested.run(task("sync", json!({"StateMachineArn": MACHINE}))).await.result.unwrap();
        assert!(asked.calls.lock().unwrap().pop().unwrap().2, "it waits");
    }

    #[tokio::test]
    async fn errors_have_the_names_of_the_older_sdk() {
        let (_, nested) = nested("SUCCEEDED");
        let error = nested.run(task("", json!({"StateMachineArn": "x"}))).await.result.unwrap_err();
        assert!(error.is("StepFunctions.StateMachineDoesNotExistException"));
        let cause = error.cause.unwrap();
        let expected = "State Machine Does Not Exist: 'x' (Service: AWSStepFunctions; Status Code: 400; Error Code: \
                        StateMachineDoesNotExist; Request ID: ";
        assert!(cause.starts_with(expected) && cause.ends_with("; Proxy: null)"), "{cause}");
        assert!(nested.run(task("", json!({}))).await.result.unwrap_err().is("States.Runtime"));
    }

    #[tokio::test]
    async fn an_end_is_described_as_text_or_parsed_and_a_failure_is_the_cause() {
        let submission = json!({"ExecutionArn": "child"});
        let (_, succeeded) = nested("SUCCEEDED");
        let finish = |suffix| succeeded.finish(task(suffix, json!({})), submission.clone());
        let first = finish("sync").await.result.unwrap();
        let members: Vec<&String> = first.as_object().unwrap().keys().collect();
        let expected =
            ["ExecutionArn", "Input", "InputDetails", "Name", "Output", "StateMachineArn", "Status"];
        assert_eq!(members, expected);
        assert_eq!(
            (&first["Input"], &first["InputDetails"]["Included"]),
            (&json!("{\"a\":{\"b\":1}}"), &json!(true))
        );
        let second = finish("sync:2").await.result.unwrap();
        assert_eq!((&second["Input"], &second["Output"]), (&json!({"a": {"b": 1}}), &json!([1])));
        let (_, failed) = nested("ABORTED");
        let error = failed.finish(task("sync:2", json!({})), submission).await.result.unwrap_err();
        assert!(error.is("States.TaskFailed"));
        let cause: Value = serde_json::from_str(&error.cause.unwrap()).unwrap();
        assert_eq!((&cause["Status"], &cause["Output"]), (&json!("ABORTED"), &json!("[1]")));
    }

    #[tokio::test]
    async fn what_is_stopped_is_what_was_asked_for() {
        let (asked, nested) = nested("SUCCEEDED");
        nested.stop(task("sync", json!({"StateMachineArn": MACHINE})), None).await;
        let (operation, input, _) = asked.calls.lock().unwrap().pop().unwrap();
        assert_eq!((operation.as_str(), &input["stateMachineArn"]), ("StartExecution", &json!(MACHINE)));
    }
}

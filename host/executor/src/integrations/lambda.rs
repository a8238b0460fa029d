//! Lambda functions: direct ARNs and `lambda:invoke` (API reference, sections 6.3 and 6.4).
//!
//! It shapes calls and results as Step Functions does. It must never know what a function is made of.

use crate::clock::Clock;
use crate::integration::{Integration, TaskOutcome, TaskRequest};
use crate::limits;
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};
use stepwell_asl::{Resource, StatesError, Timestamp};
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
}

/// The integration of Lambda functions.
pub struct Lambda {
    functions: Arc<dyn Functions>,
    clock: Arc<dyn Clock>,
}

/// What a task asks of Lambda.
struct Invocation {
    name: String,
    qualifier: Option<String>,
    payload: String,
    /// `lambda:invoke` wraps the result; a direct ARN does not.
    wrapped: bool,
    log_tail: bool,
}

impl Lambda {
    /// An integration that calls `functions`; `clock` dates the replies.
    pub fn new(functions: Arc<dyn Functions>, clock: Arc<dyn Clock>) -> Lambda {
        Lambda { functions, clock }
    }
}

#[async_trait]
impl Integration for Lambda {
    fn runs(&self, resource: &Resource) -> bool {
        match resource {
            // The executor itself hands the tasks of activities out.
            Resource::Function { .. } | Resource::Activity { .. } => true,
            Resource::Integration { service, action, .. } => {
                service == "lambda" && matches!(action.as_str(), "invoke" | "invoke.waitForTaskToken")
            }
        }
    }

    async fn run(&self, request: TaskRequest) -> TaskOutcome {
        let invocation = match Invocation::new(&request) {
            Ok(invocation) => invocation,
            Err(error) => return TaskOutcome { result: Err(error), log: Vec::new() },
        };
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
        let reply = self.functions.call(call).await;
        let result = match reply.result {
            Ok(text) => invocation.result(&text, reply.executed_version, &reply.log, self.clock.now()),
            Err(error) => Err(invocation.failure(error, &request.execution_arn)),
        };
        TaskOutcome { result, log: reply.log }
    }
}

impl Invocation {
    fn new(request: &TaskRequest) -> Result<Invocation, StatesError> {
        let resource = request.resource.trim_end_matches(".waitForTaskToken");
        if !resource.ends_with(":states:::lambda:invoke") {
            let (name, qualifier) = function_name(&request.resource);
            let payload = request.parameters.to_string();
            return Ok(Invocation { name, qualifier, payload, wrapped: false, log_tail: false });
        }
        let parameters = request.parameters.as_object().cloned().unwrap_or_default();
        check_parameters(&parameters)?;
        let text = |name: &str| parameters.get(name).and_then(Value::as_str);
        let Some(function) = text("FunctionName") else {
            return Err(StatesError::runtime("The field 'FunctionName' is required but was missing"));
        };
        let (name, qualifier) = function_name(function);
        let payload = request_body(parameters.get("Payload"))?;
        Ok(Invocation {
            name,
            qualifier: text("Qualifier").map(str::to_owned).or(qualifier),
            payload,
            wrapped: true,
            log_tail: text("LogType") == Some("Tail"),
        })
    }

    fn result(
        &self,
        text: &str,
        executed_version: Option<String>,
        log: &[LogLine],
        at: Timestamp,
    ) -> Result<Value, StatesError> {
        let payload: Value = serde_json::from_str(text).map_err(|error| {
            StatesError::new("Lambda.Unknown", format!("The function returned no JSON: {error}"))
        })?;
        if !self.wrapped {
            return Ok(payload);
        }
        let version =
            executed_version.or_else(|| self.qualifier.clone()).unwrap_or_else(|| "$LATEST".to_owned());
        let request_id = uuid::Uuid::new_v4().to_string();
        let log_result = self.log_tail.then(|| STANDARD.encode(log_tail(&request_id, &version, log)));
        let mut result = json!({"ExecutedVersion": version});
        if let Some(tail) = &log_result {
            result["LogResult"] = json!(tail);
        }
        result["Payload"] = payload;
        result["SdkHttpMetadata"] =
            http_metadata(&version, text.len(), &request_id, log_result.as_deref(), at);
        result["SdkResponseMetadata"] = json!({"RequestId": request_id});
        result["StatusCode"] = json!(200);
        Ok(result)
    }

    fn failure(&self, error: FunctionError, execution_arn: &str) -> StatesError {
        match error {
            // The optimised integration writes a JSON cause anew, without spaces (recorded).
            FunctionError::Failed(error) if self.wrapped => {
                let cause = error
                    .cause
                    .map(|text| serde_json::from_str(&text).map_or(text, |json: Value| json.to_string()));
                StatesError::reported(error.error, cause)
            }
            FunctionError::Failed(error) => error,
            FunctionError::Service(cause) => StatesError::new("Lambda.ServiceException", cause),
            FunctionError::NotFound => {
                let mut parts = execution_arn.split(':').skip(3);
                let (region, account) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
                let qualifier = self.qualifier.as_deref().unwrap_or("$LATEST");
                let arn = format!("arn:aws:lambda:{region}:{account}:function:{}:{qualifier}", self.name);
                let service = "Service: AWSLambda; Status Code: 404; Error Code: ResourceNotFoundException";
                let request_id = uuid::Uuid::new_v4();
                let cause =
                    format!("Function not found: {arn} ({service}; Request ID: {request_id}; Proxy: null)");
                StatesError::new("Lambda.ResourceNotFoundException", cause)
            }
        }
    }
}

/// The part of an execution's ARN that all executions of its machine share: everything before its name, and before the
/// name and the id of an Express execution.
fn machine_of(execution_arn: &str) -> &str {
    let machine = execution_arn.rsplit_once(':').map_or(execution_arn, |(machine, _)| machine);
    let is_express = execution_arn.split(':').nth(5) == Some("express");
    if is_express { machine.rsplit_once(':').map_or(machine, |(machine, _)| machine) } else { machine }
}

/// The name and qualifier in a function's full ARN, partial ARN or name (API: FunctionName).
fn function_name(text: &str) -> (String, Option<String>) {
    let tail = text.rsplit_once("function:").map_or(text, |(_, tail)| tail);
    match tail.split_once(':') {
        Some((name, qualifier)) => (name.to_owned(), Some(qualifier.to_owned())),
        None => (tail.to_owned(), None),
    }
}

/// The request body: a string is sent as it stands and must be JSON itself; null is no body, and Lambda then hands
/// an empty object to the function (recorded).
fn request_body(payload: Option<&Value>) -> Result<String, StatesError> {
    match payload {
        None | Some(Value::Null) => Ok("{}".to_owned()),
        Some(Value::String(text)) => match serde_json::from_str::<serde::de::IgnoredAny>(text) {
            Ok(_) => Ok(text.clone()),
            Err(error) => {
                let cause = format!("Could not parse request body into json: {error}");
                Err(StatesError::new("Lambda.InvalidRequestContentException", cause))
            }
        },
        Some(payload) => Ok(payload.to_string()),
    }
}

fn check_parameters(parameters: &Map<String, Value>) -> Result<(), StatesError> {
    match parameters.get("InvocationType").and_then(Value::as_str) {
        None | Some("RequestResponse") => Ok(()),
        Some(other) => Err(StatesError::new(
            "Lambda.InvalidParameterValueException",
            format!("The InvocationType '{other}' is not supported by this release of Stepwell"),
        )),
    }
}

/// The last part of what Lambda would have logged for the call, at most 4 KiB (API: LogResult, before base64).
pub fn log_tail(request_id: &str, version: &str, log: &[LogLine]) -> String {
    let mut text = format!("START RequestId: {request_id} Version: {version}\n");
    for line in log {
        text.extend([&line.level.to_uppercase(), " ", &line.message, "\n"]);
    }
    text.extend(["END RequestId: ", request_id, "\n"]);
    let from = text.ceil_char_boundary(text.len().saturating_sub(limits::LOG_TAIL_BYTES));
    text.split_off(from)
}

/// The HTTP reply that AWS would have seen: definitions select around it (recorded shape).
fn http_metadata(
    version: &str,
    bytes: usize,
    request_id: &str,
    log_result: Option<&str>,
    at: Timestamp,
) -> Value {
    let date = UNIX_EPOCH + Duration::from_millis(u64::try_from(at.0).unwrap_or_default());
    let mut headers = vec![
        ("Connection", "keep-alive".to_owned()),
        ("Content-Length", bytes.to_string()),
        ("Content-Type", "application/json".to_owned()),
        ("Date", httpdate::fmt_http_date(date)),
        ("X-Amz-Executed-Version", version.to_owned()),
        ("X-Amzn-Trace-Id", format!("Root=1-00000000-{}", &request_id.replace('-', "")[..24])),
        ("x-amzn-Remapped-Content-Length", "0".to_owned()),
        ("x-amzn-RequestId", request_id.to_owned()),
    ];
    if let Some(tail) = log_result {
        headers.insert(5, ("X-Amz-Log-Result", tail.to_owned()));
    }
    let all: Map<String, Value> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), json!([value]))).collect();
    let one: Map<String, Value> =
        headers.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
    json!({"AllHttpHeaders": all, "HttpHeaders": one, "HttpStatusCode": 200})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_named_in_three_ways() {
        for (text, name, qualifier) in [
            ("charge", "charge", None),
            ("charge:live", "charge", Some("live")),
            ("123456789012:function:charge", "charge", None),
            ("arn:aws:lambda:us-east-1:123456789012:function:charge", "charge", None),
            ("arn:aws:lambda:us-east-1:123456789012:function:charge:2", "charge", Some("2")),
        ] {
            assert_eq!(function_name(text), (name.to_owned(), qualifier.map(str::to_owned)), "{text}");
        }
    }

    #[test]
    fn executions_of_one_machine_wait_in_one_line() {
        let prefix = "arn:aws:states:us-east-1:123456789012";
        for (tail, machine) in [("execution:m:e", "execution:m"), ("express:m:e:0-1", "express:m")] {
            assert_eq!(machine_of(&format!("{prefix}:{tail}")), format!("{prefix}:{machine}"));
        }
    }

    #[test]
    fn the_log_tail_is_cut_at_a_character() {
        let line = |message: String| LogLine {
            at: Timestamp(0),
            level: "info".to_owned(),
            state: String::new(),
            attempt: 0,
            message,
        };
        let tail = log_tail("id", "$LATEST", &[line("é".repeat(limits::LOG_TAIL_BYTES))]);
        assert!(tail.len() <= limits::LOG_TAIL_BYTES && tail.ends_with("é\nEND RequestId: id\n"), "{tail}");
        let short = log_tail("id", "$LATEST", &[line("short".to_owned())]);
        assert_eq!(short, "START RequestId: id Version: $LATEST\nINFO short\nEND RequestId: id\n");
    }
}

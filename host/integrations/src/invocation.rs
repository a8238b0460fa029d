//! One call of a function as a task asks for it: its parameters read, its reply and its failures in the shapes of Step
//! Functions (API reference, section 6.4).
//!
//! It must never call anything.

use crate::aws_sdk::{sdk_error, uncapitalised};
use crate::lambda::FunctionError;
use crate::limits;
use crate::sdk_metadata;
use crate::service::ServiceError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use stepwell_asl::{StatesError, Timestamp};
use stepwell_store::LogLine;

/// How a function is called (API: InvocationType).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InvocationType {
    RequestResponse,
    Event,
    DryRun,
}

/// How a task hears of what a function did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A direct ARN: the payload is the result.
    Bare,
    /// `lambda:invoke`.
    Optimised,
    /// `aws-sdk:lambda:invoke`.
    Sdk,
}

/// What a task asks of Lambda.
pub(crate) struct Invocation {
    pub(crate) name: String,
    pub(crate) qualifier: Option<String>,
    pub(crate) payload: String,
    pub(crate) form: Form,
    pub(crate) kind: InvocationType,
    pub(crate) log_tail: bool,
}

impl Invocation {
    /// What the parameters of `lambda:invoke` ask for.
    pub(crate) fn of_parameters(parameters: &Value, form: Form) -> Result<Invocation, StatesError> {
        let text = |name: &str| parameters.get(name).and_then(Value::as_str);
        let kind = match text("InvocationType") {
            None | Some("RequestResponse") => InvocationType::RequestResponse,
            Some("Event") => InvocationType::Event,
            Some("DryRun") => InvocationType::DryRun,
            Some(other) => return Err(not_one_of("InvocationType", other, "Event, RequestResponse, DryRun")),
        };
        if let Some(other) = text("LogType").filter(|kind| !["None", "Tail"].contains(kind)) {
            return Err(not_one_of("LogType", other, "None, Tail"));
        }
        check_client_context(parameters.get("ClientContext"))?;
        let Some(function) = text("FunctionName") else {
            return Err(StatesError::runtime("The field 'FunctionName' is required but was missing"));
        };
        let (name, qualifier) = function_name(function);
        let payload = request_body(parameters.get("Payload"))?;
        Ok(Invocation {
            name,
            qualifier: text("Qualifier").map(str::to_owned).or(qualifier),
            payload,
            form,
            kind,
            log_tail: text("LogType") == Some("Tail"),
        })
    }

    pub(crate) fn result(
        &self,
        text: &str,
        executed_version: Option<String>,
        log: &[LogLine],
        at: Timestamp,
    ) -> Result<Value, StatesError> {
        let payload: Value = serde_json::from_str(text).map_err(|error| {
            StatesError::new("Lambda.Unknown", format!("The function returned no JSON: {error}"))
        })?;
        if self.form == Form::Bare {
            return Ok(payload);
        }
        let version = self.version(executed_version);
        let request_id = uuid::Uuid::new_v4().to_string();
        let log_result = self.log_tail.then(|| STANDARD.encode(log_tail(&request_id, &version, log)));
        let mut result = json!({"ExecutedVersion": version});
        if let Some(tail) = &log_result {
            result["LogResult"] = json!(tail);
        }
        if self.form == Form::Sdk {
            result["Payload"] = json!(text);
        } else {
            result["Payload"] = payload;
            result["SdkHttpMetadata"] =
                http_metadata(&version, text.len(), &request_id, log_result.as_deref(), at);
            result["SdkResponseMetadata"] = json!({"RequestId": request_id});
        }
        result["StatusCode"] = json!(200);
        Ok(result)
    }

    fn version(&self, executed: Option<String>) -> String {
        executed.or_else(|| self.qualifier.clone()).unwrap_or_else(|| "$LATEST".to_owned())
    }

    /// The SDK does not take the error of a function for one of its own.
    pub(crate) fn sdk_failure(&self, error: &StatesError, executed_version: Option<String>) -> Value {
        let payload = json!({"errorType": error.error, "errorMessage": error.cause}).to_string();
        json!({
            "ExecutedVersion": self.version(executed_version),
            "FunctionError": "Unhandled",
            "Payload": payload,
            "StatusCode": 200,
        })
    }

    /// The reply to a call that has no result: it has no payload.
    pub(crate) fn accepted(&self, status: u16, at: Timestamp) -> Value {
        if self.form == Form::Sdk {
            return json!({"Payload": "", "StatusCode": status});
        }
        let members =
            Map::from_iter([("Payload".to_owned(), json!({})), ("StatusCode".to_owned(), json!(status))]);
        let mut result = sdk_metadata::decorate(members, ("application/json", 0), at);
        result["SdkHttpMetadata"]["HttpStatusCode"] = json!(status);
        result
    }

    pub(crate) fn failure(&self, error: FunctionError, execution_arn: &str) -> StatesError {
        match error {
            // The optimised integration writes a JSON cause anew, without spaces (recorded).
            FunctionError::Failed(error) if self.form != Form::Bare => {
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
                if self.form == Form::Sdk {
                    let error = ServiceError {
                        code: "ResourceNotFoundException".to_owned(),
                        message: format!("Function not found: {arn}"),
                        status: 404,
                    };
                    return sdk_error("Lambda", error);
                }
                let cause =
                    format!("Function not found: {arn} ({service}; Request ID: {request_id}; Proxy: null)");
                StatesError::new("Lambda.ResourceNotFoundException", cause)
            }
        }
    }
}

/// The name and qualifier in a function's full ARN, partial ARN or name (API: FunctionName).
pub(crate) fn function_name(text: &str) -> (String, Option<String>) {
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

/// A value that an enumeration does not have, in the words of Lambda's model.
fn not_one_of(name: &str, value: &str, values: &str) -> StatesError {
    let member = uncapitalised(name);
    let rule = format!("Member must satisfy enum value set: [{values}]");
    let cause = format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {rule}"
    );
    StatesError::new("Lambda.ValidationException", cause)
}

/// The client context must be what Lambda takes: JSON in base64. Modules are not shown it.
fn check_client_context(context: Option<&Value>) -> Result<(), StatesError> {
    let text = match context {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::String(text)) => text,
        Some(other) => return Err(no_client_context(&other.to_string())),
    };
    let bytes = STANDARD.decode(text).map_err(|_| no_client_context(text))?;
    let parsed = serde_json::from_slice::<serde::de::IgnoredAny>(&bytes);
    parsed.map(drop).map_err(|_| no_client_context(text))
}

fn no_client_context(text: &str) -> StatesError {
    let shown: String = text.chars().take(limits::SHOWN_CHARACTERS).collect();
    let cause = format!("Client context must be a valid Base64-encoded JSON object. Received: {shown}");
    StatesError::new("Lambda.InvalidRequestContentException", cause)
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
    let mut headers = vec![
        ("Connection", "keep-alive".to_owned()),
        ("Content-Length", bytes.to_string()),
        ("Content-Type", "application/json".to_owned()),
        ("Date", sdk_metadata::date(at)),
        ("X-Amz-Executed-Version", version.to_owned()),
        ("X-Amzn-Trace-Id", format!("Root=1-00000000-{}", &request_id.replace('-', "")[..24])),
        ("x-amzn-Remapped-Content-Length", "0".to_owned()),
        ("x-amzn-RequestId", request_id.to_owned()),
    ];
    if let Some(tail) = log_result {
        headers.insert(5, ("X-Amz-Log-Result", tail.to_owned()));
    }
    sdk_metadata::http_metadata(headers)
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

    #[test]
    fn what_lambda_would_refuse_is_refused() {
        let asked = |more: Value| {
            let mut parameters = json!({"FunctionName": "f", "Payload": 1});
            more.as_object().unwrap().iter().for_each(|(name, value)| parameters[name] = value.clone());
            Invocation::of_parameters(&parameters, Form::Optimised)
        };
        assert!(
            asked(json!({"InvocationType": "Event", "LogType": "None", "ClientContext": "e30="})).is_ok()
        );
        for (more, error) in [
            (json!({"InvocationType": "event"}), "Lambda.ValidationException"),
            (json!({"LogType": "tail"}), "Lambda.ValidationException"),
            (json!({"ClientContext": {}}), "Lambda.InvalidRequestContentException"),
            (json!({"ClientContext": "e30"}), "Lambda.InvalidRequestContentException"),
            (json!({"Payload": "{"}), "Lambda.InvalidRequestContentException"),
            (json!({"FunctionName": null}), "States.Runtime"),
        ] {
            let refused = asked(more.clone()).err().unwrap();
            assert!(refused.is(error), "{more}: {refused:?}");
        }
    }

    #[test]
    fn the_sdk_has_text_and_takes_no_error_of_a_function_for_its_own() {
        let invocation = Invocation::of_parameters(&json!({"FunctionName": "f"}), Form::Sdk).unwrap();
        let result = invocation.result("{\"a\": 1}", None, &[], Timestamp(0)).unwrap();
        let expected = json!({"ExecutedVersion": "$LATEST", "Payload": "{\"a\": 1}", "StatusCode": 200});
        assert_eq!(result, expected);
        let failed = invocation.sdk_failure(&StatesError::new("Boom", "x"), Some("3".to_owned()));
        assert_eq!(
            (&failed["FunctionError"], &failed["ExecutedVersion"]),
            (&json!("Unhandled"), &json!("3"))
        );
        let payload: Value = serde_json::from_str(failed["Payload"].as_str().unwrap()).unwrap();
        assert_eq!(payload["errorType"], json!("Boom"));
    }
}

//! Invoke (API reference, section 10). The payload is the module's input, the body of the answer its result.
//!
//! A module's own error is `Handled`; one that the sandbox gives is `Unhandled`. It must never show a client what went
//! wrong inside the host.

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use stepwell_asl::StatesError;
use stepwell_integrations::{FunctionError, log_tail};

use super::calls::Wish;
use super::error::LambdaError;
use super::get_function::find;
use super::name::{LATEST, Target};
use super::request::Call;
use super::{Answer, Reply};
use crate::api::error::ApiError;
use crate::limits;
use crate::server::Server;

/// How the names of the sandbox's own errors begin.
const SANDBOX_ERRORS: &str = "Sandbox.";
/// How those begin that the Lambda service itself would give.
const SERVICE_ERRORS: &str = "Lambda.";

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let kind = call.fields.choice("invocationType", &["Event", "RequestResponse", "DryRun"]);
    let tail = call.fields.choice("logType", &["None", "Tail"]) == Some("Tail");
    let target = Target::read(&mut call)?;
    let payload = payload(std::mem::take(&mut call.payload))?;
    let wish =
        Wish { arn: target.arn(&server.identity), target, payload, request_id: call.request_id.clone() };
    match kind {
        Some("DryRun") => {
            find(server, &invoked(&wish.target)).await?;
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        Some("Event") => {
            let size_bytes = wish.payload.len();
            if size_bytes > limits::EVENT_BYTES {
                let limit_bytes = limits::EVENT_BYTES;
                return Err(LambdaError::PayloadTooLarge { size_bytes, kind: "Event", limit_bytes });
            }
            find(server, &invoked(&wish.target)).await?;
            server.calls.call_later(wish)?;
            Ok(Reply::empty(StatusCode::ACCEPTED))
        }
        Some(_) | None => answered(server, wish, tail).await,
    }
}

async fn answered(server: &Server, wish: Wish, tail: bool) -> Answer {
    let (target, request_id) = (wish.target.clone(), wish.request_id.clone());
    let reply = server.calls.call(wish).await;
    let mut headers = Vec::new();
    let body = match reply.result {
        Ok(result) => result,
        Err(FunctionError::NotFound) => return Err(invoked(&target).not_found(&server.identity)),
        Err(FunctionError::Service(cause)) => return Err(ApiError::internal(&cause).into()),
        Err(FunctionError::Failed(error)) => {
            headers.push(("x-amz-function-error", function_error(&error)?.to_owned()));
            json!({"errorType": error.error, "errorMessage": error.cause}).to_string()
        }
    };
    let version = reply.executed_version.unwrap_or_else(|| LATEST.to_owned());
    if tail {
        headers.push(("x-amz-log-result", STANDARD.encode(log_tail(&request_id, &version, &reply.log))));
    }
    headers.push(("x-amz-executed-version", version));
    Ok(Reply { status: StatusCode::OK, headers, body })
}

/// Whose error it is. Errors: those that are about the service rather than the function.
fn function_error(error: &StatesError) -> Result<&'static str, LambdaError> {
    let name = error.error.as_deref().unwrap_or_default();
    if name == "Lambda.TooManyRequestsException" {
        return Err(LambdaError::TooManyRequests);
    }
    let from_outside = name.starts_with(SANDBOX_ERRORS) || name.starts_with(SERVICE_ERRORS);
    Ok(if from_outside { "Unhandled" } else { "Handled" })
}

/// Messages about calls name the version even if the request does not.
fn invoked(target: &Target) -> Target {
    let qualifier = target.qualifier.clone().unwrap_or_else(|| LATEST.to_owned());
    Target { name: target.name.clone(), qualifier: Some(qualifier) }
}

/// JSON text; no body is an empty object. Errors: InvalidRequestContent.
fn payload(bytes: Vec<u8>) -> Result<String, LambdaError> {
    if bytes.is_empty() {
        return Ok("{}".to_owned());
    }
    let text =
        String::from_utf8(bytes).map_err(|error| LambdaError::InvalidRequestContent(error.to_string()))?;
    match serde_json::from_str::<serde::de::IgnoredAny>(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(LambdaError::InvalidRequestContent(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_json_or_nothing() {
        assert_eq!(payload(Vec::new()).unwrap(), "{}");
        assert_eq!(payload(b" [1] ".to_vec()).unwrap(), " [1] ");
        for wrong in [&b"{"[..], b"\xff", b"\"\xff\"", b"{} {}"] {
            assert_eq!(payload(wrong.to_vec()).unwrap_err().code(), "InvalidRequestContentException");
        }
    }

    #[test]
    fn errors_of_the_module_and_of_the_sandbox_are_told_apart() {
        let kind = |name: &str| function_error(&StatesError::new(name, "x"));
        assert_eq!(kind("CardDeclined").unwrap(), "Handled");
        assert_eq!(kind("Sandbox.Timeout").unwrap(), "Unhandled");
        assert!(matches!(kind("Lambda.TooManyRequestsException"), Err(LambdaError::TooManyRequests)));
    }
}

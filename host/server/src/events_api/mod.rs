//! EventBridge's API (AWS JSON 1.1, targets `AWSEvents.*`): which of the services that this server has answers an operation.
//!
//! A part of EventBridge, such as its connections, is a `Service` of `stepwell-integrations`; the composition lists them
//! (`Server::with_events`), and the first one that offers an operation gets its calls. It must never judge what a request
//! says, but for the account that its ARNs name.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value, json};
use stepwell_integrations::{ServiceCall, ServiceError};
use uuid::Uuid;

use crate::api::constraints::Fields;
use crate::api::error::ApiError;
use crate::auth::account;
use crate::server::Server;

/// What the operations' targets begin with.
const TARGET_PREFIX: &str = "AWSEvents.";

/// The operation of a target of this API; none of another one's.
pub(crate) fn operation(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-amz-target")?.to_str().ok()?.strip_prefix(TARGET_PREFIX)
}

/// Answers a request whose target is one of this API.
pub(crate) async fn handle(server: &Server, operation: &str, body: &[u8]) -> Response {
    respond(answer(server, operation, body).await)
}

/// The answer to a request that is not let in, or that did not arrive.
pub(crate) fn refusal(error: ApiError) -> Response {
    respond(Err(error.into()))
}

/// Why a request got no result.
enum EventsError {
    Service(ServiceError),
    Api(ApiError),
}

impl From<ApiError> for EventsError {
    fn from(error: ApiError) -> EventsError {
        EventsError::Api(error)
    }
}

async fn answer(server: &Server, operation: &str, body: &[u8]) -> Result<Value, EventsError> {
    let Some(service) = server.events.iter().find(|service| service.offers(operation)) else {
        let message =
            format!("The operation 'AWSEvents.{operation}' is not offered by this release of Stepwell");
        return Err(ApiError::UnknownOperation(message).into());
    };
    let fields = Fields::parse(body)?;
    check_accounts(server, &format!("events:{operation}"), fields.members())?;
    let call = ServiceCall {
        operation: operation.to_owned(),
        input: Value::Object(fields.members().clone()),
        account: server.identity.account.clone(),
        region: server.identity.region.clone(),
        task: None,
    };
    service.call(call).await.map_err(EventsError::Service)
}

/// Refuses members that name something of another account by its ARN; roles are only kept. Errors: `Access`.
fn check_accounts(server: &Server, action: &str, members: &Map<String, Value>) -> Result<(), ApiError> {
    for (name, value) in members.iter().filter(|(name, _)| *name != "RoleArn") {
        match value {
            Value::String(arn) if name.ends_with("Arn") || name.ends_with("ARN") => {
                if let Some(account) = account::account_of(arn) {
                    server.caller.check_account(account, action, arn)?;
                }
            }
            Value::Array(items) => {
                for members in items.iter().filter_map(Value::as_object) {
                    check_accounts(server, action, members)?;
                }
            }
            Value::Object(members) => check_accounts(server, action, members)?,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    Ok(())
}

fn respond(answer: Result<Value, EventsError>) -> Response {
    let (status, body, code) = match answer {
        Ok(value) => (StatusCode::OK, value, None),
        Err(EventsError::Api(error)) => {
            let is_constraint = matches!(error, ApiError::Constraints(_));
            let code = if is_constraint { "ValidationException" } else { error.code() };
            let body = json!({"__type": code, "message": error.to_string()});
            (error.status(), body, Some(code.to_owned()))
        }
        Err(EventsError::Service(error)) => {
            let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, json!({"__type": error.code, "message": error.message}), Some(error.code))
        }
    };
    let mut response = (status, body.to_string()).into_response();
    let headers = response.headers_mut();
    if let Some(Ok(code)) = code.as_deref().map(HeaderValue::from_str) {
        headers.insert("x-amzn-errortype", code);
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"));
    if let Ok(request_id) = HeaderValue::from_str(&Uuid::new_v4().to_string()) {
        headers.insert("x-amzn-requestid", request_id);
    }
    response
}

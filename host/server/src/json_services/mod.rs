//! The services of AWS that speak AWS JSON and that a `Service` of `stepwell-integrations` answers for: EventBridge and
//! whatever else the table names. An operation comes as `POST /` with its name in `X-Amz-Target`.
//!
//! A service may have several parts; the composition lists them (`Server::with_services`), and the first one that offers
//! an operation gets its calls. Nothing here may judge what a request says, but for the account that its ARNs name.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value, json};
use stepwell_integrations::{ServiceCall, ServiceError};
use uuid::Uuid;

use crate::api::constraints::Fields;
use crate::api::error::ApiError;
use crate::auth::account;
use crate::auth::policy::Service;
use crate::server::Server;

/// How a service is asked.
struct JsonApi {
    service: Service,
    /// What the targets of its operations begin with.
    target_prefix: &'static str,
    content_type: &'static str,
}

/// Every service that is asked like that.
const APIS: &[JsonApi] = &[JsonApi {
    service: Service::Events,
    target_prefix: "AWSEvents.",
    content_type: "application/x-amz-json-1.1",
}];

/// Service and operation of a target of these APIs; none of another one's.
pub(crate) fn operation(headers: &HeaderMap) -> Option<(Service, &str)> {
    let target = headers.get("x-amz-target")?.to_str().ok()?;
    let named = |api: &JsonApi| target.strip_prefix(api.target_prefix).map(|name| (api.service, name));
    APIS.iter().find_map(named)
}

/// Answers a request whose target is one of this API.
pub(crate) async fn handle(server: &Server, (service, operation): (Service, &str), body: &[u8]) -> Response {
    respond(service, answer(server, service, operation, body).await)
}

/// The answer to a request that is not let in, or that did not arrive.
pub(crate) fn refusal(service: Service, error: ApiError) -> Response {
    respond(service, Err(error.into()))
}

/// Why a request got no result.
enum CallError {
    Service(ServiceError),
    Api(ApiError),
}

impl From<ApiError> for CallError {
    fn from(error: ApiError) -> CallError {
        CallError::Api(error)
    }
}

async fn answer(server: &Server, service: Service, operation: &str, body: &[u8]) -> Result<Value, CallError> {
    let parts = server.services.iter().filter(|(of, _)| *of == service);
    let Some((_, part)) = parts.into_iter().find(|(_, part)| part.offers(operation)) else {
        let prefix = api(service).map_or("", |api| api.target_prefix);
        let message =
            format!("The operation '{prefix}{operation}' is not offered by this release of Stepwell");
        return Err(ApiError::UnknownOperation(message).into());
    };
    let fields = Fields::parse(body)?;
    check_accounts(server, &format!("{}:{operation}", service.name()), fields.members())?;
    let call = ServiceCall {
        operation: operation.to_owned(),
        input: Value::Object(fields.members().clone()),
        account: server.identity.account.clone(),
        region: server.identity.region.clone(),
        task: None,
    };
    part.call(call).await.map_err(CallError::Service)
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

fn api(service: Service) -> Option<&'static JsonApi> {
    APIS.iter().find(|api| api.service == service)
}

fn respond(service: Service, answer: Result<Value, CallError>) -> Response {
    let (status, body, code) = match answer {
        Ok(value) => (StatusCode::OK, value, None),
        Err(CallError::Api(error)) => {
            let is_constraint = matches!(error, ApiError::Constraints(_));
            let code = if is_constraint { "ValidationException" } else { error.code() };
            let body = json!({"__type": code, "message": error.to_string()});
            (error.status(), body, Some(code.to_owned()))
        }
        Err(CallError::Service(error)) => {
            let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, json!({"__type": error.code, "message": error.message}), Some(error.code))
        }
    };
    let mut response = (status, body.to_string()).into_response();
    let headers = response.headers_mut();
    if let Some(Ok(code)) = code.as_deref().map(HeaderValue::from_str) {
        headers.insert("x-amzn-errortype", code);
    }
    let content_type = api(service).map_or("application/json", |api| api.content_type);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Ok(request_id) = HeaderValue::from_str(&Uuid::new_v4().to_string()) {
        headers.insert("x-amzn-requestid", request_id);
    }
    response
}

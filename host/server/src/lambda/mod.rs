//! The part of AWS Lambda's API that manages and calls functions (API reference, section 10): REST-JSON, unmodified
//! clients. A function is a module; what a client sets is kept in the module's records and its manifest.
//!
//! One table (`routes`) names every address; operations live in files of their own. The signature of a request decides
//! nothing. Nothing here may know how a module is stored or run: `modules` and `functions` do.

mod account;
mod aliases;
mod calls;
mod change;
mod code;
mod concurrency;
mod configuration;
mod create_function;
mod delete_function;
mod error;
mod get_function;
mod invoke;
mod list_functions;
mod name;
mod page;
mod permissions;
mod refresh;
mod request;
mod routes;
mod settings;
mod tags;
mod update_function_code;
mod update_function_configuration;
mod versions;

use std::time::Instant;

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;
use uuid::Uuid;

pub use calls::{CallBounds, Calls};
pub(crate) use code::download;

use self::error::LambdaError;
use self::request::Call;
use self::routes::Body;
use crate::api::error::ApiError;
use crate::auth::AsCaller;
use crate::auth::account as owner;
use crate::server::Server;
use crate::{body, limits, rest};

/// What an operation gives back.
type Answer = Result<Reply, LambdaError>;

/// A good answer.
struct Reply {
    status: StatusCode,
    headers: Vec<(&'static str, String)>,
    /// JSON text, or nothing.
    body: String,
}

impl Reply {
    fn json(status: StatusCode, body: &Value) -> Reply {
        Reply { status, headers: Vec::new(), body: body.to_string() }
    }

    fn ok(body: &Value) -> Reply {
        Reply::json(StatusCode::OK, body)
    }

    fn empty(status: StatusCode) -> Reply {
        Reply { status, headers: Vec::new(), body: String::new() }
    }
}

/// Answers a request whose path begins with a version of the API, such as `/2015-03-31/functions`. Every other address
/// that nothing is at comes here, too.
pub(crate) async fn handle(AsCaller(server): AsCaller, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    if !begins_with_a_date(&path) {
        return rest::not_found(request.uri()).into_response();
    }
    let (began, request_id) = (Instant::now(), Uuid::new_v4());
    let method = request.method().as_str().to_owned();
    let answer = answer(&server, request, request_id).await;
    let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let error = answer.as_ref().err();
    tracing::debug!(%request_id, method, path, milliseconds, code = error.map(LambdaError::code), "answered");
    respond(answer, request_id)
}

async fn answer(server: &Server, request: Request, request_id: Uuid) -> Answer {
    let (parts, body) = request.into_parts();
    let found = routes::find(parts.method.as_str(), parts.uri.path());
    let longest = match found.as_ref().map(|(route, _)| route.body) {
        Ok(Body::Code) => limits::code_request_bytes(server.modules.max_bytes),
        Ok(Body::Payload) => limits::LAMBDA_PAYLOAD_BYTES,
        Ok(Body::Members) | Err(_) => limits::LAMBDA_REQUEST_BYTES,
    };
    // First, whatever comes of it: a client that is still sending would see a broken connection, not the answer.
    let bytes = body::read(body, &parts.headers, longest).await;
    let (route, members) = found?;
    tracing::trace!(%request_id, operation = route.operation, "asked for");
    let json = route.body != Body::Payload;
    let query = parts.uri.query().unwrap_or_default();
    let mut call = Call::decode(members, query, parts.headers, bytes?, json)?;
    call.request_id = request_id.to_string();
    let action = format!("lambda:{}", route.operation);
    for named in ["functionName", "resource"] {
        if let Some(Value::String(text)) = call.fields.value(named) {
            owner::check_function(&server.caller, &action, text).map_err(ApiError::from)?;
        }
    }
    (route.handler)(server, call).await
}

/// The name of the operation at an address; none if the model has none there.
pub(crate) fn operation(method: &str, path: &str) -> Option<&'static str> {
    routes::find(method, path).ok().map(|(route, _)| route.operation)
}

/// The answer to a request that is not let in.
pub(crate) fn refusal(error: ApiError) -> Response {
    respond(Err(error.into()), Uuid::new_v4())
}

/// Whether the first part of a path looks like `2015-03-31`.
pub(crate) fn begins_with_a_date(path: &str) -> bool {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    let digits = |index: usize| index != 4 && index != 7;
    let right = |(index, byte): (usize, u8)| if digits(index) { byte.is_ascii_digit() } else { byte == b'-' };
    first.len() == 10 && first.bytes().enumerate().all(right)
}

fn respond(answer: Answer, request_id: Uuid) -> Response {
    let mut response = match answer {
        Ok(reply) => {
            let mut response = (reply.status, reply.body).into_response();
            for (name, value) in reply.headers {
                if let Ok(value) = HeaderValue::from_str(&value) {
                    response.headers_mut().insert(HeaderName::from_static(name), value);
                }
            }
            response
        }
        Err(error) => {
            let mut response = (error.status(), error.to_json().to_string()).into_response();
            response.headers_mut().insert("x-amzn-errortype", HeaderValue::from_static(error.code()));
            response
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(request_id) = HeaderValue::from_str(&request_id.to_string()) {
        headers.insert("x-amzn-requestid", request_id);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lambdas_paths_begin_with_a_date() {
        for (path, expected) in [
            ("/2015-03-31/functions", true),
            ("/2015-03-31", true),
            ("/modules/2015-03-31", false),
            ("/2015-3-31/functions", false),
            ("/2015-03-3x/functions", false),
            ("/", false),
        ] {
            assert_eq!(begins_with_a_date(path), expected, "{path}");
        }
    }
}

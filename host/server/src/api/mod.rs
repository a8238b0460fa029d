//! The AWS Step Functions API, AWS JSON 1.0 (API reference, section 1): `POST /`, the operation in `X-Amz-Target`.
//!
//! One table names every operation; each lives in a file of its own. Requests are routed by that header alone: `Host`,
//! the signature and the content type decide nothing. Nothing here may know a module, a shard or a key of the store.

mod activity;
pub(crate) mod arn;
mod beyond;
pub(crate) mod constraints;
mod create_activity;
mod create_state_machine;
mod create_state_machine_alias;
mod definition;
mod delete_activity;
mod delete_state_machine;
mod delete_state_machine_alias;
mod delete_state_machine_version;
mod describe_activity;
pub(crate) mod describe_execution;
mod describe_map_run;
mod describe_state_machine;
mod describe_state_machine_alias;
mod describe_state_machine_for_execution;
pub(crate) mod error;
pub(crate) mod execution;
mod get_activity_task;
mod get_execution_history;
mod handed;
mod json_text;
mod list_activities;
mod list_executions;
mod list_map_runs;
mod list_state_machine_aliases;
mod list_state_machine_versions;
mod list_state_machines;
mod list_tags_for_resource;
pub(crate) mod machine;
mod machine_settings;
pub(crate) mod page_token;
mod publish_state_machine_version;
mod redrive_execution;
mod reply;
mod routing;
mod send_task_failure;
mod send_task_heartbeat;
mod send_task_success;
pub(crate) mod start_execution;
mod start_sync_execution;
mod start_target;
mod stop_execution;
mod tag_resource;
mod tags;
mod task_token;
mod test_state;
mod unnamed_start;
mod untag_resource;
mod update_map_run;
mod update_state_machine;
mod update_state_machine_alias;
mod validate_state_machine_definition;
mod versions;

use std::pin::Pin;
use std::time::Instant;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value};
use stepwell_asl::Starter;
use uuid::Uuid;

use self::beyond::Beyond;
use self::constraints::Fields;
use self::error::ApiError;
use self::handed::Handed;
use self::reply::{Reply, Written};
use crate::auth::{AsCaller, account};
use crate::server::Server;
use crate::{body, json_services, limits, logs_api, observe};

/// What an operation gives back.
type Answer = Result<Value, ApiError>;

/// An operation of the table.
type Handler = for<'a> fn(&'a Server, Call) -> Boxed<'a>;

type Boxed<'a> = Pin<Box<dyn Future<Output = Result<Reply, ApiError>> + Send + 'a>>;

fn boxed<'a, R: Into<Reply>>(operation: impl Future<Output = Result<R, ApiError>> + Send + 'a) -> Boxed<'a> {
    Box::pin(async { operation.await.map(R::into) })
}

/// One request, decoded as far as all operations need it.
struct Call {
    /// The members of the body.
    fields: Fields,
    /// Header `X-Amzn-Trace-Id`.
    trace_header: Option<String>,
    /// Where a task is kept until the answer with it is written.
    handed: Handed,
    /// Header `amz-sdk-invocation-id`: the same for all tries of one call.
    invocation_id: Option<String>,
    /// The task that calls; none for a client.
    starter: Option<Starter>,
}

/// What the operations of every service's targets begin with.
const TARGET_PREFIX: &str = "AWSStepFunctions.";

/// Values of `includedData`.
const INCLUDED_DATA: [&str; 2] = ["ALL_DATA", "METADATA_ONLY"];

/// Every operation that is offered.
const OPERATIONS: &[(&str, Handler)] = &[
    ("CreateActivity", |server, call| boxed(create_activity::handle(server, call))),
    ("CreateStateMachine", |server, call| boxed(create_state_machine::handle(server, call))),
    ("CreateStateMachineAlias", |server, call| boxed(create_state_machine_alias::handle(server, call))),
    ("DeleteActivity", |server, call| boxed(delete_activity::handle(server, call))),
    ("DeleteStateMachine", |server, call| boxed(delete_state_machine::handle(server, call))),
    ("DeleteStateMachineAlias", |server, call| boxed(delete_state_machine_alias::handle(server, call))),
    ("DeleteStateMachineVersion", |server, call| boxed(delete_state_machine_version::handle(server, call))),
    ("DescribeActivity", |server, call| boxed(describe_activity::handle(server, call))),
    ("DescribeExecution", |server, call| boxed(describe_execution::handle(server, call))),
    ("DescribeMapRun", |_, call| boxed(async { describe_map_run::handle(call) })),
    ("DescribeStateMachine", |server, call| boxed(describe_state_machine::handle(server, call))),
    ("DescribeStateMachineAlias", |server, call| boxed(describe_state_machine_alias::handle(server, call))),
    ("DescribeStateMachineForExecution", |server, call| {
        boxed(describe_state_machine_for_execution::handle(server, call))
    }),
    ("GetActivityTask", |server, call| boxed(get_activity_task::handle(server, call))),
    ("GetExecutionHistory", |server, call| boxed(get_execution_history::handle(server, call))),
    ("ListActivities", |server, call| boxed(list_activities::handle(server, call))),
    ("ListExecutions", |server, call| boxed(list_executions::handle(server, call))),
    ("ListMapRuns", |server, call| boxed(list_map_runs::handle(server, call))),
    ("ListStateMachineAliases", |server, call| boxed(list_state_machine_aliases::handle(server, call))),
    ("ListStateMachineVersions", |server, call| boxed(list_state_machine_versions::handle(server, call))),
    ("ListStateMachines", |server, call| boxed(list_state_machines::handle(server, call))),
    ("ListTagsForResource", |server, call| boxed(list_tags_for_resource::handle(server, call))),
    ("PublishStateMachineVersion", |server, call| boxed(publish_state_machine_version::handle(server, call))),
    ("RedriveExecution", |server, call| boxed(redrive_execution::handle(server, call))),
    ("SendTaskFailure", |server, call| boxed(send_task_failure::handle(server, call))),
    ("SendTaskHeartbeat", |server, call| boxed(send_task_heartbeat::handle(server, call))),
    ("SendTaskSuccess", |server, call| boxed(send_task_success::handle(server, call))),
    ("StartExecution", |server, call| boxed(start_execution::handle(server, call))),
    ("StartSyncExecution", |server, call| boxed(start_sync_execution::handle(server, call))),
    ("StopExecution", |server, call| boxed(stop_execution::handle(server, call))),
    ("TagResource", |server, call| boxed(tag_resource::handle(server, call))),
    ("TestState", |server, call| boxed(test_state::handle(server, call))),
    ("UntagResource", |server, call| boxed(untag_resource::handle(server, call))),
    ("UpdateMapRun", |_, call| boxed(async { update_map_run::handle(call) })),
    ("UpdateStateMachine", |server, call| boxed(update_state_machine::handle(server, call))),
    ("UpdateStateMachineAlias", |server, call| boxed(update_state_machine_alias::handle(server, call))),
    ("ValidateStateMachineDefinition", |server, call| {
        boxed(validate_state_machine_definition::handle(server, call))
    }),
];

/// Answers one request.
pub(crate) async fn handle(AsCaller(server): AsCaller, request: Request) -> Response {
    let began = Instant::now();
    let request_id = request_id();
    let (parts, body) = request.into_parts();
    let target = target(&parts.headers).to_owned();
    if let Some(operation) = logs_api::operation(&parts.headers) {
        return match body::read(body, &parts.headers, limits::REST_BYTES).await {
            Ok(bytes) => logs_api::handle(&server, operation, &bytes).await,
            Err(error) => logs_api::refusal(error),
        };
    }
    if let Some((service, operation)) = json_services::operation(&parts.headers) {
        let longest = limits::request_bytes(server.executor.quotas());
        return match body::read(body, &parts.headers, longest).await {
            Ok(bytes) => json_services::handle(&server, (service, operation), &bytes).await,
            Err(error) => json_services::refusal(service, error),
        };
    }
    let (mut beyond, handed) = (Beyond::default(), Handed::default());
    let answer = match body::read(body, &parts.headers, limits::request_bytes(server.executor.quotas())).await
    {
        Ok(bytes) => answer(&server, &target, &parts.headers, &bytes, (&mut beyond, &handed)).await,
        Err(error) => Err(error),
    };
    let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let error = answer.as_ref().err();
    tracing::debug!(%request_id, target, milliseconds, code = error.map(ApiError::code), "answered");
    let carried = handed.take(&answer);
    let mut response = handed::carry(respond(answer, request_id), carried);
    if let Some(Ok(header)) = beyond.header().as_deref().map(HeaderValue::from_str) {
        response.headers_mut().insert(beyond::HEADER, header);
    }
    response
}

async fn answer(
    server: &Server,
    target: &str,
    headers: &HeaderMap,
    body: &[u8],
    (beyond, handed): (&mut Beyond, &Handed),
) -> Result<Vec<u8>, ApiError> {
    let operation = target.strip_prefix(TARGET_PREFIX).unwrap_or_default();
    let handler =
        admitted(server, operation).map_err(|refused| refused.unwrap_or_else(|| unknown(target)))?;
    let invocation_id = headers.get("amz-sdk-invocation-id").and_then(|header| header.to_str().ok());
    let invocation_id =
        invocation_id.filter(|id| (1..=limits::INVOCATION_ID_BYTES).contains(&id.len())).map(str::to_owned);
    let trace_header = trace_header(headers);
    let fields = Fields::parse(body)?;
    beyond.look(fields.members());
    let call = Call { fields, trace_header, handed: handed.clone(), invocation_id, starter: None };
    Ok(carry_out(server, operation, handler, call).await?.written(beyond))
}

/// Answers a task of this server, by the same table and with the same checks as a request; `server` is as the task may
/// see it. A task of an activity that it is handed has arrived with the answer.
pub(crate) async fn answer_task(
    server: &Server,
    operation: &str,
    members: Map<String, Value>,
    starter: Option<Starter>,
) -> Answer {
    let handler =
        admitted(server, operation).map_err(|refused| refused.unwrap_or_else(|| unknown(operation)))?;
    let (fields, handed) = (Fields::of(members), Handed::default());
    let call = Call { fields, trace_header: None, handed: handed.clone(), invocation_id: None, starter };
    let reply = carry_out(server, operation, handler, call).await?;
    if let Some((task, _)) = handed.take(&Ok(Vec::new())) {
        task.delivered();
    }
    reply.members()
}

/// Who answers an operation, unless it is asked for too often; an error without a reason where there is no such one.
fn admitted(server: &Server, operation: &str) -> Result<Handler, Option<ApiError>> {
    let (name, handler) = OPERATIONS.iter().find(|(name, _)| operation == *name).ok_or(None)?;
    if let Some(throttle) = &server.throttle {
        throttle.take(name, &server.identity.account)?;
    }
    Ok(*handler)
}

async fn carry_out(
    server: &Server,
    operation: &str,
    handler: Handler,
    call: Call,
) -> Result<Reply, ApiError> {
    let action = format!("states:{operation}");
    account::check_members(&server.caller, &action, call.fields.members())?;
    handler(server, call).await
}

/// The trace that a request belongs to, in the form of `X-Amzn-Trace-Id` also where it comes as W3C's `traceparent`.
fn trace_header(headers: &HeaderMap) -> Option<String> {
    let text = |name: &str| headers.get(name).and_then(|header| header.to_str().ok());
    let given = text("x-amzn-trace-id").filter(|header| header.len() <= limits::TRACE_HEADER_CHARACTERS);
    given.map(str::to_owned).or_else(|| text("traceparent").and_then(observe::header::from_traceparent))
}

fn unknown(target: &str) -> ApiError {
    let message = if target.is_empty() {
        "The request has no X-Amz-Target header that names an operation".to_owned()
    } else {
        format!("The operation '{target}' is not offered by this release of Stepwell")
    };
    ApiError::UnknownOperation(message)
}

/// `http` header names are case-insensitive already; the value is not.
fn target(headers: &HeaderMap) -> &str {
    headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default()
}

/// The name of the operation that a request asks for; empty if it names none.
pub(crate) fn operation(headers: &HeaderMap) -> &str {
    target(headers).strip_prefix(TARGET_PREFIX).unwrap_or_default()
}

/// The names of all operations.
pub(crate) fn operations() -> impl Iterator<Item = &'static str> {
    OPERATIONS.iter().map(|(name, _)| *name)
}

/// The answer to a request that is not let in.
pub(crate) fn refusal(error: ApiError) -> Response {
    respond(Err(error), request_id())
}

/// It names a request in the log, and is no secret.
fn request_id() -> Uuid {
    uuid::Builder::from_random_bytes(fastrand::u128(..).to_ne_bytes()).into_uuid()
}

fn respond(answer: Result<Vec<u8>, ApiError>, request_id: Uuid) -> Response {
    let mut response = match answer {
        Ok(text) => Response::new(Body::from(text)),
        Err(error) => {
            let mut response = (error.status(), error.to_json().to_string()).into_response();
            error.add_headers(response.headers_mut());
            response
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.0"));
    let mut text = Uuid::encode_buffer();
    if let Ok(request_id) = HeaderValue::from_str(request_id.hyphenated().encode_lower(&mut text)) {
        headers.insert(HeaderName::from_static("x-amzn-requestid"), request_id);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_knows_no_name_twice() {
        assert!(OPERATIONS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn a_throttled_client_is_told_when_to_come_back() {
        let response = respond(Err(ApiError::Throttling), Uuid::nil());
        assert_eq!(response.status().as_u16(), 400);
        assert_eq!(response.headers()["x-amz-retry-after"], "200");
        assert_eq!(response.headers()["x-amzn-errortype"], "ThrottlingException");
    }
}

//! A small part of the CloudWatch Logs API (AWS JSON 1.1, targets `Logs_20140328.*`): log groups, so that state machines
//! can be told to log, and reading what was logged.
//!
//! Each account sees its own groups. Nobody but the server writes lines; what is not offered is refused by name.

mod error;
mod events;
mod groups;
mod search;
mod tags;

use std::pin::Pin;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use stepwell_store::LogGroupRecord;
use uuid::Uuid;

pub(crate) use self::error::LogsError;
use crate::api::constraints::Fields;
use crate::auth::account;
use crate::limits;
use crate::observe::logs::{GroupName, LogFiles};
use crate::server::Server;

type Answer = Result<Value, LogsError>;
type Handler = for<'a> fn(&'a Server, Fields) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// What the operations' targets begin with.
pub(crate) const TARGET_PREFIX: &str = "Logs_20140328.";
/// The only stream of every group.
const STREAM: &str = "states/executions";

/// Every operation that is offered.
const OPERATIONS: [(&str, Handler); 11] = [
    ("CreateLogGroup", |server, fields| Box::pin(groups::create(server, fields))),
    ("DeleteLogGroup", |server, fields| Box::pin(groups::delete(server, fields))),
    ("DeleteRetentionPolicy", |server, fields| Box::pin(groups::delete_retention(server, fields))),
    ("DescribeLogGroups", |server, fields| Box::pin(groups::describe(server, fields))),
    ("DescribeLogStreams", |server, fields| Box::pin(events::describe_streams(server, fields))),
    ("FilterLogEvents", |server, fields| Box::pin(events::filter(server, fields))),
    ("GetLogEvents", |server, fields| Box::pin(events::get(server, fields))),
    ("ListTagsForResource", |server, fields| Box::pin(tags::list(server, fields))),
    ("PutRetentionPolicy", |server, fields| Box::pin(groups::put_retention(server, fields))),
    ("TagResource", |server, fields| Box::pin(tags::tag(server, fields))),
    ("UntagResource", |server, fields| Box::pin(tags::untag(server, fields))),
];

/// The operation of a target of this API; none of another one's.
pub(crate) fn operation(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-amz-target")?.to_str().ok()?.strip_prefix(TARGET_PREFIX)
}

/// Answers a request whose target is one of this API.
pub(crate) async fn handle(server: &Server, operation: &str, body: &[u8]) -> Response {
    respond(answer(server, operation, body).await)
}

/// The answer to a request that is not let in, or that did not arrive.
pub(crate) fn refusal(error: crate::api::error::ApiError) -> Response {
    respond(Err(error.into()))
}

async fn answer(server: &Server, operation: &str, body: &[u8]) -> Answer {
    let found = OPERATIONS.iter().find(|(name, _)| operation == *name);
    let Some((_, handler)) = found else { return Err(LogsError::UnknownOperation(operation.to_owned())) };
    let fields = Fields::parse(body)?;
    handler(server, fields).await
}

fn respond(answer: Answer) -> Response {
    let mut response = match answer {
        Ok(value) => (StatusCode::OK, value.to_string()).into_response(),
        Err(error) => {
            let body = json!({"__type": error.code(), "message": error.to_string()});
            let mut response = (error.status(), body.to_string()).into_response();
            if let Ok(code) = HeaderValue::from_str(error.code()) {
                response.headers_mut().insert("x-amzn-errortype", code);
            }
            response
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"));
    if let Ok(request_id) = HeaderValue::from_str(&Uuid::new_v4().to_string()) {
        headers.insert("x-amzn-requestid", request_id);
    }
    response
}

/// The name of a group from this member. Violations are noted.
fn name_of(fields: &mut Fields, member: &str) -> String {
    let name = fields.required_text(member, 1, limits::LOG_GROUP_CHARACTERS);
    if !name.is_empty() && !crate::observe::logs::is_name(&name) {
        fields.pattern(member, &name, "[\\.\\-_/#A-Za-z0-9]+");
    }
    name
}

/// The same for members that hold a name or an ARN. Errors: of another account.
fn identified(server: &Server, action: &str, identifier: &str) -> Result<String, LogsError> {
    if !identifier.starts_with("arn:") {
        return Ok(identifier.to_owned());
    }
    let not_found = || LogsError::NotFound("The specified log group does not exist.");
    let group = GroupName::parse(identifier).ok_or_else(not_found)?;
    let account = account::account_of(identifier).unwrap_or_default();
    server.caller.check_account(account, &format!("logs:{action}"), identifier)?;
    let is_here = group.account == server.identity.account && group.region == server.identity.region;
    if is_here { Ok(group.name) } else { Err(not_found()) }
}

/// A group of the caller's account with its version.
async fn find(server: &Server, name: &str) -> Result<(LogGroupRecord, u64), LogsError> {
    let found = server.store.log_group(&server.identity.account, name).await?;
    found.ok_or(LogsError::NotFound("The specified log group does not exist."))
}

/// A change of a group, tried again when another one comes in between.
async fn change(
    server: &Server,
    name: &str,
    make: impl Fn(&mut LogGroupRecord) -> Result<(), LogsError>,
) -> Answer {
    for _ in 0..limits::CHANGE_TRIES {
        let (mut record, version) = find(server, name).await?;
        make(&mut record)?;
        match server.store.change_log_group(&record, version).await {
            Ok(()) => return Ok(json!({})),
            Err(stepwell_store::StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(stepwell_store::StoreError::Conflict.into())
}

fn arn(server: &Server, name: &str) -> String {
    let (account, region) = (server.identity.account.clone(), server.identity.region.clone());
    GroupName { account, region, name: name.to_owned() }.arn()
}

/// The files, where this server has any.
fn files(server: &Server) -> Result<LogFiles, LogsError> {
    let observe = server.observe.as_ref().ok_or(LogsError::NotFound("This server keeps no logs."))?;
    Ok(observe.files.clone())
}

/// Does something with files away from the threads that serve requests.
async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, LogsError> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|error| LogsError::internal(&error))?;
    done.map_err(|error| LogsError::internal(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_every_operation_has_its_policy() {
        assert!(OPERATIONS.windows(2).all(|pair| pair[0].0 < pair[1].0));
        let names: Vec<&str> = crate::auth::policy::LOGS.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, OPERATIONS.map(|(name, _)| name));
    }
}

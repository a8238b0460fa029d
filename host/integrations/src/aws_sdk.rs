//! `aws-sdk:SERVICE:ACTION`: an operation of a service by its own API. Parameters and results have the names of the
//! SDK for Java: members begin with a capital (Developer Guide, "AWS SDK service integrations").
//!
//! It must never change what a member holds, only how members are called.

use crate::integrations::{ServiceIntegration, ServiceTask};
use crate::service::{Service, ServiceError};
use async_trait::async_trait;
use serde_json::{Map, Value};
use std::sync::Arc;
use stepwell_asl::{Pattern, StatesError};
use stepwell_executor::TaskOutcome;

/// The operations of one service.
pub struct AwsSdk {
    service: Arc<dyn Service>,
    /// What its errors begin with, such as `Sfn`.
    prefix: &'static str,
    case: MemberCase,
}

/// How members are called in the model of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberCase {
    /// `QueueUrl`: as in the SDK.
    Pascal,
    /// `stateMachineArn`.
    Camel,
}

impl AwsSdk {
    /// The operations of `service`, whose errors begin with `prefix`.
    pub fn new(service: Arc<dyn Service>, prefix: &'static str, case: MemberCase) -> AwsSdk {
        AwsSdk { service, prefix, case }
    }
}

#[async_trait]
impl ServiceIntegration for AwsSdk {
    fn runs(&self, action: &str, pattern: Pattern) -> bool {
        pattern != Pattern::RunAJob && self.service.offers(&operation(action))
    }

    async fn run(&self, task: ServiceTask) -> TaskOutcome {
        let input = match self.case {
            MemberCase::Pascal => task.request.parameters.clone(),
            MemberCase::Camel => renamed(task.request.parameters.clone(), &uncapitalised),
        };
        let reply = self.service.call(task.call(&operation(&task.action), input)).await;
        let result = match (reply, self.case) {
            (Ok(output), MemberCase::Pascal) => Ok(output),
            (Ok(output), MemberCase::Camel) => Ok(renamed(output, &capitalised)),
            (Err(error), _) => Err(sdk_error(self.prefix, error)),
        };
        TaskOutcome { result, log: Vec::new() }
    }
}

/// An error as the SDK for Java 2 tells it: its name ends with `Exception`, its message says where it comes from
/// (recorded).
pub(crate) fn sdk_error(prefix: &str, error: ServiceError) -> StatesError {
    let suffix = if error.code.ends_with("Exception") { "" } else { "Exception" };
    let ServiceError { code, message, status } = error;
    let request_id = uuid::Uuid::new_v4();
    let origin = format!("Service: {prefix}, Status Code: {status}, Request ID: {request_id}");
    // S3 has another second part, and no count of attempts (recorded).
    let cause = match prefix {
        "S3" => format!("{message} ({origin}, Extended Request ID: {})", uuid::Uuid::new_v4().simple()),
        _ => format!("{message} ({origin}) (SDK Attempt Count: 1)"),
    };
    StatesError::new(format!("{prefix}.{code}{suffix}"), cause)
}

/// An error as the SDK for Java 1 tells it, which optimised integrations are made with: `service` is the SDK's name of
/// the service, such as `AWSStepFunctions` (recorded).
pub(crate) fn optimised_error(prefix: &str, service: &str, error: ServiceError) -> StatesError {
    let suffix = if error.code.ends_with("Exception") { "" } else { "Exception" };
    let ServiceError { code, message, status } = error;
    let request_id = uuid::Uuid::new_v4();
    let origin = format!("Service: {service}; Status Code: {status}; Error Code: {code}");
    StatesError::new(
        format!("{prefix}.{code}{suffix}"),
        format!("{message} ({origin}; Request ID: {request_id}; Proxy: null)"),
    )
}

/// The operation of an action.
pub(crate) fn operation(action: &str) -> String {
    capitalised(action)
}

pub(crate) fn capitalised(name: &str) -> String {
    with_first(name, char::to_ascii_uppercase)
}

pub(crate) fn uncapitalised(name: &str) -> String {
    with_first(name, char::to_ascii_lowercase)
}

fn with_first(name: &str, change: fn(&char) -> char) -> String {
    let mut letters = name.chars();
    letters.next().iter().map(change).chain(letters).collect()
}

/// A value whose members, at every depth, are called as `name` says.
pub(crate) fn renamed(value: Value, name: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.into_iter().map(|(member, value)| (name(&member), renamed(value, name)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        Value::Array(items) => items.into_iter().map(|item| renamed(item, name)).collect(),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn members_change_their_case_at_every_depth() {
        let sdk = json!({"StateMachineArn": "A", "Tags": [{"Key": "K"}], "é": 1});
        let api = json!({"stateMachineArn": "A", "tags": [{"key": "K"}], "é": 1});
        assert_eq!(renamed(sdk.clone(), &uncapitalised), api);
        assert_eq!(renamed(api, &capitalised), sdk);
    }

    #[test]
    fn errors_are_told_as_the_sdk_tells_them() {
        let error = sdk_error("Sfn", ServiceError::client("InvalidToken", "Invalid Token: 'Invalid token'"));
        assert!(error.is("Sfn.InvalidTokenException"));
        let cause = error.cause.unwrap();
        let (start, end) = cause.split_once("Request ID: ").unwrap();
        assert_eq!(start, "Invalid Token: 'Invalid token' (Service: Sfn, Status Code: 400, ");
        assert!(end.ends_with(") (SDK Attempt Count: 1)"), "{end}");
        let error = sdk_error("DynamoDb", ServiceError::client("ConditionalCheckFailedException", ""));
        assert!(error.is("DynamoDb.ConditionalCheckFailedException"));
    }
}

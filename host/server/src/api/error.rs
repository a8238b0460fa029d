//! Errors of the API, one variant per exception of the model plus those of the protocol (API reference, sections 1.4,
//! 2.9 and 2.10), and their form on the wire.
//!
//! What the client sees is the external message; the cause of a host failure goes to the log, never to the client.

use std::borrow::Cow;

use axum::http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};
use stepwell_store::StoreError;

use crate::auth::AuthError;
use crate::limits;

/// Namespace of the service's own exceptions.
const SERVICE: &str = "com.amazonaws.swf.service.v2.model";
/// Namespace of violated model constraints.
const CONSTRAINTS: &str = "com.amazon.coral.validate";
/// Namespace of protocol errors.
const PROTOCOL: &str = "com.amazon.coral.service";

/// Why a request got no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("Activity Already Exists: '{0}'")]
    ActivityAlreadyExists(String),
    #[error("Activity Does Not Exist: '{0}'")]
    ActivityDoesNotExist(String),
    /// How many there may be.
    #[error(
        "Activity Limit Exceeded: 'The account has {0} activities in this region, which is as many as are allowed: delete \
         some first'"
    )]
    ActivityLimitExceeded(u64),
    #[error("Activity Worker Limit Exceeded: '{0}'")]
    ActivityWorkerLimitExceeded(String),
    #[error("Invalid Output: '{0}'")]
    InvalidOutput(String),
    #[error("Task Does Not Exist: 'Task does not exist anymore'")]
    TaskDoesNotExist,
    #[error("Task Timed Out: 'Provided task does not exist anymore'")]
    TaskTimedOut,
    /// The request is not let in.
    #[error(transparent)]
    Access(#[from] AuthError),
    #[error("{0}")]
    Conflict(Cow<'static, str>),
    #[error("Execution Already Exists: '{0}'")]
    ExecutionAlreadyExists(String),
    #[error("Execution Does Not Exist: '{0}'")]
    ExecutionDoesNotExist(String),
    #[error("Execution Limit Exceeded: '{0}'")]
    ExecutionLimitExceeded(Cow<'static, str>),
    /// Why, in the words of `redriveStatusReason`.
    #[error("{0}")]
    ExecutionNotRedrivable(String),
    #[error("Invalid Arn: '{0}'")]
    InvalidArn(String),
    #[error("Invalid State Machine Definition: '{0}'")]
    InvalidDefinition(String),
    /// A state that TestState cannot run; the message stands alone (recorded).
    #[error("{0}")]
    Untestable(&'static str),
    #[error("Invalid Encryption Configuration: {0}")]
    InvalidEncryptionConfiguration(&'static str),
    #[error("Invalid State Machine Execution Input: '{0}'")]
    InvalidExecutionInput(String),
    #[error("Invalid Logging Configuration: {0}")]
    InvalidLoggingConfiguration(&'static str),
    #[error("Invalid Name: '{0}'")]
    InvalidName(String),
    #[error("Invalid Token: 'Invalid token'")]
    InvalidToken,
    #[error(
        "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be specified"
    )]
    MissingRequiredParameter,
    #[error("Resource not found: '{0}'")]
    ResourceNotFound(String),
    /// What an alias, or the routing of one, leads to; the ARN is told beside the message.
    #[error("Request references a resource that does not exist.")]
    ReferenceNotFound(String),
    #[error("{0}")]
    ServiceQuotaExceeded(String),
    #[error("State Machine Already Exists: '{0}'")]
    StateMachineAlreadyExists(String),
    #[error("State Machine is being deleted: '{0}'")]
    StateMachineDeleting(String),
    #[error("State Machine Does Not Exist: '{0}'")]
    StateMachineDoesNotExist(String),
    /// How many there may be.
    #[error(
        "State Machine Limit Exceeded: 'The account has {0} state machines in this region, which is as many as are \
         allowed: delete some first'"
    )]
    StateMachineLimitExceeded(u64),
    #[error("{0}")]
    StateMachineTypeNotSupported(&'static str),
    #[error("{message}")]
    TooManyTags { message: String, resource: String },
    /// A rule that the model does not express.
    #[error("{message}")]
    Validation { message: String, reason: Option<&'static str> },
    /// Violated constraints of the model, each in the grammar of section 1.4.
    #[error("{} detected: {}", counted(.0.len()), .0.join("; "))]
    Constraints(Vec<String>),
    /// The target header names nothing that is offered here.
    #[error("{0}")]
    UnknownOperation(String),
    /// The body is no JSON object, or a member has the wrong type.
    #[error("{0}")]
    Serialization(String),
    #[error("The request is larger than the {limit_bytes} bytes that are accepted")]
    RequestTooLarge { limit_bytes: u64 },
    #[error("The body of the request did not arrive completely")]
    RequestIncomplete,
    #[error("Rate exceeded: too many requests are waiting; try again")]
    Throttling,
    #[error("{0}")]
    ServiceUnavailable(String),
    /// Everything that only the operator can do something about.
    #[error("The request failed inside the server; its log says why")]
    Internal,
}

impl ApiError {
    /// As many executions are open as an account may have in a region.
    pub(crate) fn too_many_open(most: u64) -> ApiError {
        let message = format!(
            "The account has {most} open executions in this region, which is as many as are allowed: some must end or be \
             stopped first"
        );
        ApiError::ExecutionLimitExceeded(message.into())
    }

    /// A rule that the model does not express, without a reason code.
    pub(crate) fn validation(message: impl Into<String>) -> ApiError {
        ApiError::Validation { message: message.into(), reason: None }
    }

    /// An operation that the machine's type has not.
    pub(crate) fn other_machine_type() -> ApiError {
        ApiError::StateMachineTypeNotSupported(
            "This operation is not supported by this type of state machine",
        )
    }

    /// Logs what went wrong inside and answers with nothing of it.
    pub(crate) fn internal(cause: &dyn std::fmt::Display) -> ApiError {
        tracing::error!(%cause, "a request failed inside the server");
        ApiError::Internal
    }

    /// Namespace, code and status.
    fn facts(&self) -> (&'static str, &'static str, StatusCode) {
        let bad = StatusCode::BAD_REQUEST;
        match self {
            ApiError::ActivityAlreadyExists(_) => (SERVICE, "ActivityAlreadyExists", bad),
            ApiError::ActivityDoesNotExist(_) => (SERVICE, "ActivityDoesNotExist", bad),
            ApiError::ActivityLimitExceeded(_) => (SERVICE, "ActivityLimitExceeded", bad),
            ApiError::ActivityWorkerLimitExceeded(_) => (SERVICE, "ActivityWorkerLimitExceeded", bad),
            ApiError::InvalidOutput(_) => (SERVICE, "InvalidOutput", bad),
            ApiError::TaskDoesNotExist => (SERVICE, "TaskDoesNotExist", bad),
            ApiError::TaskTimedOut => (SERVICE, "TaskTimedOut", bad),
            ApiError::Access(error) => (PROTOCOL, error.code(), bad),
            ApiError::Conflict(_) => (SERVICE, "ConflictException", bad),
            ApiError::ExecutionAlreadyExists(_) => (SERVICE, "ExecutionAlreadyExists", bad),
            ApiError::ExecutionDoesNotExist(_) => (SERVICE, "ExecutionDoesNotExist", bad),
            ApiError::ExecutionLimitExceeded(_) => (SERVICE, "ExecutionLimitExceeded", bad),
            ApiError::ExecutionNotRedrivable(_) => (SERVICE, "ExecutionNotRedrivable", bad),
            ApiError::InvalidArn(_) => (SERVICE, "InvalidArn", bad),
            ApiError::InvalidDefinition(_) | ApiError::Untestable(_) => (SERVICE, "InvalidDefinition", bad),
            ApiError::InvalidEncryptionConfiguration(_) => (SERVICE, "InvalidEncryptionConfiguration", bad),
            ApiError::InvalidExecutionInput(_) => (SERVICE, "InvalidExecutionInput", bad),
            ApiError::InvalidLoggingConfiguration(_) => (SERVICE, "InvalidLoggingConfiguration", bad),
            ApiError::InvalidName(_) => (SERVICE, "InvalidName", bad),
            ApiError::InvalidToken => (SERVICE, "InvalidToken", bad),
            ApiError::MissingRequiredParameter => (SERVICE, "MissingRequiredParameter", bad),
            ApiError::ResourceNotFound(_) | ApiError::ReferenceNotFound(_) => {
                (SERVICE, "ResourceNotFound", bad)
            }
            ApiError::ServiceQuotaExceeded(_) => (SERVICE, "ServiceQuotaExceededException", bad),
            ApiError::StateMachineAlreadyExists(_) => (SERVICE, "StateMachineAlreadyExists", bad),
            ApiError::StateMachineDeleting(_) => (SERVICE, "StateMachineDeleting", bad),
            ApiError::StateMachineDoesNotExist(_) => (SERVICE, "StateMachineDoesNotExist", bad),
            ApiError::StateMachineLimitExceeded(_) => (SERVICE, "StateMachineLimitExceeded", bad),
            ApiError::StateMachineTypeNotSupported(_) => (SERVICE, "StateMachineTypeNotSupported", bad),
            ApiError::TooManyTags { .. } => (SERVICE, "TooManyTags", bad),
            ApiError::Validation { .. } => (SERVICE, "ValidationException", bad),
            ApiError::Constraints(_) => (CONSTRAINTS, "ValidationException", bad),
            ApiError::UnknownOperation(_) => (PROTOCOL, "UnknownOperationException", bad),
            ApiError::Serialization(_) => (PROTOCOL, "SerializationException", bad),
            ApiError::RequestTooLarge { .. } => {
                (PROTOCOL, "RequestEntityTooLargeException", StatusCode::PAYLOAD_TOO_LARGE)
            }
            ApiError::RequestIncomplete => (PROTOCOL, "RequestTimeoutException", StatusCode::REQUEST_TIMEOUT),
            ApiError::Throttling => (PROTOCOL, "ThrottlingException", bad),
            ApiError::ServiceUnavailable(_) => {
                (PROTOCOL, "ServiceUnavailable", StatusCode::SERVICE_UNAVAILABLE)
            }
            ApiError::Internal => (PROTOCOL, "InternalFailure", StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    /// The code without its namespace.
    pub(crate) fn code(&self) -> &'static str {
        self.facts().1
    }

    /// The HTTP status.
    pub(crate) fn status(&self) -> StatusCode {
        self.facts().2
    }

    /// Says in the headers what clients look for there: the code, and how long to wait before they try again.
    pub(crate) fn add_headers(&self, headers: &mut HeaderMap) {
        headers.insert("x-amzn-errortype", HeaderValue::from_static(self.code()));
        if matches!(self, ApiError::Throttling) {
            headers.insert("x-amz-retry-after", HeaderValue::from(limits::RETRY_AFTER_MILLISECONDS));
        }
    }

    /// The body on the wire.
    pub(crate) fn to_json(&self) -> Value {
        let (namespace, code, _) = self.facts();
        let mut body = json!({"__type": format!("{namespace}#{code}"), "message": self.to_string()});
        if let ApiError::Validation { reason: Some(reason), .. } = self {
            body["reason"] = json!(reason);
        }
        if let ApiError::ResourceNotFound(resource)
        | ApiError::ReferenceNotFound(resource)
        | ApiError::TooManyTags { resource, .. } = self
        {
            body["resourceName"] = json!(resource);
        }
        body
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> ApiError {
        match error {
            StoreError::Full | StoreError::Poisoned { .. } | StoreError::Closed | StoreError::Unknown => {
                ApiError::ServiceUnavailable(error.to_string())
            }
            StoreError::Conflict => {
                ApiError::Conflict("The resource was changed by another request; try again".into())
            }
            StoreError::Fenced { .. }
            | StoreError::Corrupt { .. }
            | StoreError::TooLarge { .. }
            | StoreError::Invalid(_) => ApiError::internal(&error),
        }
    }
}

fn counted(violations: usize) -> String {
    format!("{violations} validation error{}", if violations == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violations_are_counted_and_joined() {
        let one = ApiError::Constraints(vec!["a".into()]);
        assert_eq!(one.to_string(), "1 validation error detected: a");
        let two = ApiError::Constraints(vec!["a".into(), "b".into()]);
        assert_eq!(two.to_string(), "2 validation errors detected: a; b");
        assert_eq!(two.to_json()["__type"], "com.amazon.coral.validate#ValidationException");
    }

    #[test]
    fn a_full_disk_is_told_and_a_damaged_record_is_not() {
        let full = ApiError::from(StoreError::Full);
        assert_eq!((full.status().as_u16(), full.code()), (503, "ServiceUnavailable"));
        assert!(full.to_string().contains("disk is nearly full"), "{full}");
        let invalid = ApiError::from(StoreError::Invalid("secret"));
        assert_eq!((invalid.status().as_u16(), invalid.code()), (500, "InternalFailure"));
        assert!(!invalid.to_string().contains("secret"));
    }

    #[test]
    fn a_reason_is_a_member_of_its_own() {
        let error = ApiError::Validation { message: "m".into(), reason: Some("R") };
        assert_eq!(
            error.to_json(),
            json!({"__type": "com.amazonaws.swf.service.v2.model#ValidationException", "message": "m", "reason": "R"})
        );
        assert_eq!(ApiError::validation("m").to_json().get("reason"), None);
    }
}

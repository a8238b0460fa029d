//! Errors of the Lambda API (API reference, section 10): header `x-amzn-errortype` and a body of `Type` and message.
//!
//! What the client sees is the external message; the cause of a host failure goes to the log, never to the client.

use axum::http::StatusCode;
use serde_json::{Value, json};
use stepwell_sandbox::SandboxError;
use stepwell_store::StoreError;

use super::name;
use crate::api::error::ApiError;
use crate::auth::AuthError;
use crate::modules::ModuleError;
use crate::server::Identity;

/// Why a request got no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LambdaError {
    #[error("{0}")]
    InvalidParameterValue(String),
    /// The payload of a call is not JSON.
    #[error("Could not parse request body into json: {0}")]
    InvalidRequestContent(String),
    #[error("{0}")]
    ResourceNotFound(String),
    #[error("{0}")]
    ResourceConflict(String),
    #[error(
        "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetFunctionConfiguration \
         API or the GetAlias API to retrieve the latest Revision Id"
    )]
    PreconditionFailed,
    #[error(
        "{size_bytes} byte payload is too large for the {kind} invocation type (limit {limit_bytes} bytes)"
    )]
    PayloadTooLarge { size_bytes: usize, kind: &'static str, limit_bytes: usize },
    /// The queue of calls in the background is full.
    #[error("Rate Exceeded.")]
    TooManyRequests,
    #[error("No Provisioned Concurrency Config found for this function")]
    NoProvisionedConcurrency,
    /// An operation of Lambda, or an address of its, that is not offered here.
    #[error("{0}")]
    NotOffered(String),
    /// As the API of Step Functions says it: constraints, bodies, host failures.
    #[error(transparent)]
    Api(#[from] ApiError),
}

impl LambdaError {
    /// What Lambda would say of something that modules refuse.
    pub(crate) fn of_modules(error: ModuleError, identity: &Identity) -> LambdaError {
        let not_found = |name: &str, qualifier| {
            let arn = name::qualified_arn(identity, name, qualifier);
            LambdaError::ResourceNotFound(format!("Function not found: {arn}"))
        };
        match error {
            ModuleError::Missing { name } => not_found(&name, None),
            ModuleError::MissingVersion { name, qualifier } => not_found(&name, Some(&qualifier)),
            ModuleError::Exists { name } => {
                LambdaError::ResourceConflict(format!("Function already exist: {name}"))
            }
            ModuleError::Changed { .. } => LambdaError::PreconditionFailed,
            ModuleError::InUse { .. } => LambdaError::ResourceConflict(error.to_string()),
            ModuleError::Rejected(_)
            | ModuleError::Manifest(_)
            | ModuleError::Invalid { .. }
            | ModuleError::TooMany { .. } => LambdaError::InvalidParameterValue(error.to_string()),
            ModuleError::Sandbox(SandboxError::File { source, .. })
                if source.kind() == std::io::ErrorKind::StorageFull =>
            {
                StoreError::Full.into()
            }
            ModuleError::Sandbox(error) => ApiError::internal(&error).into(),
            ModuleError::Store(error) => error.into(),
        }
    }

    /// Code and status, and the member that the model has the message in.
    fn facts(&self) -> (&'static str, StatusCode, &'static str) {
        match self {
            LambdaError::InvalidParameterValue(_) => {
                ("InvalidParameterValueException", StatusCode::BAD_REQUEST, "message")
            }
            LambdaError::InvalidRequestContent(_) => {
                ("InvalidRequestContentException", StatusCode::BAD_REQUEST, "message")
            }
            LambdaError::ResourceNotFound(_) => {
                ("ResourceNotFoundException", StatusCode::NOT_FOUND, "Message")
            }
            // Two changes that meet are a conflict, too.
            LambdaError::ResourceConflict(_) | LambdaError::Api(ApiError::Conflict(_)) => {
                ("ResourceConflictException", StatusCode::CONFLICT, "message")
            }
            LambdaError::PreconditionFailed => {
                ("PreconditionFailedException", StatusCode::PRECONDITION_FAILED, "message")
            }
            LambdaError::PayloadTooLarge { .. } => {
                ("RequestEntityTooLargeException", StatusCode::PAYLOAD_TOO_LARGE, "message")
            }
            LambdaError::TooManyRequests
            | LambdaError::Api(ApiError::Access(AuthError::RateExceeded { .. })) => {
                ("TooManyRequestsException", StatusCode::TOO_MANY_REQUESTS, "message")
            }
            LambdaError::NoProvisionedConcurrency => {
                ("ProvisionedConcurrencyConfigNotFoundException", StatusCode::NOT_FOUND, "message")
            }
            LambdaError::NotOffered(_) => ("UnknownOperationException", StatusCode::NOT_FOUND, "message"),
            LambdaError::Api(ApiError::Access(error)) => (error.code(), error.status(), "message"),
            // The service's name for everything that only the operator can do something about.
            LambdaError::Api(error) if error.status().is_server_error() => {
                ("ServiceException", StatusCode::INTERNAL_SERVER_ERROR, "Message")
            }
            LambdaError::Api(error) => (error.code(), error.status(), "message"),
        }
    }

    /// The code for header `x-amzn-errortype`.
    pub(crate) fn code(&self) -> &'static str {
        self.facts().0
    }

    /// The HTTP status.
    pub(crate) fn status(&self) -> StatusCode {
        self.facts().1
    }

    /// The body on the wire.
    pub(crate) fn to_json(&self) -> Value {
        let (_, status, member) = self.facts();
        let blamed = if status.is_server_error() { "Service" } else { "User" };
        json!({"Type": blamed, member: self.to_string()})
    }
}

impl From<StoreError> for LambdaError {
    fn from(error: StoreError) -> LambdaError {
        LambdaError::Api(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_is_where_the_model_has_it() {
        let missing = LambdaError::ResourceNotFound("Function not found: x".into());
        assert_eq!(missing.to_json(), json!({"Type": "User", "Message": "Function not found: x"}));
        let taken = LambdaError::ResourceConflict("Function already exist: x".into());
        assert_eq!(taken.to_json(), json!({"Type": "User", "message": "Function already exist: x"}));
        assert_eq!((taken.code(), taken.status().as_u16()), ("ResourceConflictException", 409));
    }

    #[test]
    fn the_hosts_failures_are_the_services() {
        let full = LambdaError::from(StoreError::Full);
        assert_eq!((full.code(), full.status().as_u16()), ("ServiceException", 500));
        assert_eq!(full.to_json()["Type"], "Service");
        let wrong = LambdaError::from(ApiError::Constraints(vec!["a".into()]));
        assert_eq!((wrong.code(), wrong.status().as_u16()), ("ValidationException", 400));
    }
}

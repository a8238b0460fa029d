//! Errors of the CloudWatch Logs API. What the client sees is the external message; the cause of a host failure goes to
//! the log.

use axum::http::StatusCode;
use stepwell_store::StoreError;

use crate::api::error::ApiError;
use crate::auth::AuthError;

/// Why a request got no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogsError {
    #[error("The specified log group already exists")]
    AlreadyExists,
    #[error("{0}")]
    NotFound(&'static str),
    #[error("{0}")]
    InvalidParameter(String),
    #[error("{0}")]
    LimitExceeded(&'static str),
    #[error("The operation 'Logs_20140328.{0}' is not offered by this release of Stepwell")]
    UnknownOperation(String),
    /// What all APIs have: constraints, access, failures of the host.
    #[error(transparent)]
    Api(#[from] ApiError),
}

impl LogsError {
    /// Logs what went wrong inside and answers with nothing of it.
    pub(super) fn internal(cause: &dyn std::fmt::Display) -> LogsError {
        ApiError::internal(cause).into()
    }

    /// The exception's name.
    pub(super) fn code(&self) -> &str {
        match self {
            LogsError::AlreadyExists => "ResourceAlreadyExistsException",
            LogsError::NotFound(_) => "ResourceNotFoundException",
            LogsError::InvalidParameter(_) | LogsError::Api(ApiError::Constraints(_)) => {
                "InvalidParameterException"
            }
            LogsError::LimitExceeded(_) => "LimitExceededException",
            LogsError::UnknownOperation(_) => "UnknownOperationException",
            LogsError::Api(error) => error.code(),
        }
    }

    pub(super) fn status(&self) -> StatusCode {
        match self {
            LogsError::AlreadyExists
            | LogsError::NotFound(_)
            | LogsError::InvalidParameter(_)
            | LogsError::LimitExceeded(_)
            | LogsError::UnknownOperation(_) => StatusCode::BAD_REQUEST,
            LogsError::Api(error) => error.status(),
        }
    }
}

impl From<StoreError> for LogsError {
    fn from(error: StoreError) -> LogsError {
        LogsError::Api(error.into())
    }
}

impl From<AuthError> for LogsError {
    fn from(error: AuthError) -> LogsError {
        LogsError::Api(error.into())
    }
}

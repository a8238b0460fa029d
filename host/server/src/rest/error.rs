//! Errors of Stepwell's own endpoints, in the form of the API's: `__type` and `message`.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use stepwell_sandbox::SandboxError;
use stepwell_store::StoreError;

use super::answer;
use crate::api::error::ApiError;
use crate::modules::ModuleError;
use crate::secrets::SecretError;

/// Why an endpoint gives no result.
pub(crate) enum RestError {
    /// About a module.
    Module(ModuleError),
    /// About a secret, by name.
    Secret(String, SecretError),
    /// Something in the request makes no sense; the text names it.
    Invalid(String),
    /// What was asked for does not go with how things are.
    Conflict { code: &'static str, message: String },
    /// What was named does not exist.
    Missing { code: &'static str, message: String },
    /// Nothing is at this address.
    NotFound(String),
    /// Not now; the text says why.
    Busy(String),
    /// As the API says it.
    Api(ApiError),
}

impl axum::response::IntoResponse for RestError {
    fn into_response(self) -> Response {
        let (status, code, message) = match self {
            RestError::Module(error) => return module_error(error),
            RestError::Secret(name, error) => return secret_error(&name, error),
            RestError::Invalid(message) => (StatusCode::BAD_REQUEST, "InvalidRequest", message),
            RestError::Conflict { code, message } => (StatusCode::CONFLICT, code, message),
            RestError::Missing { code, message } => (StatusCode::NOT_FOUND, code, message),
            RestError::NotFound(path) => {
                (StatusCode::NOT_FOUND, "NotFound", format!("There is nothing at {path}"))
            }
            RestError::Busy(message) => (StatusCode::CONFLICT, "Busy", message),
            RestError::Api(error) => return api_error(&error),
        };
        refusal(status, code, &message)
    }
}

fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
    answer(status, &json!({"__type": code, "message": message}))
}

fn api_error(error: &ApiError) -> Response {
    let status = if matches!(error, ApiError::ExecutionDoesNotExist(_)) {
        StatusCode::NOT_FOUND
    } else if let ApiError::Access(refused) = error {
        refused.status()
    } else {
        error.status()
    };
    let mut response = answer(status, &error.to_json());
    error.add_headers(response.headers_mut());
    response
}

fn module_error(error: ModuleError) -> Response {
    let (bad, missing, conflict) = (StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND, StatusCode::CONFLICT);
    let (status, code) = match error {
        ModuleError::Rejected(_) => (bad, "InvalidModule"),
        ModuleError::Manifest(_) => (bad, "InvalidManifest"),
        ModuleError::Invalid { .. } => (bad, "InvalidRequest"),
        ModuleError::Missing { .. } => (missing, "ModuleDoesNotExist"),
        ModuleError::MissingVersion { .. } => (missing, "ModuleVersionDoesNotExist"),
        ModuleError::Exists { .. } => (conflict, "ModuleAlreadyExists"),
        ModuleError::Changed { .. } => (conflict, "Conflict"),
        ModuleError::InUse { .. } => (conflict, "VersionInUse"),
        ModuleError::TooMany { .. } => (bad, "TooMany"),
        ModuleError::Sandbox(SandboxError::File { source, .. })
            if source.kind() == std::io::ErrorKind::StorageFull =>
        {
            return api_error(&StoreError::Full.into());
        }
        ModuleError::Sandbox(error) => return api_error(&ApiError::internal(&error)),
        ModuleError::Store(error) => return api_error(&error.into()),
    };
    refusal(status, code, &error.to_string())
}

fn secret_error(name: &str, error: SecretError) -> Response {
    match error {
        SecretError::Invalid { .. } => refusal(StatusCode::BAD_REQUEST, "InvalidSecret", &error.to_string()),
        SecretError::Missing => {
            let message = format!("Secret Does Not Exist: '{name}'");
            refusal(StatusCode::NOT_FOUND, "SecretDoesNotExist", &message)
        }
        // The operator can do something about the key, and whoever sets a secret should hear of it.
        SecretError::Key(_) | SecretError::Sealed => {
            tracing::error!(%error, "a secret could not be set");
            refusal(StatusCode::SERVICE_UNAVAILABLE, "SecretKeyUnusable", &error.to_string())
        }
        SecretError::Store(error) => api_error(&error.into()),
        SecretError::BrokenOff(error) => api_error(&ApiError::internal(&error)),
    }
}

impl From<ApiError> for RestError {
    fn from(error: ApiError) -> RestError {
        RestError::Api(error)
    }
}

impl From<StoreError> for RestError {
    fn from(error: StoreError) -> RestError {
        RestError::Api(error.into())
    }
}

impl From<ModuleError> for RestError {
    fn from(error: ModuleError) -> RestError {
        RestError::Module(error)
    }
}

//! Stepwell's own endpoints: modules, logs of executions, health. Plain JSON, errors in the form of the API's.
//!
//! `PUT|GET|DELETE /modules/{name}`, `GET /modules`, `GET /executions/{arn}/log`, `GET /healthz`.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use stepwell_sandbox::SandboxError;
use stepwell_store::{ModuleRecord, StoreError};

use crate::api::error::ApiError;
use crate::api::{arn, execution};
use crate::modules::ModuleError;
use crate::server::Server;
use crate::{body, limits};

/// Why an endpoint gives no result.
pub(crate) enum RestError {
    /// The upload cannot be run.
    InvalidModule(String),
    /// No module has that name.
    ModuleDoesNotExist(String),
    /// Nothing is at this address.
    NotFound(String),
    /// As the API says it.
    Api(ApiError),
}

type Answer = Result<Response, RestError>;

/// `PUT /modules/{name}`.
pub(crate) async fn put_module(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
    request: Request,
) -> Answer {
    let (parts, body) = request.into_parts();
    // First, whatever comes of it: a client that is still sending would see a broken connection, not the answer.
    let wasm = body::read(body, &parts.headers, server.modules.max_bytes).await?;
    check_module_name(&name)?;
    let (record, new) = server.modules.put(&name, wasm, server.clock.now()).await?;
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(answer(status, &module(&server, &record)))
}

/// `GET /modules/{name}`.
pub(crate) async fn get_module(State(server): State<Arc<Server>>, Path(name): Path<String>) -> Answer {
    match server.modules.get(&name).await? {
        Some(record) => Ok(answer(StatusCode::OK, &module(&server, &record))),
        None => Err(RestError::ModuleDoesNotExist(name)),
    }
}

/// `GET /modules`.
pub(crate) async fn list_modules(State(server): State<Arc<Server>>) -> Answer {
    let records = server.modules.list().await?;
    let modules: Vec<Value> = records.iter().map(|record| module(&server, record)).collect();
    Ok(answer(StatusCode::OK, &json!({"modules": modules})))
}

/// `DELETE /modules/{name}`.
pub(crate) async fn delete_module(State(server): State<Arc<Server>>, Path(name): Path<String>) -> Answer {
    if server.modules.delete(&name).await? {
        Ok(StatusCode::NO_CONTENT.into_response())
    } else {
        Err(RestError::ModuleDoesNotExist(name))
    }
}

/// `GET /executions/{arn}/log`.
pub(crate) async fn execution_log(State(server): State<Arc<Server>>, Path(arn): Path<String>) -> Answer {
    let id = execution::find(&server, &arn).await?;
    let lines = server.store.log(id, limits::LOG_RECORDS).await?;
    let lines: Vec<Value> = lines
        .iter()
        .map(|line| {
            json!({
                "timestamp": line.at.as_seconds(),
                "level": line.level,
                "state": line.state,
                "attempt": line.attempt,
                "message": line.message,
            })
        })
        .collect();
    Ok(answer(StatusCode::OK, &json!({"lines": lines})))
}

/// `GET /healthz`: 503 once the store acknowledges nothing any more.
pub(crate) async fn health(State(server): State<Arc<Server>>) -> Response {
    let (status, word, reason) = match server.store.fatal().reason() {
        None => (StatusCode::OK, "ok", None),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, "failed", Some(reason)),
    };
    let mut body =
        json!({"status": word, "version": env!("CARGO_PKG_VERSION"), "store": server.store.describe()});
    if let Some(reason) = reason {
        body["reason"] = json!(reason);
    }
    answer(status, &body)
}

/// Every address that nothing else is at.
pub(crate) async fn not_found(uri: Uri) -> RestError {
    RestError::NotFound(uri.path().to_owned())
}

fn check_module_name(name: &str) -> Result<(), RestError> {
    let right = (1..=limits::MODULE_NAME_CHARACTERS).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if right { Ok(()) } else { Err(RestError::Api(ApiError::InvalidName(name.to_owned()))) }
}

fn module(server: &Server, record: &ModuleRecord) -> Value {
    json!({
        "name": record.name,
        "arn": arn::function_arn(&server.identity, &record.name),
        "sha256": record.sha256,
        "kind": record.kind,
        "sizeBytes": record.size_bytes,
        "compileMilliseconds": record.compile_milliseconds,
        "createdAt": record.created_at.to_rfc3339(),
        "updatedAt": record.updated_at.to_rfc3339(),
        "imports": record.imports,
    })
}

fn answer(status: StatusCode, body: &Value) -> Response {
    let json = HeaderValue::from_static("application/json");
    (status, [(header::CONTENT_TYPE, json)], body.to_string()).into_response()
}

impl axum::response::IntoResponse for RestError {
    fn into_response(self) -> Response {
        let (status, body) = match self {
            RestError::InvalidModule(message) => {
                (StatusCode::BAD_REQUEST, json!({"__type": "InvalidModule", "message": message}))
            }
            RestError::ModuleDoesNotExist(name) => {
                let message = format!("Module Does Not Exist: '{name}'");
                (StatusCode::NOT_FOUND, json!({"__type": "ModuleDoesNotExist", "message": message}))
            }
            RestError::NotFound(path) => {
                let message = format!("There is nothing at {path}");
                (StatusCode::NOT_FOUND, json!({"__type": "NotFound", "message": message}))
            }
            RestError::Api(error) => {
                let missing = matches!(error, ApiError::ExecutionDoesNotExist(_));
                (if missing { StatusCode::NOT_FOUND } else { error.status() }, error.to_json())
            }
        };
        answer(status, &body)
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
        match error {
            ModuleError::Rejected(reason) => RestError::InvalidModule(reason),
            ModuleError::Sandbox(SandboxError::File { source, .. })
                if source.kind() == std::io::ErrorKind::StorageFull =>
            {
                RestError::Api(StoreError::Full.into())
            }
            ModuleError::Sandbox(error) => RestError::Api(ApiError::internal(&error)),
            ModuleError::Store(error) => RestError::Api(error.into()),
        }
    }
}

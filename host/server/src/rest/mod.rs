//! Stepwell's own endpoints: modules, secrets, logs of executions, health. Plain JSON, errors in the form of the API's.
//!
//! `modules` has `/modules` and what is below a module's name, `secrets` has `/secrets`, `store` the export; here are
//! `GET /executions/{arn}/log` and `GET /healthz`. `clock` and `wait`, below `/api`, are for programs that test and watch
//! workflows. `openapi` describes all of them.

mod alias;
mod clock;
mod error;
mod keys;
mod members;
mod metrics;
mod modules;
mod openapi;
mod query;
mod secrets;
mod store;
mod version;
mod wait;

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, post, put};
use serde_json::{Value, json};

use crate::api::execution;
use crate::auth::AsCaller;
use crate::limits;
use crate::server::Server;

pub(crate) use error::RestError;
pub(crate) use keys::{create_key, list_keys, revoke_key};
pub(crate) use metrics::{listen_for_metrics, metrics};

type Answer = Result<Response, RestError>;

/// The addresses of modules and secrets, and those below `/api`.
pub(crate) fn routes() -> Router<Arc<Server>> {
    let module = put(modules::put_module).get(modules::get_module).delete(modules::delete_module);
    let manifest = get(modules::get_manifest).put(modules::put_manifest);
    let versions = get(version::list_versions).post(version::publish);
    let alias = get(alias::get_alias).put(alias::put_alias).delete(alias::delete_alias);
    Router::new()
        .route("/modules", get(modules::list_modules))
        .route("/modules/{name}", module)
        .route("/modules/{name}/manifest", manifest)
        .route("/modules/{name}/versions", versions)
        .route("/modules/{name}/versions/{number}", delete(version::delete_version))
        .route("/modules/{name}/aliases", get(alias::list_aliases))
        .route("/modules/{name}/aliases/{alias}", alias)
        .route("/openapi.json", get(openapi::show))
        .route("/api/store/export", get(store::export))
        .route("/secrets", get(secrets::list_secrets))
        .route("/secrets/{name}", put(secrets::put_secret).delete(secrets::delete_secret))
        .route("/api/clock", get(clock::show))
        .route("/api/clock/advance", post(clock::advance))
        .route("/api/executions/{arn}/wait", get(wait::wait_for_end))
}

/// `GET /executions/{arn}/log`.
pub(crate) async fn execution_log(AsCaller(server): AsCaller, Path(arn): Path<String>) -> Answer {
    let id = execution::find(&server, &arn).await?;
    let lines = server.store.log(id, limits::LOG_RECORDS).await?;
    execution::check_not_removed(&server, id, &arn).await?;
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
pub(crate) async fn health(AsCaller(server): AsCaller) -> Response {
    let (status, word, reason) = match server.store.fatal().reason() {
        None => (StatusCode::OK, "ok", None),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, "failed", Some(reason)),
    };
    let mut body = json!({"status": word});
    if server.auth.is_required() {
        // Whoever reaches this server may ask for its health, and be told no more than that.
        return answer(status, &body);
    }
    body["version"] = json!(env!("CARGO_PKG_VERSION"));
    body["store"] = json!(server.store.describe());
    body["clock"] = json!(clock::mode(server.clock.as_virtual()));
    if let Some(reason) = reason {
        body["reason"] = json!(reason);
    }
    answer(status, &body)
}

/// Every address that nothing else is at.
pub(crate) fn not_found(uri: &Uri) -> RestError {
    RestError::NotFound(uri.path().to_owned())
}

fn answer(status: StatusCode, body: &Value) -> Response {
    let json = HeaderValue::from_static("application/json");
    (status, [(header::CONTENT_TYPE, json)], body.to_string()).into_response()
}

/// 201 for what is new, 200 for what was there.
fn created(new: bool) -> StatusCode {
    if new { StatusCode::CREATED } else { StatusCode::OK }
}

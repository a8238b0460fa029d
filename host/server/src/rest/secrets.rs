//! `/secrets`: values that can be set and deleted, never read. No value may be logged or quoted here.

use axum::extract::{Path, Request};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use serde_json::{Value, json};

use super::modules::read;
use super::{Answer, RestError, answer, created};
use crate::auth::AsCaller;
use crate::secrets::SecretStored;

/// `PUT /secrets/{name}`: the body is the value, byte for byte.
pub(super) async fn put_secret(
    AsCaller(server): AsCaller,
    Path(name): Path<String>,
    request: Request,
) -> Answer {
    let value = read(request).await?;
    let stored = server.modules.put_secret(&name, value).await;
    let stored = stored.map_err(|error| RestError::Secret(name, error))?;
    Ok(answer(created(stored.new), &secret(&stored)))
}

/// `GET /secrets`: names and dates.
pub(super) async fn list_secrets(AsCaller(server): AsCaller) -> Answer {
    let secrets: Vec<Value> = server.modules.list_secrets().await?.iter().map(secret).collect();
    Ok(answer(StatusCode::OK, &json!({"secrets": secrets})))
}

/// `DELETE /secrets/{name}`.
pub(super) async fn delete_secret(AsCaller(server): AsCaller, Path(name): Path<String>) -> Answer {
    let deleted = server.modules.delete_secret(&name).await;
    deleted.map_err(|error| RestError::Secret(name, error))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn secret(stored: &SecretStored) -> Value {
    json!({
        "name": stored.name,
        "createdAt": stored.created_at.to_rfc3339(),
        "updatedAt": stored.updated_at.to_rfc3339(),
    })
}

//! `/modules/{name}/versions`: publishing, look-up, removal.

use axum::extract::{Path, Request};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::modules::{module, read};
use super::{Answer, answer, created, members};
use crate::auth::AsCaller;
use crate::modules::{FoundModule, ModuleError, Publish};

/// What `POST` takes; all members may be missing.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PublishBody {
    /// The version's description; the module's if absent.
    description: Option<String>,
    /// The digest that the module must have.
    sha256: Option<String>,
}

/// `POST /modules/{name}/versions`: 201 and the new version, or 200 and the newest when nothing has changed since.
pub(super) async fn publish(
    AsCaller(server): AsCaller,
    Path(name): Path<String>,
    request: Request,
) -> Answer {
    let PublishBody { description, sha256 } = members::read(&read(request).await?)?;
    let publish = Publish { description, sha256, ..Publish::default() };
    let published = server.modules.publish(&name, publish).await?;
    let status = created(published.new);
    let mut found = server.modules.get(&name, None).await?;
    found.version = Some(published.version);
    Ok(answer(status, &module(&server, &found)))
}

/// `GET /modules/{name}/versions`: without `$LATEST`.
pub(super) async fn list_versions(AsCaller(server): AsCaller, Path(name): Path<String>) -> Answer {
    let latest = server.modules.get(&name, None).await?.module;
    let versions: Vec<Value> = server
        .modules
        .versions(&name)
        .await?
        .into_iter()
        .map(|version| {
            module(&server, &FoundModule { module: latest.clone(), version: Some(version), alias: None })
        })
        .collect();
    Ok(answer(StatusCode::OK, &json!({"versions": versions})))
}

/// `DELETE /modules/{name}/versions/{number}`: refused while an alias points to it.
pub(super) async fn delete_version(
    AsCaller(server): AsCaller,
    Path((name, number)): Path<(String, String)>,
) -> Answer {
    let Ok(number) = number.parse() else {
        return Err(ModuleError::MissingVersion { name, qualifier: number }.into());
    };
    server.modules.delete_version(&name, number).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

//! `/modules`: uploads, look-up, removal, manifests.

use axum::extract::{Path, Request};
use axum::http::{StatusCode, Uri};
use axum::response::IntoResponse as _;
use serde_json::{Value, json};

use super::{Answer, RestError, answer, created, query};
use crate::api::arn;
use crate::api::error::ApiError;
use crate::auth::AsCaller;
use crate::modules::{FoundModule, Stored, Upload, archive, check_name};
use crate::server::Server;
use crate::{body, limits};

/// `PUT /modules/{name}`: a WebAssembly file, or a zip archive with one and maybe its manifest, `stepwell.json`.
pub(super) async fn put_module(
    AsCaller(server): AsCaller,
    Path(name): Path<String>,
    request: Request,
) -> Answer {
    let (parts, body) = request.into_parts();
    // First, whatever comes of it: a client that is still sending would see a broken connection, not the answer.
    let bytes = body::read(body, &parts.headers, server.modules.max_bytes).await?;
    let [publish, handler] = query::read(&parts.uri, ["publish", "handler"])?;
    check_name(&name).map_err(|_| ApiError::InvalidName(name.clone()))?;
    let unpacked = archive::unpack(bytes, handler.as_deref(), server.modules.max_bytes).await?;
    let upload = Upload {
        wasm: unpacked.wasm,
        manifest: unpacked.manifest,
        publish: is_true("publish", publish.as_deref())?,
        ..Upload::default()
    };
    let stored = server.modules.put(&name, upload).await?;
    Ok(answer(created(stored.new), &stored_module(&server, stored)))
}

/// `GET /modules/{name}`, `GET /modules/{name}?qualifier=`.
pub(super) async fn get_module(AsCaller(server): AsCaller, Path(name): Path<String>, uri: Uri) -> Answer {
    let [qualifier] = query::read(&uri, ["qualifier"])?;
    let found = server.modules.get(&name, qualifier.as_deref()).await?;
    Ok(answer(StatusCode::OK, &module(&server, &found)))
}

/// `GET /modules`.
pub(super) async fn list_modules(AsCaller(server): AsCaller) -> Answer {
    let records = server.modules.list().await?;
    let modules = records.into_iter().map(|record| module(&server, &FoundModule::latest(record)));
    Ok(answer(StatusCode::OK, &json!({"modules": modules.collect::<Vec<Value>>()})))
}

/// `DELETE /modules/{name}`: with its versions and aliases.
pub(super) async fn delete_module(AsCaller(server): AsCaller, Path(name): Path<String>) -> Answer {
    server.modules.delete(&name).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `GET /modules/{name}/manifest`, also with `?qualifier=`.
pub(super) async fn get_manifest(AsCaller(server): AsCaller, Path(name): Path<String>, uri: Uri) -> Answer {
    let [qualifier] = query::read(&uri, ["qualifier"])?;
    let found = server.modules.get(&name, qualifier.as_deref()).await?;
    Ok(answer(StatusCode::OK, &manifest_of(&found)))
}

/// `PUT /modules/{name}/manifest`: what `$LATEST` may reach from now on.
pub(super) async fn put_manifest(
    AsCaller(server): AsCaller,
    Path(name): Path<String>,
    request: Request,
) -> Answer {
    let text = read(request).await?;
    let stored = server.modules.set_manifest(&name, archive::manifest(&text)?).await?;
    Ok(answer(StatusCode::OK, &stored_module(&server, stored)))
}

/// A yes or no. Errors: `Invalid`.
fn is_true(name: &str, value: Option<&str>) -> Result<bool, RestError> {
    match value {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(RestError::Invalid(format!("{name}: give true or false"))),
    }
}

/// The body of a request that is no upload.
pub(super) async fn read(request: Request) -> Result<Vec<u8>, RestError> {
    let (parts, body) = request.into_parts();
    Ok(body::read(body, &parts.headers, limits::REST_BYTES).await?)
}

/// What came of an upload or of a new manifest.
fn stored_module(server: &Server, stored: Stored) -> Value {
    let Stored { module: record, version, warnings, .. } = stored;
    let mut body = module(server, &FoundModule::latest(record));
    if let Some(version) = version {
        body["publishedVersion"] = json!(version.number.to_string());
    }
    if !warnings.is_empty() {
        body["warnings"] = json!(warnings);
    }
    body
}

/// A module, or a version of it.
pub(super) fn module(server: &Server, found: &FoundModule) -> Value {
    let content = found.content();
    let mut arn = arn::function_arn(&server.identity, &found.module.name);
    if let Some(version) = &found.version {
        arn = format!("{arn}:{}", version.number);
    }
    let mut body = json!({
        "name": found.module.name,
        "arn": arn,
        "version": found.version_name(),
        "sha256": content.sha256,
        "kind": content.kind,
        "adapted": content.adapted,
        "sizeBytes": content.size_bytes,
        "compileMilliseconds": content.compile_milliseconds,
        "createdAt": found.created_at().to_rfc3339(),
        "updatedAt": found.updated_at().to_rfc3339(),
        "revisionId": found.revision_id(),
        "imports": content.imports,
        "manifest": manifest_of(found),
    });
    let description = &found.settings().description;
    if !description.is_empty() {
        body["description"] = json!(description);
    }
    body
}

fn manifest_of(found: &FoundModule) -> Value {
    serde_json::from_str(&found.content().manifest).unwrap_or_else(|_| json!({}))
}

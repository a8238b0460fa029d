//! `/modules/{name}/aliases`: names for versions.

use axum::extract::{Path, Request};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use stepwell_store::ModuleAliasRecord;

use super::modules::read;
use super::{Answer, RestError, answer, created, members};
use crate::api::arn;
use crate::auth::AsCaller;
use crate::modules::{AliasChange, version_name};
use crate::server::Server;

/// What `PUT` takes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AliasBody {
    /// The version that it stands for.
    version: Value,
    /// A second version, and its share of the calls.
    #[serde(default)]
    weights: BTreeMap<String, f64>,
    /// Kept if absent.
    description: Option<String>,
}

/// `PUT /modules/{name}/aliases/{alias}`.
pub(super) async fn put_alias(
    AsCaller(server): AsCaller,
    Path((name, alias)): Path<(String, String)>,
    request: Request,
) -> Answer {
    let AliasBody { version, weights, description } = members::read(&read(request).await?)?;
    let version = members::version("version", &version)?;
    if weights.len() > 1 {
        return Err(RestError::Invalid("weights: name one version, beside the one in version".to_owned()));
    }
    let mut weighted = None;
    for (second, weight) in weights {
        let number = members::version(&format!("weights.{second}"), &Value::String(second.clone()))?;
        let latest = || RestError::Invalid("weights: $LATEST cannot have a share of the calls".to_owned());
        weighted = Some((number.ok_or_else(latest)?, weight));
    }
    let change = AliasChange { version, weighted, description, ..AliasChange::default() };
    let (record, new) = server.modules.put_alias(&name, &alias, change).await?;
    Ok(answer(created(new), &alias_body(&server, &record)))
}

/// `GET /modules/{name}/aliases/{alias}`.
pub(super) async fn get_alias(
    AsCaller(server): AsCaller,
    Path((name, alias)): Path<(String, String)>,
) -> Answer {
    let record = server.modules.alias(&name, &alias).await?;
    Ok(answer(StatusCode::OK, &alias_body(&server, &record)))
}

/// `GET /modules/{name}/aliases`.
pub(super) async fn list_aliases(AsCaller(server): AsCaller, Path(name): Path<String>) -> Answer {
    let records = server.modules.aliases(&name).await?;
    let aliases: Vec<Value> = records.iter().map(|record| alias_body(&server, record)).collect();
    Ok(answer(StatusCode::OK, &json!({"aliases": aliases})))
}

/// `DELETE /modules/{name}/aliases/{alias}`.
pub(super) async fn delete_alias(
    AsCaller(server): AsCaller,
    Path((name, alias)): Path<(String, String)>,
) -> Answer {
    server.modules.delete_alias(&name, &alias).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn alias_body(server: &Server, record: &ModuleAliasRecord) -> Value {
    let weights: Map<String, Value> =
        record.weighted.iter().map(|(number, weight)| (number.to_string(), json!(weight))).collect();
    json!({
        "name": record.name,
        "alias": record.alias,
        "arn": format!("{}:{}", arn::function_arn(&server.identity, &record.name), record.alias),
        "version": version_name(record.version),
        "weights": weights,
        "description": record.description,
        "createdAt": record.created_at.to_rfc3339(),
        "updatedAt": record.updated_at.to_rfc3339(),
        "revisionId": record.revision_id,
    })
}

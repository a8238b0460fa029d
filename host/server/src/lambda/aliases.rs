//! CreateAlias, GetAlias, UpdateAlias, DeleteAlias and ListAliases (API reference, section 10), with the share of calls
//! that a second version gets (Lambda API: AliasRoutingConfiguration).

use axum::http::StatusCode;
use serde_json::{Value, json};
use stepwell_store::ModuleAliasRecord;

use super::change::contended;
use super::error::LambdaError;
use super::name::{self, LATEST, Target};
use super::page::Page;
use super::request::Call;
use super::{Answer, Reply};
use crate::api::error::ApiError;
use crate::limits;
use crate::modules::{AliasChange, Expected, ModuleError, version_name};
use crate::server::{Identity, Server};

/// A version's number; none is `$LATEST`.
type Number = Option<u64>;
/// A second version and its share.
type Weighted = Option<(u64, f64)>;

/// CreateAlias.
pub(super) async fn create(server: &Server, mut call: Call) -> Answer {
    let alias = name::alias(&mut call, "name");
    call.fields.require("functionVersion");
    let wanted = Wanted::read(&mut call);
    let name = Target::read(&mut call)?.unqualified()?;
    let change = AliasChange {
        version: number(server, &name, wanted.version.as_deref())?,
        weighted: wanted.weighted()?.flatten(),
        description: wanted.description,
        expected: Expected::New,
    };
    let (record, _) = server.modules.put_alias(&name, &alias, change).await.map_err(|error| {
        if let ModuleError::Exists { .. } = error {
            let arn = name::qualified_arn(&server.identity, &name, Some(&alias));
            return LambdaError::ResourceConflict(format!("Alias already exists: {arn}"));
        }
        LambdaError::of_modules(error, &server.identity)
    })?;
    Ok(Reply::json(StatusCode::CREATED, &shown(&server.identity, &record)))
}

/// UpdateAlias. Members that are absent stay as they are.
pub(super) async fn update(server: &Server, mut call: Call) -> Answer {
    let alias = name::alias(&mut call, "name");
    let wanted = Wanted::read(&mut call);
    let revision = call.fields.text("revisionId", 0, limits::REVISION_CHARACTERS);
    let name = Target::read(&mut call)?.unqualified()?;
    let weighted = wanted.weighted()?;
    let version =
        wanted.version.as_deref().map(|version| number(server, &name, Some(version))).transpose()?;
    for _ in 0..limits::CHANGE_TRIES {
        let before = find(server, &name, &alias).await?;
        if revision.as_deref().is_some_and(|revision| revision != before.revision_id) {
            return Err(LambdaError::PreconditionFailed);
        }
        let change = AliasChange {
            version: version.unwrap_or(before.version),
            weighted: weighted.unwrap_or(before.weighted),
            description: wanted.description.clone(),
            expected: Expected::Revision(before.revision_id),
        };
        match server.modules.put_alias(&name, &alias, change).await {
            Err(ModuleError::Changed { .. }) => {}
            Err(error) => return Err(LambdaError::of_modules(error, &server.identity)),
            Ok((record, _)) => return Ok(Reply::ok(&shown(&server.identity, &record))),
        }
    }
    Err(contended(&format!("{name}:{alias}")))
}

/// GetAlias.
pub(super) async fn get(server: &Server, mut call: Call) -> Answer {
    let alias = name::alias(&mut call, "name");
    let name = Target::read(&mut call)?.unqualified()?;
    let record = find(server, &name, &alias).await?;
    Ok(Reply::ok(&shown(&server.identity, &record)))
}

/// DeleteAlias. An alias that is not there is deleted already, as AWS has it.
pub(super) async fn delete(server: &Server, mut call: Call) -> Answer {
    let alias = name::alias(&mut call, "name");
    let name = Target::read(&mut call)?.unqualified()?;
    match server.modules.delete_alias(&name, &alias).await {
        Ok(()) | Err(ModuleError::MissingVersion { .. }) => Ok(Reply::empty(StatusCode::NO_CONTENT)),
        Err(error) => Err(LambdaError::of_modules(error, &server.identity)),
    }
}

/// ListAliases, those of one version if `FunctionVersion` is there.
pub(super) async fn list(server: &Server, mut call: Call) -> Answer {
    let version = name::version(&mut call, "functionVersion");
    let page = Page::read(&mut call);
    let name = Target::read(&mut call)?.unqualified()?;
    let scope = ["ListAliases", &name, version.as_deref().unwrap_or_default()];
    let after = page.after(server, &scope).await?;
    let aliases = server.modules.aliases(&name).await;
    let aliases = aliases.map_err(|error| LambdaError::of_modules(error, &server.identity))?;
    let fits = |record: &ModuleAliasRecord| {
        let behind = after.as_ref().is_none_or(|after| record.alias > *after);
        behind && version.as_ref().is_none_or(|version| *version == version_name(record.version))
    };
    let found = aliases.into_iter().filter(fits).take(page.wanted());
    let found = found.map(|record| (record.alias.clone(), shown(&server.identity, &record))).collect();
    Ok(Reply::ok(&page.answer(server, "Aliases", found, &scope).await))
}

/// What a request says about an alias.
struct Wanted {
    version: Option<String>,
    description: Option<String>,
    /// Members of AdditionalVersionWeights; none if there is no RoutingConfig.
    weights: Option<Vec<(String, Value)>>,
}

impl Wanted {
    /// Reads the members; violations are noted.
    fn read(call: &mut Call) -> Wanted {
        let version = name::version(call, "functionVersion");
        let description = call.fields.text("description", 0, limits::DESCRIPTION_CHARACTERS);
        let path = "routingConfig.additionalVersionWeights";
        let weights = call.fields.structure("routingConfig").then(|| {
            let there = call.fields.structure(path);
            let members = call.fields.value(path).filter(|_| there).and_then(Value::as_object);
            members.cloned().unwrap_or_default().into_iter().collect()
        });
        Wanted { version, description, weights }
    }

    /// The second version: outer none leaves it, inner none takes it away. Errors: InvalidParameterValue.
    fn weighted(&self) -> Result<Option<Weighted>, LambdaError> {
        let Some(weights) = &self.weights else { return Ok(None) };
        let invalid = |message: String| LambdaError::InvalidParameterValue(message);
        match weights.as_slice() {
            [] => Ok(Some(None)),
            [(version, weight)] => {
                let number = version.parse().map_err(|_| {
                    invalid(format!(
                        "AdditionalVersionWeights holds '{version}', which is no number of a version"
                    ))
                })?;
                let weight = weight.as_f64().ok_or_else(|| {
                    ApiError::Serialization("A weight in AdditionalVersionWeights is not a Double".to_owned())
                })?;
                Ok(Some(Some((number, weight))))
            }
            _ => Err(invalid("AdditionalVersionWeights holds more than one version".to_owned())),
        }
    }
}

/// Reads the number of a version. Errors: ResourceNotFound for numbers beyond all versions.
fn number(server: &Server, name: &str, version: Option<&str>) -> Result<Number, LambdaError> {
    match version {
        None | Some(LATEST) => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| {
            let target = Target { name: name.to_owned(), qualifier: Some(text.to_owned()) };
            target.not_found(&server.identity)
        }),
    }
}

async fn find(server: &Server, name: &str, alias: &str) -> Result<ModuleAliasRecord, LambdaError> {
    server.modules.alias(name, alias).await.map_err(|error| {
        if let ModuleError::MissingVersion { .. } = error {
            let arn = name::qualified_arn(&server.identity, name, Some(alias));
            return LambdaError::ResourceNotFound(format!("Cannot find alias arn: {arn}"));
        }
        LambdaError::of_modules(error, &server.identity)
    })
}

/// AliasConfiguration.
fn shown(identity: &Identity, record: &ModuleAliasRecord) -> Value {
    let mut alias = json!({
        "AliasArn": name::qualified_arn(identity, &record.name, Some(&record.alias)),
        "Name": record.alias,
        "FunctionVersion": version_name(record.version),
        "Description": record.description,
        "RevisionId": record.revision_id,
    });
    if let Some((version, weight)) = record.weighted {
        let version = version.to_string();
        alias["RoutingConfig"] = json!({"AdditionalVersionWeights": {version: weight}});
    }
    alias
}

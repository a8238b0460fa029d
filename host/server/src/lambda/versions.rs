//! PublishVersion and ListVersionsByFunction (API reference, section 10).

use axum::http::StatusCode;
use serde_json::Value;

use super::change::{contended, current};
use super::configuration::Snapshot;
use super::error::LambdaError;
use super::name::{LATEST, Target};
use super::page::Page;
use super::request::Call;
use super::settings::{self, Wanted};
use super::{Answer, Reply};
use crate::limits;
use crate::modules::{Expected, ModuleError, Publish};
use crate::server::Server;

/// PublishVersion. When nothing has changed since the newest version, that one is the answer.
pub(super) async fn publish(server: &Server, mut call: Call) -> Answer {
    let description = call.fields.text("description", 0, limits::DESCRIPTION_CHARACTERS);
    let sha256 = call.fields.text("codeSha256", 0, limits::REVISION_CHARACTERS);
    let revision = call.fields.text("revisionId", 0, limits::REVISION_CHARACTERS);
    let name = Target::read(&mut call)?.unqualified()?;
    Wanted::check(&call)?;
    for _ in 0..limits::CHANGE_TRIES {
        let module = current(server, &name, revision.as_deref()).await?;
        let package = settings::package(&module.settings, &module.latest);
        if let Some(sha256) =
            sha256.as_ref().filter(|sha256| !sha256.is_empty() && **sha256 != package.sha256)
        {
            return Err(LambdaError::InvalidParameterValue(format!(
                "CodeSHA256 ({sha256}) is different from current CodeSHA256 in $LATEST ({}). Please try again with \
                 the CodeSHA256 in $LATEST.",
                package.sha256
            )));
        }
        let publish = Publish {
            description: description.clone().filter(|description| !description.is_empty()),
            sha256: None,
            expected: Expected::Revision(module.revision_id),
        };
        match server.modules.publish(&name, publish).await {
            Err(ModuleError::Changed { .. }) => {}
            Err(error) => return Err(LambdaError::of_modules(error, &server.identity)),
            Ok(published) => {
                let snapshot = Snapshot::from(published.version);
                let number = snapshot.version.clone();
                return Ok(Reply::json(StatusCode::CREATED, &snapshot.to_json(server, Some(&number))?));
            }
        }
    }
    Err(contended(&name))
}

/// ListVersionsByFunction: `$LATEST`, then the versions by number.
pub(super) async fn list(server: &Server, mut call: Call) -> Answer {
    let page = Page::read(&mut call);
    let name = Target::read(&mut call)?.unqualified()?;
    let scope = ["ListVersionsByFunction", &name];
    let after: Option<u64> = page.after(server, &scope).await?.map(|after| after.parse().unwrap_or_default());
    let module = current(server, &name, None).await?;
    let mut found: Vec<(String, Value)> = Vec::new();
    if after.is_none() {
        found.push(("0".to_owned(), Snapshot::from(module).to_json(server, Some(LATEST))?));
    }
    let versions = server.modules.versions(&name).await;
    let versions = versions.map_err(|error| LambdaError::of_modules(error, &server.identity))?;
    let behind = versions.into_iter().filter(|version| after.is_none_or(|after| version.number > after));
    for version in behind.take(page.wanted()) {
        let snapshot = Snapshot::from(version);
        let number = snapshot.version.clone();
        found.push((number.clone(), snapshot.to_json(server, Some(&number))?));
    }
    Ok(Reply::ok(&page.answer(server, "Versions", found, &scope).await))
}

//! Changes of a function's configuration: read, edited, stored only if nobody else changed it meanwhile.

use stepwell_sandbox::Manifest;
use stepwell_store::ModuleSettings;

use super::configuration::parse_manifest;
use super::error::LambdaError;
use crate::limits;
use crate::modules::{Expected, ModuleError, Stored, Update};
use crate::server::Server;

/// Applies `edit` to the settings and the manifest of a function. `revision` is what the client expects it to be at.
///
/// Errors: ResourceNotFound, PreconditionFailed, InvalidParameterValue.
pub(crate) async fn change(
    server: &Server,
    name: &str,
    revision: Option<&str>,
    edit: impl Fn(&mut ModuleSettings, &mut Manifest) -> Result<(), LambdaError> + Send + Sync,
) -> Result<Stored, LambdaError> {
    for _ in 0..limits::CHANGE_TRIES {
        let module = current(server, name, revision).await?;
        let before = parse_manifest(&module.latest)?;
        let (mut settings, mut manifest) = (module.settings, before.clone());
        edit(&mut settings, &mut manifest)?;
        let update = Update {
            // Judging a manifest takes a look at the whole content.
            manifest: (manifest != before).then_some(manifest),
            settings: Some(settings),
            expected: Expected::Revision(module.revision_id),
        };
        match server.modules.update(name, update).await {
            Err(ModuleError::Changed { .. }) => {}
            stored => return stored.map_err(|error| LambdaError::of_modules(error, &server.identity)),
        }
    }
    Err(contended(name))
}

/// A function's record as it is now. Errors: ResourceNotFound; PreconditionFailed if it is not at `revision`.
pub(crate) async fn current(
    server: &Server,
    name: &str,
    revision: Option<&str>,
) -> Result<stepwell_store::ModuleRecord, LambdaError> {
    let found = server.modules.get(name, None).await;
    let module = found.map_err(|error| LambdaError::of_modules(error, &server.identity))?.module;
    if revision.is_some_and(|revision| revision != module.revision_id) {
        return Err(LambdaError::PreconditionFailed);
    }
    Ok(module)
}

/// Others changed the function each time.
pub(crate) fn contended(name: &str) -> LambdaError {
    LambdaError::ResourceConflict(format!(
        "The operation cannot be performed at this time. An update is in progress for resource: {name}"
    ))
}

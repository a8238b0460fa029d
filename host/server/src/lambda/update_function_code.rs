//! UpdateFunctionCode (API reference, section 10). Calls that run finish on the code that they began with.
//!
//! A manifest in the archive replaces the module's, but what Lambda has as configuration stays unless the manifest says
//! something about it: new code must not take an environment away that was set through the API.

use stepwell_sandbox::Manifest;

use super::change::{contended, current};
use super::code::Code;
use super::configuration::{Snapshot, parse_manifest};
use super::error::LambdaError;
use super::name::Target;
use super::request::Call;
use super::settings::{self, Wanted};
use super::{Answer, Reply};
use crate::limits;
use crate::modules::{Expected, ModuleError, Upload};
use crate::server::Server;

pub(super) async fn handle(server: &Server, mut call: Call) -> Answer {
    let publish = call.fields.boolean("publish").unwrap_or_default();
    let dry_run = call.fields.boolean("dryRun").unwrap_or_default();
    let revision = call.fields.text("revisionId", 0, limits::REVISION_CHARACTERS);
    let architectures = settings::architectures(&mut call);
    let name = Target::read(&mut call)?.unqualified()?;
    Wanted::check(&call)?;
    // Before the upload is looked at: a function that is not there is the first thing to say.
    let module = current(server, &name, revision.as_deref()).await?;
    let code = Code::read(server, &call, "", &module.settings.handler).await?;
    if dry_run {
        return Ok(Reply::ok(&Snapshot::from(module).to_json(server, None)?));
    }
    for _ in 0..limits::CHANGE_TRIES {
        let module = current(server, &name, revision.as_deref()).await?;
        let before = parse_manifest(&module.latest)?;
        let manifest = code.manifest.clone().map_or_else(|| before.clone(), |new| merged(new, &before));
        let mut settings = module.settings;
        settings.others.extend(architectures.clone());
        settings::note_package(&mut settings, &code.sha256, &code.package);
        let upload = Upload {
            wasm: code.wasm.clone(),
            manifest: Some(manifest),
            settings: Some(settings),
            publish,
            expected: Expected::Revision(module.revision_id),
        };
        match server.modules.put(&name, upload).await {
            Err(ModuleError::Changed { .. }) => {}
            Err(error) => return Err(LambdaError::of_modules(error, &server.identity)),
            Ok(stored) => return Ok(Reply::ok(&Snapshot::of_stored(stored, server)?)),
        }
    }
    Err(contended(&name))
}

/// A new manifest, with the configuration of the old one where it says nothing itself.
fn merged(mut new: Manifest, old: &Manifest) -> Manifest {
    if new.environment.is_empty() {
        new.environment.clone_from(&old.environment);
        // A variable is one or the other.
        new.environment.retain(|variable, _| !new.secrets.contains_key(variable));
    }
    new.limits.timeout_milliseconds = new.limits.timeout_milliseconds.or(old.limits.timeout_milliseconds);
    new.limits.memory_mib = new.limits.memory_mib.or(old.limits.memory_mib);
    new.limits.concurrent_calls = new.limits.concurrent_calls.or(old.limits.concurrent_calls);
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_manifest_leaves_the_configuration_that_it_does_not_mention() {
        let parse = |text: &str| Manifest::parse(text.as_bytes()).unwrap();
        let old = parse(
            r#"{"environment": {"A": "1", "K": "2"}, "scratch": {"sizeMib": 1}, "limits": {"memoryMib": 64, "timeoutMilliseconds": 9}}"#,
        );
        let new = merged(parse(r#"{"secrets": {"K": "key"}, "limits": {"memoryMib": 32}}"#), &old);
        assert_eq!(
            new,
            parse(
                r#"{"environment": {"A": "1"}, "secrets": {"K": "key"}, "limits": {"memoryMib": 32, "timeoutMilliseconds": 9}}"#
            )
        );
        let own = r#"{"environment": {"B": "3"}}"#;
        assert_eq!(merged(parse(own), &old).environment, parse(own).environment);
    }
}

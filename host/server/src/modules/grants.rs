//! From a stored manifest to what a call may reach: secrets opened, directories found.
//!
//! Secrets pass through here: nothing may be logged, and errors name secrets, never their values.

use std::collections::BTreeMap;
use std::path::PathBuf;

use stepwell_sandbox::{Grants, Manifest};

use super::{ModuleError, Modules, Names, ResolveError};
use crate::secrets::SecretError;

/// Reads a stored manifest. Errors: `Manifest`, when an older or newer release wrote it.
pub(super) fn stored(text: &str) -> Result<Manifest, ModuleError> {
    Ok(Manifest::parse(text.as_bytes())?)
}

/// The stored form of a manifest.
pub(super) fn to_text(manifest: &Manifest) -> Result<String, ModuleError> {
    // Maps with texts as keys, and numbers that JSON has: this does not fail.
    serde_json::to_string(manifest).map_err(|error| super::error::invalid("manifest", error.to_string()))
}

impl Modules {
    /// Resolves the names in a stored manifest: secrets are those of the module's account, and directories of this host
    /// are for the server's own account alone. Errors: of the manifest, of secrets, of directories.
    pub(super) async fn grants(&self, names: &Names, manifest: &str) -> Result<Grants, ResolveError> {
        let manifest = stored(manifest).map_err(|error| ResolveError::Host(error.to_string()))?;
        let mut secrets = BTreeMap::new();
        for (variable, secret) in &manifest.secrets {
            match self.secrets.open(&names.stored(secret).unwrap_or_default()).await {
                Ok(value) => secrets.insert(variable.clone(), value.into_text()),
                Err(SecretError::Store(error)) => return Err(ResolveError::Store(error)),
                Err(error) => {
                    return Err(ResolveError::Secret { secret: secret.clone(), reason: error.to_string() });
                }
            };
        }
        let directories =
            manifest.directories.iter().map(|wanted| match self.directory(names, &wanted.name) {
                Some(path) => Ok((path.clone(), wanted.path.clone())),
                None => Err(ResolveError::Directory { name: wanted.name.clone() }),
            });
        let directories = directories.collect::<Result<Vec<(PathBuf, String)>, ResolveError>>()?;
        Ok(Grants { manifest, secrets, directories })
    }

    /// A directory that this server offers to an account.
    fn directory(&self, names: &Names, name: &str) -> Option<&PathBuf> {
        if names.are_home() { self.directories.get(name) } else { None }
    }

    /// What of a manifest will keep calls from running on this server as it is.
    pub(super) async fn warnings(
        &self,
        names: &Names,
        manifest: &Manifest,
    ) -> Result<Vec<String>, ModuleError> {
        let mut warnings = Vec::new();
        for (variable, secret) in &manifest.secrets {
            if self.store.secret(&names.stored(secret).unwrap_or_default()).await?.is_none() {
                warnings.push(format!(
                    "the secret {secret}, which the variable {variable} is to hold, does not exist: calls will fail \
                     until it is set"
                ));
            }
        }
        for wanted in &manifest.directories {
            if self.directory(names, &wanted.name).is_none() {
                warnings.push(format!(
                    "this server offers no data directory {}: calls will fail until it is started with \
                     --data-directory {}=PATH",
                    wanted.name, wanted.name
                ));
            }
        }
        Ok(warnings)
    }
}

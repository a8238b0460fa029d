//! From a stored manifest to what a call may reach: secrets opened, directories found.
//!
//! Secrets pass through here: nothing may be logged, and errors name secrets, never their values.

use std::collections::BTreeMap;
use std::path::PathBuf;

use stepwell_sandbox::{Grants, Manifest};

use super::{ModuleError, Modules, ResolveError};
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
    /// Resolves the names in a stored manifest. Errors: of the manifest, of secrets, of directories.
    pub(super) async fn grants(&self, manifest: &str) -> Result<Grants, ResolveError> {
        let manifest = stored(manifest).map_err(|error| ResolveError::Host(error.to_string()))?;
        let mut secrets = BTreeMap::new();
        for (variable, secret) in &manifest.secrets {
            match self.secrets.open(secret).await {
                Ok(value) => secrets.insert(variable.clone(), value.into_text()),
                Err(SecretError::Store(error)) => return Err(ResolveError::Store(error)),
                Err(error) => {
                    return Err(ResolveError::Secret { secret: secret.clone(), reason: error.to_string() });
                }
            };
        }
        let directories =
            manifest.directories.iter().map(|wanted| match self.directories.get(&wanted.name) {
                Some(path) => Ok((path.clone(), wanted.path.clone())),
                None => Err(ResolveError::Directory { name: wanted.name.clone() }),
            });
        let directories = directories.collect::<Result<Vec<(PathBuf, String)>, ResolveError>>()?;
        Ok(Grants { manifest, secrets, directories })
    }

    /// What of a manifest will keep calls from running on this server as it is.
    pub(super) async fn warnings(&self, manifest: &Manifest) -> Result<Vec<String>, ModuleError> {
        let mut warnings = Vec::new();
        for (variable, secret) in &manifest.secrets {
            if self.store.secret(secret).await?.is_none() {
                warnings.push(format!(
                    "the secret {secret}, which the variable {variable} is to hold, does not exist: calls will fail \
                     until it is set"
                ));
            }
        }
        for wanted in &manifest.directories {
            if !self.directories.contains_key(&wanted.name) {
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

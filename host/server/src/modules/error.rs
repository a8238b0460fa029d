//! Why a module could not be stored, changed or found. The texts are for whoever asked; none may quote a secret.

use stepwell_sandbox::{InstallError, ManifestError, SandboxError};
use stepwell_store::StoreError;

use super::BrokenOff;

/// Why a request about modules has no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ModuleError {
    /// The upload is no module that can be run.
    #[error("{0}")]
    Rejected(String),
    /// The manifest makes no sense; the text names the member.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Something else that was given is wrong.
    #[error("{field}: {reason}")]
    Invalid {
        /// What was given.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No module has that name.
    #[error("Module Does Not Exist: '{name}'")]
    Missing {
        /// The name.
        name: String,
    },
    /// The module has no such version or alias.
    #[error("Module Version Does Not Exist: '{name}:{qualifier}'")]
    MissingVersion {
        /// The module.
        name: String,
        /// The number or the alias.
        qualifier: String,
    },
    /// A module of that name is there already, and a new one was asked for.
    #[error("Module Already Exists: '{name}'")]
    Exists {
        /// The name.
        name: String,
    },
    /// The module or alias is no longer what the request expects.
    #[error("{what} has changed: its revision id is {current}")]
    Changed {
        /// The module or alias.
        what: String,
        /// The revision id that it has.
        current: String,
    },
    /// An alias points to the version.
    #[error("version {number} of {name} is in use: the alias {alias} points to it")]
    InUse {
        /// The module.
        name: String,
        /// The version.
        number: u64,
        /// The first of the aliases.
        alias: String,
    },
    /// No room for more of that kind.
    #[error("a module has at most {limit} {what}: delete some that nobody uses")]
    TooMany {
        /// `versions` or `aliases`.
        what: &'static str,
        /// The bound.
        limit: usize,
    },
    /// The host failed.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<BrokenOff> for ModuleError {
    fn from(error: BrokenOff) -> ModuleError {
        ModuleError::Sandbox(SandboxError::Background(error.to_string()))
    }
}

impl From<InstallError> for ModuleError {
    fn from(error: InstallError) -> ModuleError {
        if let InstallError::Sandbox(error) = error {
            return ModuleError::Sandbox(error);
        }
        ModuleError::Rejected(error.to_string())
    }
}

/// A refusal of something that was given.
pub(super) fn invalid(field: impl Into<String>, reason: impl Into<String>) -> ModuleError {
    ModuleError::Invalid { field: field.into(), reason: reason.into() }
}

//! What lies in the sandbox's directory, for whoever decides what may go.

use crate::digest::Digest;
use crate::error::SandboxError;
use crate::sandbox::Sandbox;
use std::sync::Arc;

impl Sandbox {
    /// Returns the digests of all modules on disk, in no order, also of those of which an interrupted installation or
    /// removal left only a part.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub async fn installed(&self) -> Result<Vec<String>, SandboxError> {
        let loader = Arc::clone(&self.shared.loader);
        self.shared.runtime.blocking(move || loader.files.installed()).await?
    }

    /// Returns the bytes of an installed module as they were uploaded, or nothing when it is not installed.
    ///
    /// # Errors
    /// When they cannot be read, or are damaged.
    pub async fn source(&self, digest: &str) -> Result<Option<Vec<u8>>, SandboxError> {
        let Some(digest) = Digest::parse(digest) else { return Ok(None) };
        let loader = Arc::clone(&self.shared.loader);
        self.shared.runtime.blocking(move || loader.files.read_source(&digest)).await?
    }
}

//! Compiled artifacts that come from elsewhere and go there: for a sandbox whose directory is thrown away, and whose
//! owner keeps what was compiled.
//!
//! An artifact is machine code. It is checked before it is loaded, as those of the sandbox's own directory are, and
//! that finds damage, not malice: whoever brings one vouches that nobody else could write it.

use crate::digest::Digest;
use crate::error::SandboxError;
use crate::sandbox::Sandbox;
use std::sync::Arc;

impl Sandbox {
    /// Returns the compiled artifact of a module, or nothing when there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn compiled(&self, digest: &str) -> Result<Option<Vec<u8>>, SandboxError> {
        let Some(digest) = Digest::parse(digest) else { return Ok(None) };
        let loader = Arc::clone(&self.shared.loader);
        self.shared.runtime.blocking(move || loader.files.read_compiled(&digest)).await?
    }

    /// Brings what [`compiled`](Self::compiled) returned earlier, before the module is installed. One that is damaged or
    /// of another build does no harm: the module is compiled again.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn bring_compiled(&self, digest: &str, artifact: Vec<u8>) -> Result<(), SandboxError> {
        let Some(digest) = Digest::parse(digest) else { return Ok(()) };
        let loader = Arc::clone(&self.shared.loader);
        self.shared.runtime.blocking(move || loader.files.write_compiled(&digest, &artifact)).await?
    }
}

//! Installing and removing modules.
//!
//! A module is compiled when it is uploaded, never when it is first called, and it is on disk before anybody is told
//! that it is installed.

use crate::compile::CompileError;
use crate::digest::Digest;
use crate::error::{InstallError, SandboxError};
use crate::inspect::{ModuleKind, inspect};
use crate::loaded::{LoadError, LoadedModule, Loader};
use crate::manifest::Manifest;
use crate::sandbox::Sandbox;
use std::sync::Arc;
use std::time::Instant;

/// What `Sandbox::install` stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstalledModule {
    /// SHA-256 of the uploaded bytes, 64 lower-case hexadecimal digits: the module's name from now on.
    pub digest: String,
    /// What kind of module it is.
    pub kind: ModuleKind,
    /// Whether it came as a core module and was made a component.
    pub adapted: bool,
    /// Size of the uploaded bytes.
    pub size_bytes: u64,
    /// How long compiling took; 0 when a usable artifact was there already.
    pub compile_milliseconds: u64,
    /// The interfaces that it imports, in the order of the file.
    pub imports: Vec<String>,
}

impl Sandbox {
    /// Checks, compiles and stores a module. Installing the same bytes again changes nothing. What the manifest does
    /// not grant must not be imported.
    ///
    /// # Errors
    /// Every variant of [`InstallError`] says what is wrong with the upload; `Sandbox` is not the module's fault.
    pub async fn install(&self, wasm: Vec<u8>, manifest: &Manifest) -> Result<InstalledModule, InstallError> {
        manifest.check()?;
        let shared = &self.shared;
        // Parsing 50 MB of hostile bytes takes a while, too: the whole work happens away from the async threads.
        let permit = Arc::clone(&shared.compile_permits).acquire_owned().await;
        let loader = Arc::clone(&shared.loader);
        let max_module_bytes = shared.config.max_module_bytes;
        let manifest = manifest.clone();
        let work = move || {
            let installed = install(&loader, &wasm, &manifest, max_module_bytes);
            drop(permit);
            installed
        };
        let (installed, module) = shared.runtime.blocking(work).await??;
        if let Some(digest) = Digest::parse(&installed.digest) {
            // The first call finds the module ready. When a call is loading it right now, that one's result serves.
            drop(shared.modules.cell(&digest).set(Arc::new(module)));
        }
        Ok(installed)
    }

    /// Removes a module from memory and disk. Calls that run finish; removing an unknown module changes nothing.
    ///
    /// # Errors
    /// When the files cannot be removed.
    pub async fn remove(&self, digest: &str) -> Result<(), SandboxError> {
        let Some(digest) = Digest::parse(digest) else { return Ok(()) };
        self.shared.modules.forget(&digest);
        let loader = Arc::clone(&self.shared.loader);
        self.shared.runtime.blocking(move || loader.files.remove(&digest)).await?
    }
}

/// Does the blocking work of an installation.
fn install(
    loader: &Loader,
    wasm: &[u8],
    manifest: &Manifest,
    max_module_bytes: u64,
) -> Result<(InstalledModule, LoadedModule), InstallError> {
    let inspection = inspect(wasm, manifest, max_module_bytes)?;
    let digest = Digest::of(wasm);
    let started = Instant::now();
    let mut compile_milliseconds = 0;
    let module = if let Some(module) = loader.load_compiled(&digest).map_err(refusal)? {
        module
    } else {
        let module = loader.compile(&digest, wasm, inspection.core).map_err(refusal)?;
        compile_milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        module
    };
    // The source comes last: it is what makes the module installed.
    loader.files.write_source(&digest, wasm)?;
    let installed = InstalledModule {
        digest: digest.to_string(),
        kind: inspection.kind,
        adapted: inspection.core.is_some(),
        size_bytes: wasm.len() as u64,
        compile_milliseconds,
        imports: inspection.imports,
    };
    Ok((installed, module))
}

/// Says in an uploader's words why a module cannot be made ready.
fn refusal(error: LoadError) -> InstallError {
    match error {
        LoadError::DoesNotCompile(CompileError::DoesNotAdapt(reason)) => {
            InstallError::DoesNotAdapt { reason }
        }
        LoadError::DoesNotCompile(CompileError::DoesNotCompile(reason)) => {
            InstallError::DoesNotCompile { reason }
        }
        LoadError::DoesNotCompile(CompileError::Limit(reason)) => InstallError::CompileLimit { reason },
        LoadError::DoesNotCompile(CompileError::Host(reason)) => {
            InstallError::Sandbox(SandboxError::Background(reason))
        }
        LoadError::DoesNotLink(reason) => InstallError::DoesNotLink { reason },
        LoadError::Sandbox(error) => InstallError::Sandbox(error),
        // Only a look-up of a stored source can say this, and an installation brings its own.
        LoadError::Unknown => InstallError::Sandbox(SandboxError::Background(error.to_string())),
    }
}

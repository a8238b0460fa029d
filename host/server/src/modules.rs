//! Modules by name: upload, look-up, removal, and their place beside the store's records.
//!
//! The sandbox keeps contents by digest, the store keeps what a name stands for. A content is on disk before a name
//! points to it, and is removed only when no name points to it any more.

use stepwell_asl::Timestamp;
use stepwell_sandbox::{InstallError, Manifest, Sandbox, SandboxError};
use stepwell_store::{ModuleRecord, Store, StoreError};
use tokio::sync::Mutex;

use crate::limits;

/// The modules of this server.
pub(crate) struct Modules {
    store: Store,
    sandbox: Sandbox,
    /// Largest upload, in bytes.
    pub(crate) max_bytes: usize,
    /// Held by every change: between "no name needs this content" and its removal nobody may name it.
    changes: Mutex<()>,
}

/// Why a module could not be stored or removed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ModuleError {
    /// The upload is no module that can be run; the text is for whoever uploaded it.
    #[error("{0}")]
    Rejected(String),
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Modules {
    pub(crate) fn new(store: Store, sandbox: Sandbox, max_bytes: usize) -> Modules {
        Modules { store, sandbox, max_bytes, changes: Mutex::new(()) }
    }

    /// Stores `wasm` under `name`. The answer says whether the name is new.
    pub(crate) async fn put(
        &self,
        name: &str,
        wasm: Vec<u8>,
        now: Timestamp,
    ) -> Result<(ModuleRecord, bool), ModuleError> {
        let _turn = self.changes.lock().await;
        let installed = self.sandbox.install(wasm, &Manifest::default()).await.map_err(rejection)?;
        let before = self.store.module(name).await?;
        let record = ModuleRecord {
            name: name.to_owned(),
            sha256: installed.digest,
            kind: installed.kind.name().to_owned(),
            size_bytes: installed.size_bytes,
            compile_milliseconds: installed.compile_milliseconds,
            imports: installed.imports,
            created_at: before.as_ref().map_or(now, |before| before.created_at),
            updated_at: now,
        };
        self.store.put_module(&record).await?;
        let new = before.is_none();
        if let Some(before) = before {
            self.forget_content(&before.sha256).await?;
        }
        tracing::info!(
            name,
            sha256 = record.sha256,
            milliseconds = record.compile_milliseconds,
            "module stored"
        );
        Ok((record, new))
    }

    /// A module by name.
    pub(crate) async fn get(&self, name: &str) -> Result<Option<ModuleRecord>, StoreError> {
        self.store.module(name).await
    }

    /// All modules by name.
    pub(crate) async fn list(&self) -> Result<Vec<ModuleRecord>, StoreError> {
        let mut found: Vec<ModuleRecord> = Vec::new();
        loop {
            let after = found.last().map(|record| record.name.as_str());
            let page = self.store.modules(after, limits::MODULES_READ).await?;
            if page.is_empty() {
                return Ok(found);
            }
            found.extend(page);
        }
    }

    /// Forgets a name, and its content if no other name needs it. Whether the name was known.
    pub(crate) async fn delete(&self, name: &str) -> Result<bool, ModuleError> {
        let _turn = self.changes.lock().await;
        let Some(record) = self.store.module(name).await? else { return Ok(false) };
        self.store.delete_module(name).await?;
        self.forget_content(&record.sha256).await?;
        Ok(true)
    }

    async fn forget_content(&self, digest: &str) -> Result<(), ModuleError> {
        let needed = self.list().await?.iter().any(|record| record.sha256 == digest);
        if !needed {
            self.sandbox.remove(digest).await?;
        }
        Ok(())
    }
}

fn rejection(error: InstallError) -> ModuleError {
    match error {
        InstallError::Sandbox(error) => ModuleError::Sandbox(error),
        InstallError::TooLarge { .. }
        | InstallError::NotWebAssembly { .. }
        | InstallError::CoreModule { .. }
        | InstallError::MissingExport { .. }
        | InstallError::UnknownImport { .. }
        | InstallError::DoesNotLink { .. }
        | InstallError::DoesNotValidate { .. }
        | InstallError::DoesNotCompile { .. } => ModuleError::Rejected(error.to_string()),
    }
}

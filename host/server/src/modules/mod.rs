//! Modules by name: uploads, versions, aliases, and what a call of one runs and may reach.
//!
//! The sandbox keeps contents by digest, the store keeps what names stand for. A content is on disk before a name points
//! to it, and is removed only when no name, version or running call needs it any more (`contents`). What names stand for
//! is kept in memory for calls (`resolutions`): nothing may change a module's records but through [`Modules`].

mod accounts;
mod alias;
pub(crate) mod archive;
mod contents;
mod error;
mod grants;
mod of_account;
mod past;
mod resolutions;
mod resolve;
#[cfg(test)]
mod tests;
mod upload;
mod version;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use stepwell_asl::Timestamp;
use stepwell_executor::Clock;
use stepwell_sandbox::Sandbox;
use stepwell_store::{
    Changes, ModuleAliasRecord, ModuleContent, ModuleRecord, ModuleSettings, ModuleVersionRecord, Store,
    StoreError,
};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::limits;
use crate::secrets::{SecretKey, Secrets};

pub(crate) use accounts::{Accounts, Names};
pub(crate) use alias::AliasChange;
pub(crate) use error::ModuleError;
pub(crate) use of_account::AccountModules;
pub(crate) use resolutions::Resolved;
pub(crate) use resolve::ResolveError;
pub(crate) use upload::{Expected, Stored, Update, Upload, check_name};
pub(crate) use version::Publish;

use contents::Contents;
use past::{Change, Moments};
use resolutions::Resolutions;

/// The qualifier of what was uploaded last.
pub(crate) const LATEST: &str = "$LATEST";

/// What the modules of a server are made of.
pub struct ModulesConfig {
    /// Where names, versions and secrets are stored.
    pub store: Store,
    /// Where contents lie and run.
    pub sandbox: Sandbox,
    /// Dates changes.
    pub clock: Arc<dyn Clock>,
    /// Largest module, in bytes.
    pub max_bytes: usize,
    /// What opens secrets.
    pub secret_key: SecretKey,
    /// Directories of this host that manifests may name.
    pub directories: BTreeMap<String, PathBuf>,
}

/// The modules of this server.
pub struct Modules {
    store: Store,
    sandbox: Sandbox,
    clock: Arc<dyn Clock>,
    /// Largest upload, in bytes.
    pub(crate) max_bytes: usize,
    secrets: Secrets,
    accounts: Accounts,
    directories: BTreeMap<String, PathBuf>,
    /// Held by every change of records.
    changes: Arc<Mutex<()>>,
    moments: Moments,
    contents: Contents,
    resolutions: Arc<Resolutions>,
}

/// What a name, a version or an alias of a module stands for.
#[derive(Clone, Debug)]
pub(crate) struct FoundModule {
    /// The module.
    pub(crate) module: ModuleRecord,
    /// The version; none is `$LATEST`.
    pub(crate) version: Option<ModuleVersionRecord>,
    /// The alias, when one was asked for.
    pub(crate) alias: Option<ModuleAliasRecord>,
}

impl FoundModule {
    /// `$LATEST` of a module.
    pub(crate) fn latest(module: ModuleRecord) -> FoundModule {
        FoundModule { module, version: None, alias: None }
    }

    /// What runs.
    pub(crate) fn content(&self) -> &ModuleContent {
        self.version.as_ref().map_or(&self.module.latest, |version| &version.content)
    }

    /// What clients have set.
    pub(crate) fn settings(&self) -> &ModuleSettings {
        self.version.as_ref().map_or(&self.module.settings, |version| &version.settings)
    }

    /// `$LATEST` or a number.
    pub(crate) fn version_name(&self) -> String {
        version_name(self.version.as_ref().map(|version| version.number))
    }

    /// Names this state of it.
    pub(crate) fn revision_id(&self) -> &str {
        self.version.as_ref().map_or(&self.module.revision_id, |version| &version.revision_id)
    }

    /// When it was created.
    pub(crate) fn created_at(&self) -> Timestamp {
        self.version.as_ref().map_or(self.module.created_at, |version| version.created_at)
    }

    /// When it last changed.
    pub(crate) fn updated_at(&self) -> Timestamp {
        self.version.as_ref().map_or(self.module.updated_at, |version| version.created_at)
    }
}

impl Modules {
    /// The modules that a store names. Nothing is read yet.
    pub fn new(config: ModulesConfig) -> Arc<Modules> {
        let ModulesConfig { store, sandbox, clock, max_bytes, secret_key, directories } = config;
        let contents = Contents::default();
        Arc::new(Modules {
            secrets: Secrets::new(store.clone(), secret_key, Arc::clone(&clock)),
            store,
            sandbox,
            clock,
            max_bytes,
            accounts: Accounts::default(),
            directories,
            changes: Arc::default(),
            moments: Moments::default(),
            resolutions: Arc::new(Resolutions::new(contents.let_go())),
            contents,
        })
    }

    /// Whose names are whose.
    pub(crate) fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// The sandbox that runs modules.
    pub(crate) fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// The secrets, to be read. Changes go through [`Modules::put_secret`] and [`Modules::delete_secret`].
    pub(crate) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// What a module, or a version or alias of it, stands for. Errors: `Missing`, `MissingVersion`.
    pub(crate) async fn get(&self, name: &str, qualifier: Option<&str>) -> Result<FoundModule, ModuleError> {
        let (module, _) = self.record(name).await?;
        let mut found = FoundModule::latest(module);
        let number = match qualifier {
            None | Some(LATEST) => return Ok(found),
            Some(text) if is_number(text) => text.parse().ok(),
            Some(text) => {
                found.alias = self.store.module_alias(name, text).await?;
                match &found.alias {
                    Some(ModuleAliasRecord { version: None, .. }) => return Ok(found),
                    Some(alias) => alias.version,
                    None => None,
                }
            }
        };
        if let Some(number) = number {
            found.version = self.store.module_version(name, number).await?;
        }
        if found.version.is_none() {
            return Err(missing_version(name, qualifier.unwrap_or(LATEST)));
        }
        Ok(found)
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
            found.extend(page.into_iter().map(with_revision));
        }
    }

    /// Forgets a module with its versions and aliases, and the contents that nothing else needs: executions that began
    /// before still have them. Errors: `Missing`.
    pub(crate) async fn delete(&self, name: &str) -> Result<(), ModuleError> {
        let change = self.change(name).await;
        let (module, expected) = self.record(name).await?;
        let mut changes = Changes::new();
        changes.delete_module(name, expected);
        change.keep_latest(&mut changes, &module)?;
        let mut dropped = vec![module.latest.sha256];
        for version in self.versions_of(name).await? {
            changes.delete_module_version(name, version.number);
            change.keep_version(&mut changes, &version)?;
            dropped.push(version.content.sha256);
        }
        for alias in self.aliases_of(name).await? {
            changes.delete_module_alias(name, &alias.alias);
            change.keep_alias(&mut changes, &alias)?;
        }
        self.commit(change, changes).await?;
        tracing::info!(name, "module deleted");
        self.let_go(dropped).await;
        Ok(())
    }

    /// The stored source of a content. Errors: of the sandbox.
    pub(crate) async fn source(&self, sha256: &str) -> Result<Option<Vec<u8>>, ModuleError> {
        Ok(self.sandbox.source(sha256).await?)
    }

    /// Sets a secret; calls that begin after this see the new value. Whether the name is new.
    pub(crate) async fn put_secret(
        &self,
        name: &str,
        value: Vec<u8>,
    ) -> Result<crate::secrets::SecretStored, crate::secrets::SecretError> {
        let turn = self.turn().await;
        let (secrets, resolutions) = (self.secrets.clone(), Arc::clone(&self.resolutions));
        let name = name.to_owned();
        finish(async move {
            let stored = secrets.put(&name, value).await;
            resolutions.forget_all();
            drop(turn);
            stored
        })
        .await
    }

    /// Forgets a secret. Errors: `Missing`.
    pub(crate) async fn delete_secret(&self, name: &str) -> Result<(), crate::secrets::SecretError> {
        let turn = self.turn().await;
        let (secrets, resolutions) = (self.secrets.clone(), Arc::clone(&self.resolutions));
        let name = name.to_owned();
        finish(async move {
            let deleted = secrets.delete(&name).await;
            resolutions.forget_all();
            drop(turn);
            deleted
        })
        .await
    }

    /// Waits until no other change is under way.
    async fn turn(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.changes).lock_owned().await
    }

    /// Stores a change of a module and makes calls see it: those of executions that begin after the answer, and those that
    /// belong to none.
    async fn commit(&self, change: Change, changes: Changes) -> Result<(), ModuleError> {
        let (store, at) = (self.store.clone(), change.at);
        finish(async move {
            let committed = store.commit(changes).await;
            drop(change);
            Ok::<_, ModuleError>(committed?)
        })
        .await?;
        self.await_moment(at).await;
        Ok(())
    }

    /// A module's record, with the version to expect when changing it. Errors: `Missing`.
    async fn record(&self, name: &str) -> Result<(ModuleRecord, u64), ModuleError> {
        self.found_record(name).await?.ok_or_else(|| ModuleError::Missing { name: name.to_owned() })
    }

    /// The same, if there is such a module.
    async fn found_record(&self, name: &str) -> Result<Option<(ModuleRecord, u64)>, StoreError> {
        let found = self.store.module(name).await?;
        Ok(found.map(|(record, expected)| (with_revision(record), expected)))
    }
}

/// Carries work on when whoever asked for it goes away: a change that is stored must also be seen by calls.
async fn finish<T, E>(work: impl Future<Output = Result<T, E>> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<BrokenOff> + Send + 'static,
{
    tokio::spawn(work).await.unwrap_or_else(|_| Err(BrokenOff.into()))
}

/// A change ended without a result: the server is going down.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the change broke off")]
pub(crate) struct BrokenOff;

/// A record of the first release has no revision id: its content serves.
fn with_revision(mut record: ModuleRecord) -> ModuleRecord {
    if record.revision_id.is_empty() {
        let digits = |from, to| record.latest.sha256.get(from..to).unwrap_or("0");
        record.revision_id =
            [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)].map(|(from, to)| digits(from, to)).join("-");
    }
    record
}

/// A new revision id.
fn revision_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// `$LATEST` or a number.
pub(crate) fn version_name(number: Option<u64>) -> String {
    number.map_or_else(|| LATEST.to_owned(), |number| number.to_string())
}

/// Whether a qualifier is the number of a version rather than an alias.
fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn missing_version(name: &str, qualifier: &str) -> ModuleError {
    ModuleError::MissingVersion { name: name.to_owned(), qualifier: qualifier.to_owned() }
}

//! The modules and secrets of one account: what the APIs work with.
//!
//! Every name goes in and comes out through here. It must never hand out a record of another account.

use std::sync::Arc;

use stepwell_sandbox::Manifest;
use stepwell_store::{ModuleAliasRecord, ModuleRecord, ModuleVersionRecord, StoreError};

use super::accounts::Names;
use super::version::Published;
use super::{
    AliasChange, FoundModule, ModuleError, Modules, Publish, Stored, Update, Upload, check_name,
    missing_version,
};
use crate::secrets::{SecretError, SecretStored, check_name as check_secret_name};

/// The modules of an account.
#[derive(Clone)]
pub(crate) struct AccountModules {
    all: Arc<Modules>,
    names: Names,
    /// Largest upload, in bytes.
    pub(crate) max_bytes: usize,
}

impl AccountModules {
    pub(crate) fn new(all: Arc<Modules>, account: &str) -> AccountModules {
        let names = all.accounts().names_of(account);
        AccountModules { max_bytes: all.max_bytes, all, names }
    }

    /// The modules of all accounts.
    pub(crate) fn all(&self) -> &Arc<Modules> {
        &self.all
    }

    /// As [`Modules::get`].
    pub(crate) async fn get(&self, name: &str, qualifier: Option<&str>) -> Result<FoundModule, ModuleError> {
        let mut found = self.out(self.all.get(&self.stored(name)?, qualifier).await)?;
        name.clone_into(&mut found.module.name);
        if let Some(version) = &mut found.version {
            name.clone_into(&mut version.name);
        }
        if let Some(alias) = &mut found.alias {
            name.clone_into(&mut alias.name);
        }
        Ok(found)
    }

    /// As [`Modules::list`], of this account.
    pub(crate) async fn list(&self) -> Result<Vec<ModuleRecord>, StoreError> {
        let all = self.all.list().await?;
        Ok(all.into_iter().filter_map(|record| self.shown_module(record)).collect())
    }

    /// As [`Modules::delete`].
    pub(crate) async fn delete(&self, name: &str) -> Result<(), ModuleError> {
        self.out(self.all.delete(&self.stored(name)?).await)
    }

    /// As [`Modules::source`]: by the digest of a content that the caller has found by its name.
    pub(crate) async fn source(&self, sha256: &str) -> Result<Option<Vec<u8>>, ModuleError> {
        self.all.source(sha256).await
    }

    /// As [`Modules::put`].
    pub(crate) async fn put(&self, name: &str, upload: Upload) -> Result<Stored, ModuleError> {
        check_name(name)?;
        self.shown(name, self.all.put(&self.stored(name)?, upload).await)
    }

    /// As [`Modules::update`].
    pub(crate) async fn update(&self, name: &str, update: Update) -> Result<Stored, ModuleError> {
        self.shown(name, self.all.update(&self.stored(name)?, update).await)
    }

    /// As [`Modules::set_manifest`].
    pub(crate) async fn set_manifest(&self, name: &str, manifest: Manifest) -> Result<Stored, ModuleError> {
        self.shown(name, self.all.set_manifest(&self.stored(name)?, manifest).await)
    }

    /// As [`Modules::publish`].
    pub(crate) async fn publish(&self, name: &str, publish: Publish) -> Result<Published, ModuleError> {
        let mut published = self.out(self.all.publish(&self.stored(name)?, publish).await)?;
        name.clone_into(&mut published.version.name);
        Ok(published)
    }

    /// As [`Modules::versions`].
    pub(crate) async fn versions(&self, name: &str) -> Result<Vec<ModuleVersionRecord>, ModuleError> {
        let mut versions = self.out(self.all.versions(&self.stored(name)?).await)?;
        for version in &mut versions {
            name.clone_into(&mut version.name);
        }
        Ok(versions)
    }

    /// As [`Modules::delete_version`].
    pub(crate) async fn delete_version(&self, name: &str, number: u64) -> Result<(), ModuleError> {
        self.out(self.all.delete_version(&self.stored(name)?, number).await)
    }

    /// As [`Modules::put_alias`].
    pub(crate) async fn put_alias(
        &self,
        name: &str,
        alias: &str,
        change: AliasChange,
    ) -> Result<(ModuleAliasRecord, bool), ModuleError> {
        let (mut record, new) = self.out(self.all.put_alias(&self.stored(name)?, alias, change).await)?;
        name.clone_into(&mut record.name);
        Ok((record, new))
    }

    /// As [`Modules::alias`].
    pub(crate) async fn alias(&self, name: &str, alias: &str) -> Result<ModuleAliasRecord, ModuleError> {
        let mut record = self.out(self.all.alias(&self.stored(name)?, alias).await)?;
        name.clone_into(&mut record.name);
        Ok(record)
    }

    /// As [`Modules::aliases`].
    pub(crate) async fn aliases(&self, name: &str) -> Result<Vec<ModuleAliasRecord>, ModuleError> {
        let mut records = self.out(self.all.aliases(&self.stored(name)?).await)?;
        for record in &mut records {
            name.clone_into(&mut record.name);
        }
        Ok(records)
    }

    /// As [`Modules::delete_alias`].
    pub(crate) async fn delete_alias(&self, name: &str, alias: &str) -> Result<(), ModuleError> {
        self.out(self.all.delete_alias(&self.stored(name)?, alias).await)
    }

    /// As [`Modules::put_secret`].
    pub(crate) async fn put_secret(&self, name: &str, value: Vec<u8>) -> Result<SecretStored, SecretError> {
        check_secret_name(name)?;
        let stored = self.names.stored(name).ok_or(SecretError::Missing)?;
        let mut stored = self.all.put_secret(&stored, value).await?;
        name.clone_into(&mut stored.name);
        Ok(stored)
    }

    /// As [`Modules::delete_secret`].
    pub(crate) async fn delete_secret(&self, name: &str) -> Result<(), SecretError> {
        self.all.delete_secret(&self.names.stored(name).ok_or(SecretError::Missing)?).await
    }

    /// Names and dates of this account's secrets.
    pub(crate) async fn list_secrets(&self) -> Result<Vec<SecretStored>, StoreError> {
        let all = self.all.secrets().list().await?;
        let own = all.into_iter().filter_map(|secret| {
            let name = self.names.shown(&secret.name)?.to_owned();
            Some(SecretStored { name, ..secret })
        });
        Ok(own.collect())
    }

    /// Errors: `Missing`, for a name that no client may write.
    fn stored(&self, name: &str) -> Result<String, ModuleError> {
        self.names.stored(name).ok_or_else(|| ModuleError::Missing { name: name.to_owned() })
    }

    fn shown_module(&self, mut record: ModuleRecord) -> Option<ModuleRecord> {
        record.name = self.names.shown(&record.name)?.to_owned();
        Some(record)
    }

    fn shown(&self, name: &str, stored: Result<Stored, ModuleError>) -> Result<Stored, ModuleError> {
        let mut stored = self.out(stored)?;
        name.clone_into(&mut stored.module.name);
        if let Some(version) = &mut stored.version {
            name.clone_into(&mut version.name);
        }
        Ok(stored)
    }

    /// Names in errors as the account writes them.
    fn out<T>(&self, result: Result<T, ModuleError>) -> Result<T, ModuleError> {
        let shown = |stored: String| self.names.shown(&stored).map(str::to_owned).unwrap_or(stored);
        result.map_err(|error| match error {
            ModuleError::Missing { name } => ModuleError::Missing { name: shown(name) },
            ModuleError::MissingVersion { name, qualifier } => missing_version(&shown(name), &qualifier),
            ModuleError::Exists { name } => ModuleError::Exists { name: shown(name) },
            ModuleError::InUse { name, number, alias } => {
                ModuleError::InUse { name: shown(name), number, alias }
            }
            ModuleError::Changed { what, current } => {
                // A module, or a module and its alias: then there is one more colon in it.
                let prefix = self.names.stored("").unwrap_or_default();
                let what = what.strip_prefix(&prefix).map(str::to_owned).unwrap_or(what);
                ModuleError::Changed { what, current }
            }
            error @ (ModuleError::Rejected(_)
            | ModuleError::Manifest(_)
            | ModuleError::Invalid { .. }
            | ModuleError::TooMany { .. }
            | ModuleError::Sandbox(_)
            | ModuleError::Store(_)) => error,
        })
    }
}

//! Stored modules: what a name, its published versions and its aliases stand for. The bytes themselves lie with the
//! sandbox, under their digest.
//!
//! Every change of a module, of a version or of an alias also writes the module's own record, on the condition that it
//! is still the one that was read: changes of one module happen one after the other, whoever makes them. Nothing here
//! may be written around that.

use super::changes::Changes;
use super::module_past::ModulePast;
use super::space;
use super::store::{Store, decode, encode};
use crate::backend::KeyRange;
use crate::batch::{Key, Space};
use crate::error::StoreError;
use crate::limits;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use stepwell_asl::Timestamp;

/// An uploaded module: what its name stands for without a version, `$LATEST`.
///
/// In its stored form the members of `latest` stand beside the others. That is how the first release wrote a module,
/// which had no versions yet: its records are read as they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModuleRecord {
    /// Its name: the function name in Lambda ARNs.
    pub name: String,
    /// What was uploaded last.
    #[serde(flatten)]
    pub latest: ModuleContent,
    /// When the name was first used.
    pub created_at: Timestamp,
    /// When its content, manifest or settings were last changed.
    pub updated_at: Timestamp,
    /// The number that the next version gets. Numbers are not used twice.
    #[serde(default = "first_version")]
    pub next_version: u64,
    /// Changes with every change of content, manifest or settings (Lambda API: RevisionId).
    #[serde(default)]
    pub revision_id: String,
    /// What clients set and read back.
    #[serde(default)]
    pub settings: ModuleSettings,
}

/// What runs when a module is called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleContent {
    /// SHA-256 of the content, hexadecimal.
    pub sha256: String,
    /// What kind of module it is.
    pub kind: String,
    /// Whether it was uploaded as a core module and made a component.
    #[serde(default)]
    pub adapted: bool,
    /// Size of the content.
    pub size_bytes: u64,
    /// How long it took to compile.
    pub compile_milliseconds: u64,
    /// What it imports from its host.
    pub imports: Vec<String>,
    /// What it may reach, JSON text.
    #[serde(default = "empty_manifest")]
    pub manifest: String,
}

/// What clients set and read back, without any effect on calls (Lambda API: FunctionConfiguration).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModuleSettings {
    /// For people.
    pub description: String,
    /// ARN of a role; nothing is checked against it.
    pub role: String,
    /// Such as `provided.al2023`.
    pub runtime: String,
    /// The entry of an uploaded archive, as Lambda names it.
    pub handler: String,
    /// Tags by their keys.
    pub tags: BTreeMap<String, String>,
    /// Further members by their names in the API, each as JSON text.
    pub others: BTreeMap<String, String>,
}

/// A published version: it never changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModuleVersionRecord {
    /// The module's name.
    pub name: String,
    /// Its number, from 1.
    pub number: u64,
    /// What `$LATEST` was when it was published.
    #[serde(flatten)]
    pub content: ModuleContent,
    /// The settings at that moment; the description is the version's own.
    pub settings: ModuleSettings,
    /// When it was published.
    pub created_at: Timestamp,
    /// Names this version (Lambda API: RevisionId).
    pub revision_id: String,
}

/// A name for a version, or for two of which one gets a share of the calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModuleAliasRecord {
    /// The module's name.
    pub name: String,
    /// The alias.
    pub alias: String,
    /// The version that it stands for; none is `$LATEST`.
    pub version: Option<u64>,
    /// A second version, and its share of the calls, from 0 to 1.
    pub weighted: Option<(u64, f64)>,
    /// For people.
    pub description: String,
    /// Changes with every change (Lambda API: RevisionId).
    pub revision_id: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

fn first_version() -> u64 {
    1
}

fn empty_manifest() -> String {
    "{}".to_owned()
}

/// What of a record is read to learn which content it needs.
#[derive(Deserialize)]
struct Digest {
    sha256: String,
}

impl Changes {
    /// A module's record; `expected` is the version of the record that was read, none for a new module.
    pub fn module(&mut self, record: &ModuleRecord, expected: Option<u64>) -> Result<(), StoreError> {
        self.expect(space::MODULES, record.name.clone().into(), expected);
        self.put(space::MODULES, record.name.clone().into(), encode(record)?);
        Ok(())
    }

    /// A version of a module, beside the module's own record.
    pub fn module_version(&mut self, record: &ModuleVersionRecord) -> Result<(), StoreError> {
        self.put(space::VERSIONS, space::version_key(&record.name, record.number), encode(record)?);
        Ok(())
    }

    /// Removes a version, beside the module's own record.
    pub fn delete_module_version(&mut self, name: &str, number: u64) {
        self.delete(space::VERSIONS, space::version_key(name, number));
    }

    /// An alias of a module, beside the module's own record.
    pub fn module_alias(&mut self, record: &ModuleAliasRecord) -> Result<(), StoreError> {
        self.put(space::ALIASES, space::alias_key(&record.name, &record.alias), encode(record)?);
        Ok(())
    }

    /// Removes an alias, beside the module's own record.
    pub fn delete_module_alias(&mut self, name: &str, alias: &str) {
        self.delete(space::ALIASES, space::alias_key(name, alias));
    }

    /// Removes a module's record; its versions and aliases are to be removed with it.
    pub fn delete_module(&mut self, name: &str, expected: u64) {
        self.expect(space::MODULES, Key::copy_from_slice(name.as_bytes()), Some(expected));
        self.delete(space::MODULES, Key::copy_from_slice(name.as_bytes()));
    }
}

impl Store {
    /// A module with the version to expect when changing it.
    pub async fn module(&self, name: &str) -> Result<Option<(ModuleRecord, u64)>, StoreError> {
        if name.len() > limits::KEY_BYTES {
            return Ok(None);
        }
        match self.backend.get(space::MODULES, name.as_bytes()).await? {
            Some(stored) => {
                Ok(Some((decode(space::MODULES, name.as_bytes(), &stored.value)?, stored.version)))
            }
            None => Ok(None),
        }
    }

    /// Modules in the order of their names, from behind `after`.
    pub async fn modules(&self, after: Option<&str>, limit: usize) -> Result<Vec<ModuleRecord>, StoreError> {
        self.records_after(space::MODULES, KeyRange::all(), after.map(str::as_bytes), limit).await
    }

    /// A version of a module.
    pub async fn module_version(
        &self,
        name: &str,
        number: u64,
    ) -> Result<Option<ModuleVersionRecord>, StoreError> {
        self.record(space::VERSIONS, &space::version_key(name, number)).await
    }

    /// Versions of a module in the order of their numbers, from behind `after`.
    pub async fn module_versions(
        &self,
        name: &str,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<ModuleVersionRecord>, StoreError> {
        let range = KeyRange::prefix(space::module_prefix(name));
        let after = after.map(|number| space::version_key(name, number));
        self.records_after(space::VERSIONS, range, after.as_deref(), limit).await
    }

    /// The version of a module with the highest number.
    pub async fn newest_module_version(&self, name: &str) -> Result<Option<ModuleVersionRecord>, StoreError> {
        let range = KeyRange::prefix(space::module_prefix(name));
        let page = self.backend.scan(space::VERSIONS, range, true, 1).await?;
        page.items.first().map(|(key, value)| decode(space::VERSIONS, key, value)).transpose()
    }

    /// An alias of a module.
    pub async fn module_alias(
        &self,
        name: &str,
        alias: &str,
    ) -> Result<Option<ModuleAliasRecord>, StoreError> {
        self.record(space::ALIASES, &space::alias_key(name, alias)).await
    }

    /// Aliases of a module in their order, from behind `after`.
    pub async fn module_aliases(
        &self,
        name: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ModuleAliasRecord>, StoreError> {
        let range = KeyRange::prefix(space::module_prefix(name));
        let after = after.map(|alias| space::alias_key(name, alias));
        self.records_after(space::ALIASES, range, after.as_deref(), limit).await
    }

    /// The digests of all contents that a module or a version needs, or that executions may still need. Modules are read
    /// before versions and those before the past, so that what is published or replaced meanwhile is found under one.
    pub async fn module_contents(&self) -> Result<BTreeSet<String>, StoreError> {
        let mut digests = BTreeSet::new();
        for space in [space::MODULES, space::VERSIONS] {
            self.add_digests(space, &mut digests).await?;
        }
        self.add_past_digests(&mut digests).await?;
        Ok(digests)
    }

    async fn add_past_digests(&self, digests: &mut BTreeSet<String>) -> Result<(), StoreError> {
        let mut last = None;
        loop {
            let page = self.module_pasts(last.as_ref(), limits::PAGE_ITEMS).await?;
            let Some(end) = page.last() else { return Ok(()) };
            last = Some(end.clone());
            digests.extend(page.into_iter().filter_map(|past| match past.was {
                ModulePast::Content { content, .. } => Some(content.sha256),
                ModulePast::Alias { .. } => None,
            }));
        }
    }

    async fn add_digests(&self, space: Space, digests: &mut BTreeSet<String>) -> Result<(), StoreError> {
        let mut range = Some(KeyRange::all());
        while let Some(rest) = range {
            let page = self.backend.scan(space, rest, false, limits::PAGE_ITEMS).await?;
            for (key, value) in &page.items {
                digests.insert(decode::<Digest>(space, key, value)?.sha256);
            }
            range = page.next;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

//! Published versions: numbered, and never changed.

use stepwell_store::{Changes, ModuleRecord, ModuleSettings, ModuleVersionRecord};

use super::error::invalid;
use super::{Expected, ModuleError, Modules, missing_version, revision_id};
use crate::limits;

/// What is to be published.
#[derive(Clone, Debug, Default)]
pub(crate) struct Publish {
    /// The version's description; none takes the module's.
    pub(crate) description: Option<String>,
    /// The digest that `$LATEST` must have.
    pub(crate) sha256: Option<String>,
    /// What must be there.
    pub(crate) expected: Expected,
}

/// What came of publishing.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    /// The version.
    pub(crate) version: ModuleVersionRecord,
    /// Whether there was none like it.
    pub(crate) new: bool,
}

impl Modules {
    /// Makes a version of what `$LATEST` is now. When nothing has changed since the newest version, that one is the
    /// answer (Lambda API: PublishVersion).
    ///
    /// Errors: `Missing`, `Changed`, `TooMany`, `Invalid`.
    pub(crate) async fn publish(&self, name: &str, publish: Publish) -> Result<Published, ModuleError> {
        let change = self.change(name).await;
        let (mut module, read) = self.record(name).await?;
        publish.expected.check(|| name.to_owned(), Some(&module.revision_id))?;
        if let Some(sha256) = publish.sha256
            && sha256 != module.latest.sha256
        {
            return Err(ModuleError::Changed { what: name.to_owned(), current: module.revision_id });
        }
        let published = self.next_version(&mut module, publish.description).await?;
        if published.new {
            let mut changes = Changes::new();
            changes.module_version(&published.version)?;
            changes.module(&module, Some(read))?;
            self.commit(change, changes).await?;
            tracing::info!(name, version = published.version.number, "module published");
        }
        Ok(published)
    }

    /// The versions of a module by number, without `$LATEST`. Errors: `Missing`.
    pub(crate) async fn versions(&self, name: &str) -> Result<Vec<ModuleVersionRecord>, ModuleError> {
        self.record(name).await?;
        self.versions_of(name).await
    }

    /// Forgets a version, and its content if nothing else needs it. Errors: `MissingVersion`, `InUse`.
    pub(crate) async fn delete_version(&self, name: &str, number: u64) -> Result<(), ModuleError> {
        let change = self.change(name).await;
        let (module, read) = self.record(name).await?;
        let version = self.store.module_version(name, number).await?;
        let Some(version) = version else { return Err(missing_version(name, &number.to_string())) };
        let points = |weighted: Option<(u64, f64)>| weighted.is_some_and(|(second, _)| second == number);
        for alias in self.aliases_of(name).await? {
            if alias.version == Some(number) || points(alias.weighted) {
                return Err(ModuleError::InUse { name: name.to_owned(), number, alias: alias.alias });
            }
        }
        let mut changes = Changes::new();
        changes.delete_module_version(name, number);
        change.keep_version(&mut changes, &version)?;
        changes.module(&module, Some(read))?;
        self.commit(change, changes).await?;
        tracing::info!(name, version = number, "module version deleted");
        self.let_go([version.content.sha256]).await;
        Ok(())
    }

    /// The newest version if it is what the module is now, or the next one, which is not stored yet.
    pub(super) async fn next_version(
        &self,
        module: &mut ModuleRecord,
        description: Option<String>,
    ) -> Result<Published, ModuleError> {
        let newest = self.store.newest_module_version(&module.name).await?;
        if let Some(version) = newest.filter(|newest| is_same(newest, module)) {
            return Ok(Published { version, new: false });
        }
        if module.next_version > limits::MODULE_VERSIONS as u64
            && self.versions_of(&module.name).await?.len() >= limits::MODULE_VERSIONS
        {
            return Err(ModuleError::TooMany { what: "versions", limit: limits::MODULE_VERSIONS });
        }
        let mut settings = module.settings.clone();
        if let Some(description) = description {
            check_description(&description)?;
            settings.description = description;
        }
        let version = ModuleVersionRecord {
            name: module.name.clone(),
            number: module.next_version,
            content: module.latest.clone(),
            settings,
            created_at: self.clock.now(),
            revision_id: revision_id(),
        };
        module.next_version += 1;
        Ok(Published { version, new: true })
    }

    pub(super) async fn versions_of(&self, name: &str) -> Result<Vec<ModuleVersionRecord>, ModuleError> {
        let mut found: Vec<ModuleVersionRecord> = Vec::new();
        loop {
            let after = found.last().map(|version| version.number);
            let page = self.store.module_versions(name, after, limits::MODULES_READ).await?;
            if page.is_empty() {
                return Ok(found);
            }
            found.extend(page);
        }
    }
}

/// Whether publishing would make the same version again. The description is the version's own; tags and what has a small
/// letter among the other settings, such as the policy, are the module's and no part of its configuration.
fn is_same(newest: &ModuleVersionRecord, module: &ModuleRecord) -> bool {
    let configuration = |settings: &ModuleSettings| {
        let mut settings = settings.clone();
        settings.description.clear();
        settings.tags.clear();
        settings.others.retain(|name, _| name.starts_with(char::is_uppercase));
        settings
    };
    newest.content.sha256 == module.latest.sha256
        && newest.content.manifest == module.latest.manifest
        && configuration(&newest.settings) == configuration(&module.settings)
}

/// Errors: `Invalid`.
pub(super) fn check_description(description: &str) -> Result<(), ModuleError> {
    if description.chars().count() > limits::VERSION_DESCRIPTION_CHARACTERS {
        return Err(invalid("description", "is longer than 256 characters"));
    }
    Ok(())
}

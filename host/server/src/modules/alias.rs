//! Aliases: names for a version, or for two of which one gets a share of the calls (Lambda API: CreateAlias).

use stepwell_store::{Changes, ModuleAliasRecord};

use super::error::invalid;
use super::version::check_description;
use super::{Expected, ModuleError, Modules, is_number, missing_version, revision_id};
use crate::limits;

/// What an alias is to be.
#[derive(Clone, Debug, Default)]
pub(crate) struct AliasChange {
    /// The version that it stands for; none is `$LATEST`.
    pub(crate) version: Option<u64>,
    /// A second version, and its share of the calls, from 0 to 1.
    pub(crate) weighted: Option<(u64, f64)>,
    /// For people; none leaves it.
    pub(crate) description: Option<String>,
    /// What must be there.
    pub(crate) expected: Expected,
}

impl Modules {
    /// Makes an alias, or has it stand for something else: new calls take the new version from now on. Whether it is
    /// new.
    ///
    /// Errors: `Missing`, `MissingVersion`, `Invalid`, `TooMany`, and what `expected` asks for.
    pub(crate) async fn put_alias(
        &self,
        name: &str,
        alias: &str,
        change: AliasChange,
    ) -> Result<(ModuleAliasRecord, bool), ModuleError> {
        check_alias(alias)?;
        check_weight(&change)?;
        let turning = self.change(name).await;
        let (module, read) = self.record(name).await?;
        let before = self.store.module_alias(name, alias).await?;
        change
            .expected
            .check(|| format!("{name}:{alias}"), before.as_ref().map(|before| before.revision_id.as_str()))?;
        for number in change.version.into_iter().chain(change.weighted.map(|(second, _)| second)) {
            if self.store.module_version(name, number).await?.is_none() {
                return Err(missing_version(name, &number.to_string()));
            }
        }
        if before.is_none() && self.aliases_of(name).await?.len() >= limits::MODULE_ALIASES {
            return Err(ModuleError::TooMany { what: "aliases", limit: limits::MODULE_ALIASES });
        }
        let now = self.clock.now();
        let was = before.clone();
        let (new, created_at) = (before.is_none(), before.as_ref().map_or(now, |before| before.created_at));
        let description = change.description.or_else(|| before.map(|before| before.description));
        let record = ModuleAliasRecord {
            name: name.to_owned(),
            alias: alias.to_owned(),
            version: change.version,
            weighted: change.weighted.filter(|(_, weight)| *weight > 0.0),
            description: description.unwrap_or_default(),
            revision_id: revision_id(),
            created_at,
            updated_at: now,
        };
        check_description(&record.description)?;
        let mut changes = Changes::new();
        if let Some(was) = was.filter(|was| (was.version, was.weighted) != (record.version, record.weighted))
        {
            turning.keep_alias(&mut changes, &was)?;
        }
        changes.module_alias(&record)?;
        changes.module(&module, Some(read))?;
        self.commit(turning, changes).await?;
        tracing::info!(name, alias, version = super::version_name(record.version), "alias set");
        Ok((record, new))
    }

    /// An alias of a module. Errors: `Missing`, `MissingVersion`.
    pub(crate) async fn alias(&self, name: &str, alias: &str) -> Result<ModuleAliasRecord, ModuleError> {
        self.record(name).await?;
        self.store.module_alias(name, alias).await?.ok_or_else(|| missing_version(name, alias))
    }

    /// The aliases of a module. Errors: `Missing`.
    pub(crate) async fn aliases(&self, name: &str) -> Result<Vec<ModuleAliasRecord>, ModuleError> {
        self.record(name).await?;
        self.aliases_of(name).await
    }

    /// Forgets an alias. Errors: `Missing`, `MissingVersion`.
    pub(crate) async fn delete_alias(&self, name: &str, alias: &str) -> Result<(), ModuleError> {
        let turning = self.change(name).await;
        let (module, read) = self.record(name).await?;
        let was = self.store.module_alias(name, alias).await?;
        let was = was.ok_or_else(|| missing_version(name, alias))?;
        let mut changes = Changes::new();
        turning.keep_alias(&mut changes, &was)?;
        changes.delete_module_alias(name, alias);
        changes.module(&module, Some(read))?;
        self.commit(turning, changes).await?;
        tracing::info!(name, alias, "alias deleted");
        Ok(())
    }

    pub(super) async fn aliases_of(&self, name: &str) -> Result<Vec<ModuleAliasRecord>, ModuleError> {
        let mut found: Vec<ModuleAliasRecord> = Vec::new();
        loop {
            let after = found.last().map(|alias| alias.alias.as_str());
            let page = self.store.module_aliases(name, after, limits::MODULES_READ).await?;
            if page.is_empty() {
                return Ok(found);
            }
            found.extend(page);
        }
    }
}

/// An alias must not look like a version. Errors: `Invalid`.
fn check_alias(alias: &str) -> Result<(), ModuleError> {
    let right = (1..=limits::ALIAS_CHARACTERS).contains(&alias.len())
        && alias.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        && !is_number(alias);
    if right {
        Ok(())
    } else {
        Err(invalid("alias", "an alias has 1 to 128 letters, digits, - or _, and not digits alone"))
    }
}

/// Errors: `Invalid`.
fn check_weight(change: &AliasChange) -> Result<(), ModuleError> {
    let Some((second, weight)) = change.weighted else { return Ok(()) };
    if !(0.0..=1.0).contains(&weight) {
        return Err(invalid("weights", "a weight is a number from 0 to 1"));
    }
    match change.version {
        None => Err(invalid("weights", "an alias of $LATEST stands for it alone")),
        Some(first) if first == second => {
            Err(invalid("weights", "the second version is the same as the first"))
        }
        Some(_) => Ok(()),
    }
}

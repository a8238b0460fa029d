//! What a call of a module runs: from name and qualifier to content and grants, read where `resolutions` has not kept it.
//!
//! What was read while something changed must never be taken: it is read again.

use std::sync::Arc;

use stepwell_asl::Timestamp;
use stepwell_store::{ModuleContent, ModulePast, StoreError};

use super::past::Span;
use super::resolutions::{Look, Resolved, Target, Targets};
use super::{LATEST, ModuleError, Modules, Names, version_name};
use crate::limits;

/// Why a call cannot begin.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum ResolveError {
    /// No such module, version or alias.
    #[error("no such module, version or alias")]
    NotFound,
    /// The manifest names a secret that cannot be had.
    #[error("the module's manifest names the secret {secret}, {reason}")]
    Secret {
        /// Its name.
        secret: String,
        /// Why not.
        reason: String,
    },
    /// The manifest names a directory that this server does not offer.
    #[error(
        "the module's manifest names the data directory {name}, which this server does not offer \
         (serve --data-directory {name}=PATH)"
    )]
    Directory {
        /// Its name.
        name: String,
    },
    /// The host failed.
    #[error("{0}")]
    Host(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ResolveError {
    /// The error name that a workflow sees, if it is not the host's failure.
    pub(crate) fn name(&self) -> Option<&'static str> {
        match self {
            ResolveError::Secret { .. } => Some("Sandbox.MissingSecret"),
            ResolveError::Directory { .. } => Some("Sandbox.MissingDirectory"),
            ResolveError::NotFound | ResolveError::Host(_) | ResolveError::Store(_) => None,
        }
    }
}

impl Modules {
    /// What a call runs: `qualifier` is none, `$LATEST`, a number or an alias; `at` is when the execution began that calls,
    /// none for the newest; `idempotency_key` names the attempt and decides which of two versions of an alias it takes.
    pub(crate) async fn resolve(
        &self,
        name: &str,
        qualifier: Option<&str>,
        at: Option<Timestamp>,
        idempotency_key: &str,
    ) -> Result<Arc<Resolved>, ResolveError> {
        let qualifier = qualifier.unwrap_or(LATEST);
        for _ in 0..limits::CHANGE_TRIES {
            let generation = match self.resolutions.find(name, qualifier, at) {
                Ok(resolution) => return Ok(resolution.choose(idempotency_key)),
                Err(Look::Read(generation)) => generation,
                Err(Look::Wait) => {
                    // The change has the turn as long as it takes.
                    drop(self.turn().await);
                    continue;
                }
            };
            let targets = self.targets(name, qualifier, at).await?;
            if let Some(resolution) = self.resolutions.keep(generation, name, qualifier, targets) {
                return Ok(resolution.choose(idempotency_key));
            }
        }
        // Changes come faster than this reads: they wait now.
        let _turn = self.turn().await;
        let generation = match self.resolutions.find(name, qualifier, at) {
            Ok(resolution) => return Ok(resolution.choose(idempotency_key)),
            Err(Look::Read(generation)) => Some(generation),
            Err(Look::Wait) => None,
        };
        let targets = self.targets(name, qualifier, at).await?;
        let resolution =
            generation.and_then(|generation| self.resolutions.keep(generation, name, qualifier, targets));
        let moved = || ResolveError::Host("the module changes too fast to be called".to_owned());
        Ok(resolution.ok_or_else(moved)?.choose(idempotency_key))
    }

    /// Reads what a qualifier stands for, or stood for when the calling execution began.
    async fn targets(
        &self,
        name: &str,
        qualifier: &str,
        at: Option<Timestamp>,
    ) -> Result<Targets, ResolveError> {
        let mut span = Span::default();
        let (first, second) = match self.meaning(name, qualifier, at, &mut span).await? {
            ModulePast::Content { content, version } => (self.target(name, content, version).await?, None),
            ModulePast::Alias { version, weighted } => {
                let first = self.version_target(name, version, at, &mut span).await?;
                let second = match weighted {
                    None => None,
                    Some((number, weight)) => {
                        Some((self.version_target(name, Some(number), at, &mut span).await?, weight))
                    }
                };
                (first, second)
            }
        };
        Ok(Targets { span, first, second })
    }

    /// What an alias leads to.
    async fn version_target(
        &self,
        name: &str,
        version: Option<u64>,
        at: Option<Timestamp>,
        span: &mut Span,
    ) -> Result<Target, ResolveError> {
        match self.meaning(name, &version_name(version), at, span).await? {
            ModulePast::Content { content, version } => self.target(name, content, version).await,
            // No alias has the name of a version.
            ModulePast::Alias { .. } => Err(ResolveError::NotFound),
        }
    }

    /// What a qualifier means, by itself. Narrows the span to that in which it means this.
    async fn meaning(
        &self,
        name: &str,
        qualifier: &str,
        at: Option<Timestamp>,
        span: &mut Span,
    ) -> Result<ModulePast, ResolveError> {
        let epoch = self.store.module_epoch(name, qualifier, at).await?;
        span.narrow(&epoch);
        if let Some(past) = epoch.past {
            return Ok(past.was);
        }
        let found = self.get(name, Some(qualifier)).await.map_err(not_found)?;
        Ok(match &found.alias {
            Some(alias) => ModulePast::Alias { version: alias.version, weighted: alias.weighted },
            None => ModulePast::Content {
                content: found.content().clone(),
                version: found.version.as_ref().map(|version| version.number),
            },
        })
    }

    async fn target(
        &self,
        name: &str,
        content: ModuleContent,
        version: Option<u64>,
    ) -> Result<Target, ResolveError> {
        let grants = self.grants(&Names::of_stored(name), &content.manifest).await?;
        Ok(Target { content, version, grants })
    }
}

fn not_found(error: ModuleError) -> ResolveError {
    match error {
        ModuleError::Missing { .. } | ModuleError::MissingVersion { .. } => ResolveError::NotFound,
        ModuleError::Store(error) => ResolveError::Store(error),
        ModuleError::Rejected(_)
        | ModuleError::Manifest(_)
        | ModuleError::Invalid { .. }
        | ModuleError::Exists { .. }
        | ModuleError::Changed { .. }
        | ModuleError::InUse { .. }
        | ModuleError::TooMany { .. }
        | ModuleError::Sandbox(_) => ResolveError::Host(error.to_string()),
    }
}

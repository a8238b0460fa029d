//! What a call of a module runs: from name and qualifier to content and grants, kept in memory between calls.
//!
//! Every change of modules and secrets forgets what it touches, after it is stored and before it is answered: a call
//! that begins after the answer takes what is new. A call holds on to what it began with, so that its content stays.
//! This holds for one process beside the store; several would have to tell each other.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use sha2::{Digest as _, Sha256};
use stepwell_asl::Timestamp;
use stepwell_sandbox::Grants;
use stepwell_store::{ModuleContent, ModulePast, StoreError};
use tokio::sync::Notify;

use super::past::Span;
use super::{LATEST, ModuleError, Modules, Names, version_name};
use crate::limits;

/// What a call runs. As long as somebody holds it, the content is not removed.
#[derive(Debug)]
pub(crate) struct Resolved {
    /// Digest of the content.
    pub(crate) sha256: String,
    /// `$LATEST` or a number, also when an alias was asked for.
    pub(crate) executed_version: String,
    /// What the call may reach.
    pub(crate) grants: Arc<Grants>,
    _lease: Arc<Lease>,
}

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

/// A content that calls use or may use.
#[derive(Debug)]
struct Lease {
    let_go: Arc<Notify>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.let_go.notify_one();
    }
}

/// What a qualifier stands for.
#[derive(Clone)]
struct Resolution {
    first: Arc<Resolved>,
    /// Takes a share of the calls, from 0 to 1.
    second: Option<(Arc<Resolved>, f64)>,
}

impl Resolution {
    /// The same for the same attempt: one that is run again after a crash takes what it took before.
    fn choose(self, idempotency_key: &str) -> Arc<Resolved> {
        match self.second {
            Some((second, weight)) if share(idempotency_key) < weight => second,
            Some(_) | None => self.first,
        }
    }
}

/// A number from 0 to below 1 that depends on the text alone, evenly spread over texts.
fn share(text: &str) -> f64 {
    let digest = Sha256::digest(text.as_bytes());
    let number = digest.iter().take(4).fold(0_u32, |number, byte| (number << 8) | u32::from(*byte));
    f64::from(number) / 4_294_967_296.0
}

/// What is to be resolved for a qualifier, as stored, and for which executions.
struct Targets {
    span: Span,
    first: Target,
    second: Option<(Target, f64)>,
}

/// One version, as stored.
struct Target {
    content: ModuleContent,
    version: Option<u64>,
    grants: Grants,
}

/// Why something is not to be found here.
#[derive(Debug)]
enum Look {
    /// It is to be read, in this generation.
    Read(u64),
    /// It is being changed, for the execution that asks as well.
    Wait,
}

/// What calls were found to run.
pub(super) struct Resolutions {
    state: Mutex<State>,
    let_go: Arc<Notify>,
}

#[derive(Default)]
struct State {
    /// Counts changes: what was read before one is not kept after it.
    generation: u64,
    /// By name and qualifier, each for a span of time.
    modules: BTreeMap<String, BTreeMap<String, Vec<(Span, Resolution)>>>,
    /// How many there are, all names together.
    count: usize,
    /// The changes under way, and their moments.
    changing: BTreeMap<String, Timestamp>,
    /// By digest.
    leases: BTreeMap<String, Weak<Lease>>,
}

impl Resolutions {
    pub(super) fn new(let_go: Arc<Notify>) -> Resolutions {
        Resolutions { state: Mutex::default(), let_go }
    }

    /// Has calls of executions that begin at this moment or later wait for a change of a module, until [`Self::forget`].
    pub(super) fn begin(&self, name: &str, at: Timestamp) {
        self.state().changing.insert(name.to_owned(), at);
    }

    /// Forgets what was found for a module: its change is stored, or has failed.
    pub(super) fn forget(&self, name: &str) {
        let mut state = self.state();
        state.generation += 1;
        state.changing.remove(name);
        let forgotten = state.modules.remove(name);
        let count: usize = forgotten.iter().flat_map(BTreeMap::values).map(Vec::len).sum();
        state.count -= count;
        drop(state);
        // Dropped without the lock: leases tell others that they end.
        drop(forgotten);
    }

    /// Forgets everything that was found.
    pub(super) fn forget_all(&self) {
        let mut state = self.state();
        state.generation += 1;
        state.count = 0;
        let forgotten = std::mem::take(&mut state.modules);
        drop(state);
        drop(forgotten);
    }

    /// Whether a call uses a content, or may begin to use it without asking the store.
    pub(super) fn is_in_use(&self, digest: &str) -> bool {
        let mut state = self.state();
        state.leases.retain(|_, lease| lease.strong_count() > 0);
        state.leases.contains_key(digest)
    }

    /// What was found for a qualifier and an execution that began then; none is one that begins now.
    fn find(&self, name: &str, qualifier: &str, at: Option<Timestamp>) -> Result<Resolution, Look> {
        let state = self.state();
        if let (Some(at), Some(moment)) = (at, state.changing.get(name))
            && at >= *moment
        {
            return Err(Look::Wait);
        }
        let spans = state.modules.get(name).and_then(|qualifiers| qualifiers.get(qualifier));
        let found = spans.into_iter().flatten().find(|(span, _)| span.holds(at));
        found.map(|(_, resolution)| resolution.clone()).ok_or(Look::Read(state.generation))
    }

    /// Keeps what was read in a generation; nothing if there is a newer one.
    fn keep(&self, generation: u64, name: &str, qualifier: &str, targets: Targets) -> Option<Resolution> {
        let mut state = self.state();
        if state.generation != generation {
            return None;
        }
        let mut resolved = |target| self.resolved(&mut state, target);
        let first = resolved(targets.first);
        let second = targets.second.map(|(target, weight)| (resolved(target), weight));
        let resolution = Resolution { first, second };
        let span = targets.span;
        let full = if state.count >= limits::RESOLUTIONS {
            state.count = 0;
            std::mem::take(&mut state.modules)
        } else {
            BTreeMap::new()
        };
        let qualifiers = state.modules.entry(name.to_owned()).or_default();
        let spans = qualifiers.entry(qualifier.to_owned()).or_default();
        let before = spans.len();
        spans.retain(|(kept, _)| *kept != span);
        let replaced = before - spans.len();
        spans.push((span, resolution.clone()));
        state.count += 1 - replaced;
        drop(state);
        drop(full);
        Some(resolution)
    }

    fn resolved(&self, state: &mut State, target: Target) -> Arc<Resolved> {
        let sha256 = target.content.sha256;
        let lease = state.leases.get(&sha256).and_then(Weak::upgrade).unwrap_or_else(|| {
            let lease = Arc::new(Lease { let_go: Arc::clone(&self.let_go) });
            state.leases.insert(sha256.clone(), Arc::downgrade(&lease));
            lease
        });
        Arc::new(Resolved {
            sha256,
            executed_version: version_name(target.version),
            grants: Arc::new(target.grants),
            _lease: lease,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(sha256: &str) -> Targets {
        let content = ModuleContent { sha256: sha256.to_owned(), ..ModuleContent::default() };
        Targets {
            span: Span::default(),
            first: Target { content, version: Some(1), grants: Grants::default() },
            second: None,
        }
    }

    fn resolutions() -> Resolutions {
        Resolutions::new(Arc::default())
    }

    #[test]
    fn what_was_read_before_a_change_is_not_kept_after_it() {
        let resolutions = resolutions();
        for forget in [|all: &Resolutions| all.forget("m"), Resolutions::forget_all] {
            let before = resolutions.state().generation;
            forget(&resolutions);
            assert!(resolutions.keep(before, "m", LATEST, targets("ab")).is_none());
            assert!(!resolutions.is_in_use("ab") && before != resolutions.state().generation);
            let Err(Look::Read(now)) = resolutions.find("m", LATEST, None) else {
                panic!("it is to be read")
            };
            assert!(resolutions.keep(now, "m", LATEST, targets("ab")).is_some());
            assert!(resolutions.is_in_use("ab") && resolutions.find("m", LATEST, None).is_ok());
        }
    }

    #[test]
    fn a_content_is_in_use_until_the_last_call_lets_go() {
        let resolutions = resolutions();
        let kept = |name| resolutions.keep(0, name, LATEST, targets("ab")).unwrap().choose("");
        let (first, second) = (kept("m"), kept("n"));
        resolutions.forget_all();
        drop(first);
        assert!(resolutions.is_in_use("ab"));
        drop(second);
        assert!(!resolutions.is_in_use("ab"));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let resolutions = resolutions();
        for number in 0..=limits::RESOLUTIONS {
            resolutions.keep(0, "m", &number.to_string(), targets("ab")).unwrap();
        }
        assert_eq!(resolutions.state().count, 1);
        assert_eq!(resolutions.state().modules["m"].len(), 1);
    }
}

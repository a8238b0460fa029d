//! What calls were found to run, kept in memory between calls, and the contents that calls use.
//!
//! Every change of modules and secrets forgets what it touches, after it is stored and before it is answered: a call
//! that begins after the answer takes what is new. A call holds on to what it began with, so that its content stays.
//! This holds for one process beside the store; several would have to tell each other. It must never read the store.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use sha2::{Digest as _, Sha256};
use stepwell_asl::Timestamp;
use stepwell_sandbox::Grants;
use stepwell_store::ModuleContent;
use tokio::sync::Notify;

use super::past::Span;
use super::version_name;
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
pub(super) struct Resolution {
    first: Arc<Resolved>,
    /// Takes a share of the calls, from 0 to 1.
    second: Option<(Arc<Resolved>, f64)>,
}

impl Resolution {
    /// The same for the same attempt: one that is run again after a crash takes what it took before.
    pub(super) fn choose(self, idempotency_key: &str) -> Arc<Resolved> {
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
pub(super) struct Targets {
    pub(super) span: Span,
    pub(super) first: Target,
    pub(super) second: Option<(Target, f64)>,
}

/// One version, as stored.
pub(super) struct Target {
    pub(super) content: ModuleContent,
    pub(super) version: Option<u64>,
    pub(super) grants: Grants,
}

/// Why something is not to be found here.
#[derive(Debug)]
pub(super) enum Look {
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
    pub(super) fn find(
        &self,
        name: &str,
        qualifier: &str,
        at: Option<Timestamp>,
    ) -> Result<Resolution, Look> {
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
    pub(super) fn keep(
        &self,
        generation: u64,
        name: &str,
        qualifier: &str,
        targets: Targets,
    ) -> Option<Resolution> {
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

#[cfg(test)]
mod tests {
    use super::super::LATEST;
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

//! Pins: a call on behalf of an execution takes what its module's name stood for when the execution began.
//!
//! Every change of what a name, a version or an alias stands for happens at a moment: executions that began before it keep
//! what was (`ModulePastRecord`), those that begin at it or later get what is new. The moment lies ahead of the clock when
//! it is chosen, so no execution can have begun at it; until the change is stored, calls of executions that have wait
//! (`Resolutions::begin`); and nobody is told of the change before the moment has come. So all calls of one execution agree,
//! whatever millisecond they began in, and whoever was told of a change finds it in what he starts next.
//!
//! What was is kept as long as an execution runs that began before the moment. It must never be forgotten earlier.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use stepwell_asl::Timestamp;
use stepwell_store::{
    Changes, ModuleAliasRecord, ModuleEpoch, ModulePast, ModulePastRecord, ModuleRecord, ModuleVersionRecord,
    StoreError,
};
use tokio::sync::OwnedMutexGuard;

use super::resolutions::Resolutions;
use super::{LATEST, Modules};
use crate::limits;

/// A change under way. While it is, nobody else changes anything, and calls of executions that began after its moment wait.
pub(super) struct Change {
    /// The name of the module.
    pub(super) name: String,
    /// For executions that began before this, nothing has changed.
    pub(super) at: Timestamp,
    resolutions: Arc<Resolutions>,
    _turn: OwnedMutexGuard<()>,
}

impl Drop for Change {
    fn drop(&mut self) {
        // Also when it failed: whether it is stored may not be known.
        self.resolutions.forget(&self.name);
    }
}

impl Change {
    /// Keeps what a name stood for.
    pub(super) fn keep_latest(&self, changes: &mut Changes, was: &ModuleRecord) -> Result<(), StoreError> {
        self.keep(
            changes,
            LATEST.to_owned(),
            ModulePast::Content { content: was.latest.clone(), version: None },
        )
    }

    /// Keeps what a number stood for.
    pub(super) fn keep_version(
        &self,
        changes: &mut Changes,
        was: &ModuleVersionRecord,
    ) -> Result<(), StoreError> {
        let past = ModulePast::Content { content: was.content.clone(), version: Some(was.number) };
        self.keep(changes, was.number.to_string(), past)
    }

    /// Keeps what an alias stood for.
    pub(super) fn keep_alias(
        &self,
        changes: &mut Changes,
        was: &ModuleAliasRecord,
    ) -> Result<(), StoreError> {
        let past = ModulePast::Alias { version: was.version, weighted: was.weighted };
        self.keep(changes, was.alias.clone(), past)
    }

    fn keep(&self, changes: &mut Changes, qualifier: String, was: ModulePast) -> Result<(), StoreError> {
        changes.module_past(&ModulePastRecord { name: self.name.clone(), qualifier, until: self.at, was })
    }
}

/// The moments of changes: each later than the one before.
#[derive(Default)]
pub(super) struct Moments(AtomicI64);

impl Moments {
    fn next(&self, now: Timestamp) -> Timestamp {
        let next = |last: i64| now.0.max(last).saturating_add(1);
        let last = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |last| Some(next(last)));
        Timestamp(next(last.unwrap_or_default()))
    }
}

/// Executions that began in this span find the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    /// From this on; none: from the beginning.
    pub(super) since: Option<Timestamp>,
    /// Before this; none: until further notice.
    pub(super) until: Option<Timestamp>,
}

impl Span {
    /// Whether an execution began in it; none is one that begins now.
    pub(super) fn holds(&self, at: Option<Timestamp>) -> bool {
        match at {
            None => self.until.is_none(),
            Some(at) => {
                self.since.is_none_or(|since| since <= at) && self.until.is_none_or(|until| at < until)
            }
        }
    }

    /// What is left of it in an epoch.
    pub(super) fn narrow(&mut self, epoch: &ModuleEpoch) {
        self.since = self.since.max(epoch.since);
        let until = epoch.past.as_ref().map(|past| past.until);
        self.until = match (self.until, until) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
}

impl Modules {
    /// Begins a change of a module: waits for its turn, and chooses its moment.
    pub(super) async fn change(&self, name: &str) -> Change {
        let turn = self.turn().await;
        let resolutions = Arc::clone(&self.resolutions);
        let at = self.moments.next(self.clock.now());
        resolutions.begin(name, at);
        Change { name: name.to_owned(), at, resolutions, _turn: turn }
    }

    /// Waits until a moment has come, if the clock moves at all.
    pub(super) async fn await_moment(&self, at: Timestamp) {
        for _ in 0..limits::MOMENT_TRIES {
            if self.clock.now() >= at {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Forgets what names stood for, where no execution can ask for it any more: every running one began later, and so
    /// did those whose beginning is not stored yet, or never is.
    pub(super) async fn forget_past(&self, now: Timestamp) -> Result<(), StoreError> {
        let grace = i64::try_from(limits::PIN_GRACE.as_millis()).unwrap_or(i64::MAX);
        let settled = Timestamp(now.0.saturating_sub(grace));
        let horizon = self.store.oldest_start().await?.map_or(settled, |oldest| oldest.min(settled));
        let (mut last, mut forgotten) = (None, 0_usize);
        loop {
            let page = self.store.module_pasts(last.as_ref(), limits::MODULES_READ).await?;
            let Some(end) = page.last() else { break };
            last = Some(end.clone());
            let mut changes = Changes::new();
            for past in page.iter().filter(|past| past.until <= horizon) {
                changes.delete_module_past(past);
                forgotten += 1;
                if let ModulePast::Content { content, .. } = &past.was {
                    self.doom([content.sha256.clone()]);
                }
            }
            if !changes.is_empty() {
                self.store.commit(changes).await?;
            }
        }
        if forgotten > 0 {
            // What is kept for calls holds contents.
            self.resolutions.forget_all();
            tracing::debug!(forgotten, "what modules were before no execution can ask for any more");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_follow_each_other_and_the_clock() {
        let moments = Moments::default();
        let next = |now| moments.next(Timestamp(now)).0;
        assert_eq!([next(10), next(10), next(11), next(5), next(20)], [11, 12, 13, 14, 21]);
    }

    #[test]
    fn a_span_ends_before_its_end() {
        let span = Span { since: Some(Timestamp(5)), until: Some(Timestamp(8)) };
        let at = |at| span.holds(Some(Timestamp(at)));
        assert_eq!([at(4), at(5), at(7), at(8)], [false, true, true, false]);
        assert!(!span.holds(None) && Span::default().holds(None));
        let mut whole = Span::default();
        whole.narrow(&ModuleEpoch { since: Some(Timestamp(3)), past: None });
        assert_eq!(whole, Span { since: Some(Timestamp(3)), until: None });
    }
}

//! The fault-injecting twin of a backend: it fails commits and crashes by a seeded plan.
//!
//! For tests of this and of other crates. The same seed and the same order of commits give the same faults. It
//! must never invent data or lose a commit that it reported as `Ok`.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::sync::RwLock;

use crate::{
    backend::{Backend, Fatal, KeyRange, Page, Poison, Versioned},
    batch::{Batch, CommitSeq, Space},
    error::StoreError,
    stats::{Compacted, Stats, Verified},
};

/// How often each fault strikes a commit: probabilities from 0 to 1, tried in the order of the fields.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct FaultPlan {
    /// Seed of every decision.
    pub seed: u64,
    /// Nothing is stored, [`StoreError::Full`] is reported.
    pub full: f64,
    /// Nothing is stored, [`StoreError::Unknown`] is reported.
    pub unknown_lost: f64,
    /// The batch is stored, [`StoreError::Unknown`] is reported.
    pub unknown_stored: f64,
    /// The process "dies" before the batch is stored.
    pub crash_before: f64,
    /// The process "dies" after the batch is stored and before anyone hears of it.
    pub crash_after: f64,
    /// The batch is stored after [`FaultPlan::slow_for`].
    pub slow: f64,
    /// How long a slow commit takes more, by tokio's clock: a paused one makes it instant and still in order.
    pub slow_for: Duration,
    /// Up to this many turns of the async runtime pass before a commit is stored, so that commits overlap.
    pub delay_turns: u8,
}

impl FaultPlan {
    /// No faults at all: the twin behaves as its backend.
    pub fn none() -> Self {
        Self::default()
    }

    /// Every kind of fault, about one commit in five.
    pub fn every(seed: u64) -> Self {
        Self {
            seed,
            full: 0.04,
            unknown_lost: 0.04,
            unknown_stored: 0.04,
            crash_before: 0.04,
            crash_after: 0.04,
            delay_turns: 3,
            ..Self::default()
        }
    }
}

/// What the plan has decided for one commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// See [`FaultPlan::full`].
    Full,
    /// See [`FaultPlan::unknown_lost`].
    UnknownLost,
    /// See [`FaultPlan::unknown_stored`].
    UnknownStored,
    /// See [`FaultPlan::crash_before`].
    CrashBefore,
    /// See [`FaultPlan::crash_after`].
    CrashAfter,
    /// See [`FaultPlan::slow`].
    Slow,
}

/// A backend that fails by a plan. One handle stands for one life of a process: after a crash every call fails
/// as [`StoreError::Poisoned`], and [`FaultBackend::restart`] gives the next life.
pub struct FaultBackend {
    inner: Arc<dyn Backend>,
    script: Arc<Mutex<Script>>,
    life: Arc<Life>,
}

struct Script {
    plan: FaultPlan,
    random: fastrand::Rng,
    struck: Vec<Fault>,
}

#[derive(Default)]
struct Life {
    crashed: AtomicBool,
    poison: Poison,
    /// Held shared while a commit is inside the backend: the next life begins when none is.
    writing: RwLock<()>,
}

impl FaultBackend {
    /// Wraps a backend.
    pub fn new(inner: Arc<dyn Backend>, plan: FaultPlan) -> Self {
        let script = Script { plan, random: fastrand::Rng::with_seed(plan.seed), struck: Vec::new() };
        Self { inner, script: Arc::new(Mutex::new(script)), life: Arc::default() }
    }

    /// Ends this life at once, as `kill -9` does: commits that are not stored yet never will be, and whoever
    /// waits for one hears [`StoreError::Unknown`].
    pub fn crash(&self) {
        self.life.crashed.store(true, Ordering::SeqCst);
        self.life.poison.set("a crash was injected");
    }

    /// Whether this life has ended.
    pub fn crashed(&self) -> bool {
        self.life.crashed.load(Ordering::SeqCst)
    }

    /// Ends this life and begins the next one, over what was stored; the plan goes on where it was.
    pub async fn restart(&self) -> Self {
        self.crash();
        let _last = self.life.writing.write().await;
        Self { inner: Arc::clone(&self.inner), script: Arc::clone(&self.script), life: Arc::default() }
    }

    /// The faults so far, over all lives, in order: for the message of a failing test.
    pub fn struck(&self) -> Vec<Fault> {
        self.script().struck.clone()
    }

    /// Changes the plan from the next commit on; the seed of the new plan is not used.
    pub fn set_plan(&self, plan: FaultPlan) {
        self.script().plan = plan;
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn store(&self, batch: Batch) -> Result<CommitSeq, StoreError> {
        let _writing = self.life.writing.read().await;
        if self.crashed() { Err(StoreError::Unknown) } else { self.inner.commit(batch).await }
    }
}

impl Script {
    fn next(&mut self) -> (u8, Option<Fault>) {
        let turns = self.random.u8(..=self.plan.delay_turns);
        let faults = [
            (self.plan.full, Fault::Full),
            (self.plan.unknown_lost, Fault::UnknownLost),
            (self.plan.unknown_stored, Fault::UnknownStored),
            (self.plan.crash_before, Fault::CrashBefore),
            (self.plan.crash_after, Fault::CrashAfter),
            (self.plan.slow, Fault::Slow),
        ];
        // One number a commit, whatever the plan: changing one probability does not shift all later decisions.
        let mut drawn = self.random.f64();
        for (probability, fault) in faults {
            if drawn < probability {
                self.struck.push(fault);
                return (turns, Some(fault));
            }
            drawn -= probability;
        }
        (turns, None)
    }
}

#[async_trait]
impl Backend for FaultBackend {
    async fn commit(&self, batch: Batch) -> Result<CommitSeq, StoreError> {
        self.life.poison.check()?;
        let (turns, fault) = self.script().next();
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        match fault {
            Some(Fault::Full) => return Err(StoreError::Full),
            Some(Fault::UnknownLost) => return Err(StoreError::Unknown),
            Some(Fault::CrashBefore) => self.crash(),
            Some(Fault::Slow) => {
                let slow_for = self.script().plan.slow_for;
                tokio::time::sleep(slow_for).await;
            }
            Some(Fault::UnknownStored | Fault::CrashAfter) | None => (),
        }
        let stored = self.store(batch).await;
        if fault == Some(Fault::CrashAfter) {
            self.crash();
        }
        // A dead process hears of nothing, not even of what it has stored.
        if self.crashed() || (fault == Some(Fault::UnknownStored) && stored.is_ok()) {
            return Err(StoreError::Unknown);
        }
        stored
    }

    async fn get(&self, space: Space, key: &[u8]) -> Result<Option<Versioned>, StoreError> {
        self.life.poison.check()?;
        self.inner.get(space, key).await
    }

    async fn scan(
        &self,
        space: Space,
        range: KeyRange,
        reverse: bool,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.life.poison.check()?;
        self.inner.scan(space, range, reverse, limit).await
    }

    async fn delete_range(&self, space: Space, range: KeyRange, max: usize) -> Result<u64, StoreError> {
        self.life.poison.check()?;
        let _writing = self.life.writing.read().await;
        self.life.poison.check()?;
        self.inner.delete_range(space, range, max).await
    }

    async fn verify(&self) -> Result<Verified, StoreError> {
        self.life.poison.check()?;
        self.inner.verify().await
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        self.life.poison.check()?;
        self.inner.stats().await
    }

    async fn compact(&self) -> Result<Compacted, StoreError> {
        self.life.poison.check()?;
        self.inner.compact().await
    }

    fn describe(&self) -> String {
        format!("{} with injected faults", self.inner.describe())
    }

    fn fatal(&self) -> Fatal {
        self.life.poison.watch()
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.life.poison.check()?;
        self.inner.close().await
    }
}

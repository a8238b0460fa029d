//! What the committer thread and the readers of an open store share.
//!
//! A read waits until what it may have seen is durable, so that nobody is ever told data that a crash could
//! undo. It must never let a reader run while a group is half applied.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use sled::Db;
use tokio::sync::watch;

use super::{Broken, ReadError, lock::Lock, panic_text};
use crate::{
    backend::{Fatal, Poison},
    error::StoreError,
};

/// How much a backend has done since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Batches acknowledged.
    pub commits: u64,
    /// Durable flushes; fewer than the commits by as much as these were merged.
    pub flushes: u64,
}

/// The state of an open store.
pub(super) struct Shared {
    directory: PathBuf,
    /// Readers share it, one application of a group excludes them; none once the store is closed.
    db: RwLock<Option<Db>>,
    /// Let go after sled.
    lock: Mutex<Option<Lock>>,
    /// The last commit that readers can see.
    applied: AtomicU64,
    /// The last commit that is durable.
    durable: watch::Sender<u64>,
    closed: AtomicBool,
    poison: Poison,
    commits: AtomicU64,
    flushes: AtomicU64,
}

impl Shared {
    pub(super) fn new(directory: PathBuf, db: Db, lock: Lock, commit: u64) -> Self {
        Self {
            directory,
            db: RwLock::new(Some(db)),
            lock: Mutex::new(Some(lock)),
            applied: AtomicU64::new(commit),
            durable: watch::Sender::new(commit),
            closed: AtomicBool::new(false),
            poison: Poison::default(),
            commits: AtomicU64::new(0),
            flushes: AtomicU64::new(0),
        }
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn fatal(&self) -> Fatal {
        self.poison.watch()
    }

    pub(super) fn counters(&self) -> Counters {
        Counters {
            commits: self.commits.load(Ordering::Relaxed),
            flushes: self.flushes.load(Ordering::Relaxed),
        }
    }

    pub(super) fn check_alive(&self) -> Result<(), StoreError> {
        self.poison.check()?;
        if self.closed.load(Ordering::Acquire) { Err(StoreError::Closed) } else { Ok(()) }
    }

    /// Why the committer does not answer.
    pub(super) fn gone(&self) -> StoreError {
        self.check_alive().err().unwrap_or(StoreError::Closed)
    }

    /// Stops acknowledging, for good.
    pub(super) fn poison(&self, broken: &Broken) -> StoreError {
        tracing::error!(reason = broken.0, directory = %self.directory.display(), "the store has stopped");
        self.poison.set(&broken.0);
        // Wakes the readers that wait for a commit that never becomes durable.
        self.durable.send_modify(|_| {});
        self.gone()
    }

    /// Runs a read on a thread that may block, and waits until what it may have seen is durable.
    pub(super) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        look: impl FnOnce(&Db) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.check_alive()?;
        let shared = Arc::clone(self);
        let seen = tokio::task::spawn_blocking(move || shared.look(look)).await;
        // The runtime is shutting down.
        let Ok(seen) = seen else { return Err(StoreError::Closed) };
        let (found, applied) = seen?;
        let stopped = |durable: &u64| *durable >= applied || self.poison.check().is_err();
        // The sender is ours, so waiting cannot fail.
        let _ = self.durable.subscribe().wait_for(stopped).await;
        self.poison.check()?;
        Ok(found)
    }

    /// Runs a read; returns also the last commit that it may have seen.
    fn look<T>(&self, look: impl FnOnce(&Db) -> Result<T, ReadError>) -> Result<(T, u64), StoreError> {
        let db = self.db.read().unwrap_or_else(PoisonError::into_inner);
        let Some(db) = db.as_ref() else { return Err(self.gone()) };
        match catch_unwind(AssertUnwindSafe(|| look(db))) {
            Ok(Ok(found)) => Ok((found, self.applied.load(Ordering::Acquire))),
            Ok(Err(ReadError::Refused(error))) => Err(error),
            Ok(Err(ReadError::Broken(broken))) => Err(self.poison(&broken)),
            Err(panic) => Err(self.poison(&Broken(format!("sled panicked: {}", panic_text(&*panic))))),
        }
    }

    /// Gives the committer the tree to look at.
    pub(super) fn with_db<T>(&self, work: impl FnOnce(&Db) -> Result<T, ReadError>) -> Result<T, ReadError> {
        let db = self.db.read().unwrap_or_else(PoisonError::into_inner);
        work(db.as_ref().ok_or(ReadError::Refused(StoreError::Closed))?)
    }

    /// Applies a group, invisible to readers until it is complete.
    pub(super) fn apply(&self, writes: sled::Batch, commit: u64) -> Result<(), Broken> {
        let db = self.db.write().unwrap_or_else(PoisonError::into_inner);
        let db = db.as_ref().ok_or_else(|| Broken("a commit after the end".to_owned()))?;
        db.apply_batch(writes)?;
        self.applied.store(commit, Ordering::Release);
        Ok(())
    }

    /// Announces a durable commit, to readers that wait for it.
    pub(super) fn durable(&self, commit: u64, batches: usize) {
        self.durable.send_replace(commit);
        self.commits.fetch_add(batches as u64, Ordering::Relaxed);
        self.flushes.fetch_add(1, Ordering::Relaxed);
    }

    /// Lets go of sled and then of the lock.
    pub(super) fn shut(&self) {
        self.closed.store(true, Ordering::Release);
        let db = self.db.write().unwrap_or_else(PoisonError::into_inner).take();
        // sled syncs when it is dropped and panics if that fails; all that counts is durable already.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(db)));
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

//! What the committer thread and the readers of an open store share.
//!
//! The engine is given only what is durable in the log, so nobody is ever told data that a crash could undo. It must
//! never let a reader see a group that is half applied.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, RwLock, TryLockError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio::sync::Semaphore;

use super::{
    Broken, ReadError,
    engine::{Engine, Write},
    layout::Look,
    lock::Lock,
    meta::State,
    panic_text,
    recent::Recent,
    scrub::Scrubs,
    wal::Wal,
};
use crate::{
    backend::{Fatal, Poison},
    error::StoreError,
    limits,
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
pub(super) struct Shared<E> {
    place: PathBuf,
    /// Held exclusively only to close and to compact; none once the store is closed.
    engine: RwLock<Option<Recent<E>>>,
    /// Let go after the engine.
    lock: Mutex<Option<Lock>>,
    /// The last commit that is durable and visible.
    last_commit: AtomicU64,
    /// The checks of all records that are under way.
    pub(super) scrubs: Scrubs,
    /// Bounds the reads on threads that may block: each thread keeps memory of its own for ever.
    readers: Semaphore,
    closed: AtomicBool,
    poison: Poison,
    commits: AtomicU64,
    flushes: AtomicU64,
}

impl<E: Engine> Shared<E> {
    pub(super) fn new(place: PathBuf, engine: E, lock: Lock, state: State) -> Self {
        Self {
            place,
            engine: RwLock::new(Some(Recent::new(engine))),
            lock: Mutex::new(Some(lock)),
            last_commit: AtomicU64::new(state.commit),
            scrubs: Scrubs::new(state),
            readers: Semaphore::new(limits::BLOCKING_READS),
            closed: AtomicBool::new(false),
            poison: Poison::default(),
            commits: AtomicU64::new(0),
            flushes: AtomicU64::new(0),
        }
    }

    pub(super) fn place(&self) -> &Path {
        &self.place
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

    /// The last commit that is durable and visible.
    pub(super) fn last_commit(&self) -> u64 {
        self.last_commit.load(Ordering::Acquire)
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
        tracing::error!(reason = broken.0, place = %self.place.display(), "the store has stopped");
        self.poison.set(&broken.0);
        self.gone()
    }

    /// Runs a read.
    ///
    /// A `short` read is tried on the calling thread first: from memory it takes 1 to 20 microseconds, and handing
    /// it to a blocking thread takes about 20 by itself. That is safe because it cannot hold the thread for long:
    /// it gives up before it waits for the committer or for a lock, and after [`limits::INLINE_BYTES`]; what is
    /// left is a page that is not in memory, one read of the disk of the length that a page of the engine has. All
    /// other reads, and those given up, run on a thread that may block.
    pub(super) async fn read<L: Look>(
        self: &Arc<Self>,
        look: L,
        short: bool,
    ) -> Result<L::Found, StoreError> {
        self.check_alive()?;
        let inline = if short { self.look_inline(&look)? } else { None };
        if let Some(found) = inline {
            return Ok(found);
        }
        let shared = Arc::clone(self);
        // The store is never closed to readers this way, so it is only an order.
        let _turn = self.readers.acquire().await;
        let found = tokio::task::spawn_blocking(move || shared.look_waiting(&look)).await;
        // It ends without a result only if the runtime is shutting down.
        found.unwrap_or(Err(StoreError::Closed))
    }

    fn look_inline<L: Look>(&self, look: &L) -> Result<Option<L::Found>, StoreError> {
        let engine = match self.engine.try_read() {
            Ok(engine) => engine,
            Err(TryLockError::Poisoned(engine)) => engine.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(None),
        };
        let Some(engine) = engine.as_ref() else { return Err(self.gone()) };
        self.unbroken(|| {
            let Some(view) = engine.try_view().map_err(ReadError::Broken)? else { return Ok(None) };
            look.look(&view, limits::INLINE_BYTES)
        })
    }

    fn look_waiting<L: Look>(&self, look: &L) -> Result<L::Found, StoreError> {
        let engine = self.engine.read().unwrap_or_else(PoisonError::into_inner);
        let Some(engine) = engine.as_ref() else { return Err(self.gone()) };
        self.unbroken(|| {
            let view = engine.view().map_err(ReadError::Broken)?;
            let found = look.look(&view, usize::MAX)?;
            found.ok_or_else(|| broken("a read without a limit was over it"))
        })
    }

    /// Runs a piece of reading; a failure of the engine, be it a panic, stops the store.
    pub(super) fn unbroken<T>(&self, work: impl FnOnce() -> Result<T, ReadError>) -> Result<T, StoreError> {
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(ReadError::Refused(error))) => Err(error),
            Ok(Err(ReadError::Broken(broken))) => Err(self.poison(&broken)),
            Err(panic) => {
                let text = format!("{} panicked: {}", E::NAME, panic_text(&*panic));
                Err(self.poison(&Broken(text)))
            }
        }
    }

    /// Lends the engine.
    pub(super) fn with_engine<T>(
        &self,
        work: impl FnOnce(&Recent<E>) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        let engine = self.engine.read().unwrap_or_else(PoisonError::into_inner);
        work(engine.as_ref().ok_or(ReadError::Refused(StoreError::Closed))?)
    }

    /// Lends the engine while nobody reads.
    pub(super) fn with_engine_alone<T>(
        &self,
        work: impl FnOnce(&mut Recent<E>) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        let mut engine = self.engine.write().unwrap_or_else(PoisonError::into_inner);
        work(engine.as_mut().ok_or(ReadError::Refused(StoreError::Closed))?)
    }

    /// Makes a group durable and then visible. After this, and only after this, it may be acknowledged.
    pub(super) fn persist(
        &self,
        wal: &mut Wal,
        writes: Vec<Write>,
        state: State,
        batches: usize,
    ) -> Result<(), ReadError> {
        let logged = wal.append(self.last_commit(), state.commit, &writes);
        logged.map_err(|error| Broken(format!("the write-ahead log cannot be written: {error}")))?;
        self.with_engine(|engine| {
            self.scrubs.follow(writes, state, |writes| engine.add(writes));
            Ok(())
        })?;
        self.last_commit.store(state.commit, Ordering::Release);
        self.commits.fetch_add(batches as u64, Ordering::Relaxed);
        self.flushes.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Bytes of records that the engine was not given yet.
    pub(super) fn recent_bytes(&self) -> u64 {
        self.with_engine(|engine| Ok(engine.bytes())).unwrap_or_default()
    }

    /// Gives the engine what was collected.
    pub(super) fn give(&self) -> Result<(), ReadError> {
        self.with_engine(|engine| Ok(engine.give()?))
    }

    /// Lets the engine sync all that is in the log, so that this can begin again.
    pub(super) fn settle(&self, wal: &mut Wal) -> Result<(), ReadError> {
        if wal.bytes() > 0 {
            self.with_engine(|engine| Ok(engine.sync()?))?;
            let begun = wal.restart();
            begun.map_err(|error| Broken(format!("the write-ahead log cannot begin again: {error}")))?;
        }
        Ok(())
    }

    /// Lets go of the engine and then of the lock.
    pub(super) fn shut(&self) {
        self.closed.store(true, Ordering::Release);
        let engine = self.engine.write().unwrap_or_else(PoisonError::into_inner).take();
        // sled syncs when it is dropped and panics if that fails; all that counts is durable already.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(engine)));
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

fn broken(text: &str) -> ReadError {
    ReadError::Broken(Broken(text.to_owned()))
}

//! A backend that counts what goes through it: committed transitions, their bytes, ended executions.
//!
//! The executor tells nobody that an execution has ended; what it commits does. Counting happens after the commit, so
//! only durable transitions count. It must never change, delay or merge what passes.

use crate::store_kind::StoreKind;
use anyhow::Context as _;
use async_trait::async_trait;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use stepwell_store::{
    Backend, Batch, CommitSeq, Fatal, KeyRange, MemoryBackend, Op, Page, RedbBackend, RedbOptions,
    SledBackend, SledOptions, Space, StoreError, Versioned,
};
use tokio::sync::Semaphore;

/// Where the typed store puts the history events of one transition, as one record. Space bytes are for ever.
const HISTORY: Space = Space::new(b'j');
/// Where it lists executions that have ended.
const CLOSED: Space = Space::new(b'r');

/// A backend with counters around it.
pub struct WatchedBackend {
    inner: Inner,
    tally: Tally,
    /// One permit for each execution that may be started now: an ended execution gives its own back.
    pub vacant: Arc<Semaphore>,
}

enum Inner {
    Sled(SledBackend),
    Redb(RedbBackend),
    Memory(MemoryBackend),
}

#[derive(Default)]
struct Tally {
    transitions: AtomicU64,
    bytes: AtomicU64,
    ended: AtomicU64,
}

/// What was committed since the backend was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Calls of `step` whose history is durable.
    pub transitions: u64,
    /// Bytes of keys and values of the batches that hold them.
    pub bytes: u64,
    /// Executions that ended.
    pub ended: u64,
    /// Durable flushes, each for one or more transitions. None in memory.
    pub flushes: u64,
}

impl WatchedBackend {
    /// Opens a new store in a folder and watches it.
    pub fn open(store: StoreKind, directory: &Path) -> anyhow::Result<WatchedBackend> {
        let inner = match store {
            StoreKind::Sled => {
                let options = SledOptions::new(directory.join("store"));
                Inner::Sled(SledBackend::open(options).context("cannot create a store")?)
            }
            StoreKind::Redb => {
                let options = RedbOptions::new(directory.join("store.redb"));
                Inner::Redb(RedbBackend::open(options).context("cannot create a store")?)
            }
            StoreKind::Memory => return Ok(WatchedBackend::memory()),
        };
        Ok(WatchedBackend::new(inner))
    }

    /// Watches a store in memory.
    pub fn memory() -> WatchedBackend {
        WatchedBackend::new(Inner::Memory(MemoryBackend::new()))
    }

    fn new(inner: Inner) -> WatchedBackend {
        let vacant = Arc::new(Semaphore::new(0));
        WatchedBackend { inner, tally: Tally::default(), vacant }
    }

    fn inner(&self) -> &dyn Backend {
        match &self.inner {
            Inner::Sled(inner) => inner,
            Inner::Redb(inner) => inner,
            Inner::Memory(inner) => inner,
        }
    }

    /// What was committed so far.
    pub fn committed(&self) -> Committed {
        Committed {
            transitions: self.tally.transitions.load(Ordering::Relaxed),
            bytes: self.tally.bytes.load(Ordering::Relaxed),
            ended: self.tally.ended.load(Ordering::Relaxed),
            flushes: match &self.inner {
                Inner::Sled(inner) => inner.counters().flushes,
                Inner::Redb(inner) => inner.counters().flushes,
                Inner::Memory(_) => 0,
            },
        }
    }
}

#[async_trait]
impl Backend for WatchedBackend {
    async fn commit(&self, batch: Batch) -> Result<CommitSeq, StoreError> {
        let (mut transitions, mut ended) = (0, 0);
        for op in &batch.ops {
            match op {
                Op::Put(space, ..) | Op::Insert(space, ..) if *space == HISTORY => transitions += 1,
                Op::Put(space, ..) | Op::Insert(space, ..) if *space == CLOSED => ended += 1,
                Op::Put(..) | Op::Insert(..) | Op::Delete(..) => {}
            }
        }
        let bytes = batch.bytes() as u64;
        let commit = self.inner().commit(batch).await?;
        self.tally.transitions.fetch_add(transitions, Ordering::Relaxed);
        self.tally.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.tally.ended.fetch_add(ended as u64, Ordering::Relaxed);
        self.vacant.add_permits(ended);
        Ok(commit)
    }

    async fn get(&self, space: Space, key: &[u8]) -> Result<Option<Versioned>, StoreError> {
        self.inner().get(space, key).await
    }

    async fn scan(
        &self,
        space: Space,
        range: KeyRange,
        reverse: bool,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.inner().scan(space, range, reverse, limit).await
    }

    async fn delete_range(&self, space: Space, range: KeyRange, max: usize) -> Result<u64, StoreError> {
        self.inner().delete_range(space, range, max).await
    }

    fn describe(&self) -> String {
        self.inner().describe()
    }

    fn fatal(&self) -> Fatal {
        self.inner().fatal()
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.inner().close().await
    }
}

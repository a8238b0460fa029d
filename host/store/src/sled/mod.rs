//! The embedded backend on sled 0.34.7: one tree, one committer thread, and an fdatasync of our own.
//!
//! sled's `flush` does not call fsync on Linux, so nothing here is acknowledged before [`Disk::sync_data`] has
//! returned for sled's file. No sled type leaves this folder. It must never use `flush_async` (known deadlock),
//! a second tree (batches over several trees tear), or sled's own flusher thread.

mod blobs;
mod committer;
mod disk;
mod group;
mod layout;
mod lock;
mod meta;
mod open;
mod recover;
mod shared;
mod watermark;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{Semaphore, oneshot};

pub use disk::{Disk, RealDisk};
pub use shared::Counters;

use self::{committer::Job, shared::Shared};
use crate::{
    backend::{Backend, Fatal, KeyRange, Page, Versioned, page_items},
    batch::{Batch, CommitSeq, Space, check_key_length},
    error::{OpenError, StoreError},
    limits,
    location::{OpenOptions, VerifyOnOpen},
};

/// Where and how to open a store.
#[derive(Clone)]
pub struct SledOptions {
    /// The data directory; created if missing. It holds `lock`, `watermark` and sled's own folder `sled`.
    pub directory: PathBuf,
    /// Free bytes to keep on its volume: below, commits are refused as `Full`.
    pub reserve_bytes: u64,
    /// Memory for sled's page cache, in bytes.
    pub cache_bytes: u64,
    /// How long opening and checking may take before the store counts as damaged.
    pub open_limit: Duration,
    /// When every record is read and compared with the digest: that is what finds a page that sled has silently
    /// dropped or rolled back.
    pub verify: VerifyOnOpen,
    /// The system calls that durability rests on; tests replace them.
    pub disk: Arc<dyn Disk>,
}

impl SledOptions {
    /// The defaults of [`limits`] for a directory.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self::with(directory, OpenOptions::default())
    }

    /// These options for a directory.
    pub fn with(directory: impl Into<PathBuf>, options: OpenOptions) -> Self {
        let OpenOptions { reserve_bytes, cache_bytes, open_limit, verify, disk } = options;
        Self { directory: directory.into(), reserve_bytes, cache_bytes, open_limit, verify, disk }
    }
}

/// A durable store in a directory of this machine. Dropping it without `close` keeps all that was
/// acknowledged, but the lock may be held a moment longer.
pub struct SledBackend {
    shared: Arc<Shared>,
    /// Bounds what waits for the committer, in KiB. Closed with the backend.
    room: Arc<Semaphore>,
    jobs: mpsc::Sender<Job>,
    committer: Mutex<Option<JoinHandle<()>>>,
}

impl SledBackend {
    /// Opens or creates a store. Blocks, for seconds if the last run did not end in good order.
    pub fn open(options: SledOptions) -> Result<Self, OpenError> {
        let opened = open::open(options)?;
        let (jobs, queue) = mpsc::channel();
        let shared = Arc::clone(&opened.shared);
        let committer = committer::spawn(opened, queue)?;
        let room = Arc::new(Semaphore::new(limits::QUEUE_KIB as usize));
        Ok(Self { shared, room, jobs, committer: Mutex::new(Some(committer)) })
    }

    /// How much was committed and flushed since the store was opened.
    pub fn counters(&self) -> Counters {
        self.shared.counters()
    }

    /// Waits for room in the queue, hands a job over and waits for its answer.
    async fn ask<T>(&self, bytes: usize, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, StoreError> {
        self.shared.check_alive()?;
        let kib = u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX).min(limits::QUEUE_KIB);
        let Ok(_room) = self.room.acquire_many(kib).await else { return Err(self.shared.gone()) };
        let (reply, answer) = oneshot::channel();
        if self.jobs.send(job(reply)).is_err() {
            return Err(self.shared.gone());
        }
        answer.await.unwrap_or_else(|_| Err(self.shared.gone()))
    }
}

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

#[async_trait]
impl Backend for SledBackend {
    async fn commit(&self, batch: Batch) -> Result<CommitSeq, StoreError> {
        let bytes = batch.check()?;
        self.ask(bytes, |reply| Job::Commit { batch, bytes, reply }).await
    }

    async fn get(&self, space: Space, key: &[u8]) -> Result<Option<Versioned>, StoreError> {
        space.check_readable()?;
        check_key_length(key.len())?;
        let key = layout::record_key(space, key);
        self.shared.read(move |db| layout::get(db, &key)).await
    }

    async fn scan(
        &self,
        space: Space,
        range: KeyRange,
        reverse: bool,
        limit: usize,
    ) -> Result<Page, StoreError> {
        space.check_readable()?;
        range.check()?;
        let limit = page_items(limit)?;
        self.shared.read(move |db| layout::page(db, space, range, reverse, limit)).await
    }

    async fn delete_range(&self, space: Space, range: KeyRange, max: usize) -> Result<u64, StoreError> {
        space.check_writable()?;
        range.check()?;
        let mut deleted = 0;
        while deleted < max {
            let step = (max - deleted).min(limits::DELETE_KEYS);
            let range = range.clone();
            let done = self.ask(0, |reply| Job::Delete { space, range, max: step, reply }).await?;
            deleted += done;
            if done < step {
                break;
            }
        }
        Ok(deleted as u64)
    }

    fn describe(&self) -> String {
        format!("sled 0.34.7 in {} (format {})", self.shared.directory().display(), limits::FORMAT)
    }

    fn fatal(&self) -> Fatal {
        self.shared.fatal()
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.room.close();
        let (reply, answer) = oneshot::channel();
        if self.jobs.send(Job::Close { reply }).is_err() {
            return Ok(());
        }
        let answer = answer.await.unwrap_or(Ok(()));
        let committer = self.committer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(committer) = committer {
            // The thread has answered and only has to return.
            let _ = tokio::task::spawn_blocking(move || committer.join()).await;
        }
        answer
    }
}

/// Why the engine can go on no longer: a message for the operator.
#[derive(Debug)]
struct Broken(String);

impl From<::sled::Error> for Broken {
    fn from(error: ::sled::Error) -> Self {
        Self(format!("sled failed: {error}"))
    }
}

/// Why a read inside the engine failed: one damaged value, or the engine itself.
#[derive(Debug)]
enum ReadError {
    /// Concerns the one who asked.
    Refused(StoreError),
    /// Concerns everyone.
    Broken(Broken),
}

impl From<::sled::Error> for ReadError {
    fn from(error: ::sled::Error) -> Self {
        Self::Broken(error.into())
    }
}

/// The text of a panic.
fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message").to_owned()
}

/// A value copied out of sled: its own buffers may keep a whole page alive.
fn copied(value: &[u8]) -> Bytes {
    Bytes::copy_from_slice(value)
}

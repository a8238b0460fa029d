//! What the embedded backends share: everything but the engine itself.
//!
//! Batches are merged into groups by one committer (`queue`, `committer`, `group`, `pace`, `room`), records lie in checked
//! envelopes (`layout`), every commit carries a digest over all records (`meta`, `scrub`), a log makes it durable before
//! the engine does (`wal`, `recent`), a small file remembers what was acknowledged (`watermark`), and opening refuses whatever does not fit (`open`, `recover`, `lock`). An
//! engine is a map of bytes behind [`Engine`]. Nothing here may name a type of one engine.

mod committer;
mod creation;
mod disk;
mod engine;
mod group;
mod layout;
mod lock;
mod meta;
mod open;
mod pace;
mod queue;
mod recent;
mod recover;
mod room;
mod scrub;
mod shared;
mod wal;
mod watermark;

use std::sync::Arc;

use async_trait::async_trait;

pub use disk::{Disk, RealDisk};
pub(crate) use engine::{Compaction, Engine, View, Visit, Write};
pub use shared::Counters;

pub(crate) use creation::Creation;
pub(crate) use disk::TimedDisk;
pub(crate) use open::{Opened, Place, io_error, sync_left_over};
pub(crate) use recover::Refusal;

use self::{
    layout::{Paged, Point},
    queue::{Job, Queue},
    shared::Shared,
};
use crate::{
    backend::{Backend, Fatal, KeyRange, Page, Versioned, page_items},
    batch::{Batch, CommitSeq, Space, check_key_length},
    error::{OpenError, StoreError},
    limits,
    stats::{Compacted, Stats, Verified},
};

/// A durable store on files of this machine, over one of the engines.
pub struct Embedded<E> {
    shared: Arc<Shared<E>>,
    queue: Queue<E>,
}

impl<E: Engine> Embedded<E> {
    pub(crate) fn start(opened: Opened<E>) -> Result<Self, OpenError> {
        let shared = Arc::clone(&opened.shared);
        Ok(Self { shared, queue: Queue::start(opened)? })
    }

    /// How much was committed and flushed since the store was opened.
    pub fn counters(&self) -> Counters {
        self.shared.counters()
    }

    /// Runs work that blocks, on the state that readers share.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared<E>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.shared.check_alive()?;
        let shared = Arc::clone(&self.shared);
        // It ends without a result only if the runtime is shutting down.
        tokio::task::spawn_blocking(move || work(&shared)).await.unwrap_or(Err(StoreError::Closed))
    }
}

#[async_trait]
impl<E: Engine> Backend for Embedded<E> {
    async fn commit(&self, batch: Batch) -> Result<CommitSeq, StoreError> {
        let bytes = batch.check()?;
        self.queue.commit(batch, bytes).await
    }

    async fn get(&self, space: Space, key: &[u8]) -> Result<Option<Versioned>, StoreError> {
        space.check_readable()?;
        check_key_length(key.len())?;
        self.shared.read(Point(layout::record_key(space, key)), true).await
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
        self.shared.read(Paged { space, range, reverse, limit }, limit <= limits::INLINE_ITEMS).await
    }

    async fn delete_range(&self, space: Space, range: KeyRange, max: usize) -> Result<u64, StoreError> {
        space.check_writable()?;
        range.check()?;
        let mut deleted = 0;
        while deleted < max {
            let step = (max - deleted).min(limits::DELETE_KEYS);
            let range = range.clone();
            let done = self.queue.ask(0, |reply| Job::Delete { space, range, max: step, reply }).await?;
            deleted += done;
            if done < step {
                break;
            }
        }
        Ok(deleted as u64)
    }

    async fn verify(&self) -> Result<Verified, StoreError> {
        self.blocking(|shared| Ok(scrub::check_all(shared, limits::VERIFY_RECORDS, |_, _| ())?.0)).await
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        let file_bytes = self.blocking(file_bytes).await?;
        let Counters { commits, flushes } = self.counters();
        Ok(Stats {
            engine: E::NAME.to_owned(),
            place: Some(self.shared.place().to_owned()),
            file_bytes,
            last_commit: self.shared.last_commit(),
            commits,
            flushes,
            scrub: self.shared.scrubs.first(),
        })
    }

    async fn compact(&self) -> Result<Compacted, StoreError> {
        let before_bytes = self.blocking(file_bytes).await?;
        match self.queue.ask(0, |reply| Job::Compact { reply }).await? {
            Compaction::Unsupported(instead) => Ok(Compacted::Unsupported(instead)),
            Compaction::Done => {
                Ok(Compacted::Done { before_bytes, after_bytes: self.blocking(file_bytes).await? })
            }
        }
    }

    fn describe(&self) -> String {
        format!("{} in {} (format {})", E::NAME, self.shared.place().display(), limits::FORMAT)
    }

    fn fatal(&self) -> Fatal {
        self.shared.fatal()
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.queue.close().await
    }
}

fn file_bytes<E: Engine>(shared: &Shared<E>) -> Result<u64, StoreError> {
    shared.unbroken(|| {
        shared.with_engine(|engine| {
            let measured = engine.engine().file_bytes();
            measured.map_err(|error| Broken(format!("the files cannot be measured: {error}")).into())
        })
    })
}

/// Why an engine can go on no longer: a message for the operator.
#[derive(Debug)]
pub struct Broken(pub(crate) String);

/// Why a read inside an engine failed: one damaged value, or the engine itself.
#[derive(Debug)]
pub enum ReadError {
    /// Concerns the one who asked.
    Refused(StoreError),
    /// Concerns everyone.
    Broken(Broken),
}

impl From<Broken> for ReadError {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

/// The text of a panic.
fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message").to_owned()
}

//! What writes: it makes a group of batches durable, and tends the log and the watermark.
//!
//! Order of every group: free space, conditions, log, map in front of the engine, answers; now and then the engine. It must never
//! answer `Ok` before the log's sync has returned, nor write anything after a failure.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Broken, ReadError,
    engine::{Compaction, Engine},
    group::Group,
    layout,
    meta::State,
    open::Opened,
    pace::Pace,
    room::{Room, Work},
    shared::Shared,
    wal::Wal,
    watermark::Watermark,
};
use crate::{
    backend::KeyRange,
    batch::{Batch, CommitSeq, Op, Space},
    error::StoreError,
    limits,
};

/// The one writer of an open store. Who holds its lock commits.
pub(super) struct Committer<E> {
    shared: Arc<Shared<E>>,
    state: State,
    wal: Wal,
    room: Room,
    pace: Pace,
    watermark: Watermark,
    /// The commit that the watermark file says, and when that was written.
    marked: u64,
    marked_at: Instant,
    /// Whether the engine waits for space on the disk.
    postponed: bool,
}

impl<E: Engine> Committer<E> {
    pub(super) fn new(opened: Opened<E>) -> Self {
        let Opened { shared, state, wal, watermark, room, pace } = opened;
        let (marked, marked_at) = (state.commit, Instant::now());
        Self { shared, state, wal, room, pace, watermark, marked, marked_at, postponed: false }
    }

    /// The most batches for the next group.
    pub(super) fn cap(&self) -> usize {
        self.pace.cap()
    }

    /// How long a sync of the log takes.
    pub(super) fn sync_time(&self) -> Duration {
        self.pace.sync_time()
    }

    /// Stores batches of so many bytes as one group; an answer for each, or one for all.
    pub(super) fn commit(
        &mut self,
        batches: &[Batch],
        bytes: usize,
    ) -> Result<Vec<Result<CommitSeq, StoreError>>, StoreError> {
        let entries = batches.iter().map(|batch| batch.ops.len()).sum();
        let removes = batches.iter().flat_map(|batch| &batch.ops).all(|op| matches!(op, Op::Delete(..)));
        self.pace.begin();
        let answers = self.guarded(cost::<E>(bytes, entries, removes), |this| this.store(batches));
        self.pace.end(batches.len());
        answers
    }

    /// Deletes up to `max` of the first keys of a range.
    pub(super) fn delete(&mut self, space: Space, range: &KeyRange, max: usize) -> Result<usize, StoreError> {
        self.guarded(cost::<E>(0, max, true), |this| this.delete_now(space, range, max))
    }

    /// Gives free space back.
    pub(super) fn compact(&mut self) -> Result<Compaction, StoreError> {
        self.guarded(cost::<E>(0, 0, false), |this| {
            this.shared.settle(&mut this.wal)?;
            this.shared.with_engine_alone(|engine| Ok(engine.engine_mut().compact()?))
        })
    }

    /// Time until something is due that no caller waits for: the watermark, or a sync of the engine. `None` if that
    /// depends on further commits.
    pub(super) fn due_in(&self) -> Option<Duration> {
        if self.shared.check_alive().is_err() {
            return None;
        }
        if self.postponed {
            return Some(limits::WATERMARK_EVERY);
        }
        if self.is_behind() {
            return Some(Duration::ZERO);
        }
        let marked = self.marked == self.state.commit;
        (!marked).then(|| limits::WATERMARK_EVERY.saturating_sub(self.marked_at.elapsed()))
    }

    /// Does what is due.
    pub(super) fn tend(&mut self) {
        if self.marked_at.elapsed() >= limits::WATERMARK_EVERY {
            self.mark();
        } else if self.is_log_long() {
            self.settle();
        } else if self.is_behind() {
            self.write_on(|this| this.shared.give());
        }
    }

    /// Whether the engine should be given what was collected, or sync it.
    pub(super) fn is_behind(&self) -> bool {
        self.is_log_long() || self.shared.recent_bytes() >= E::APPLY_BYTES
    }

    fn is_log_long(&self) -> bool {
        self.wal.bytes() >= E::LAG_BYTES || self.room.owes_much()
    }

    /// Does one piece of work unless the store has stopped or the disk is nearly full. A failure of the engine, be it
    /// a panic, stops the store.
    fn guarded<T>(
        &mut self,
        cost: Work,
        work: impl FnOnce(&mut Self) -> Result<T, ReadError>,
    ) -> Result<T, StoreError> {
        self.shared.check_alive()?;
        let shared = Arc::clone(&self.shared);
        shared.unbroken(|| {
            if !self.room.has(cost)? {
                // The sync of the engine shows what it has really taken.
                if self.room.covers_owed()? {
                    self.shared.settle(&mut self.wal)?;
                    self.room.settled();
                }
                self.room.check(cost)?;
            }
            self.room.owe(cost.bytes);
            work(self)
        })
    }

    /// Lets the engine sync, so that the log begins again.
    fn settle(&mut self) {
        self.write_on(|this| {
            this.shared.settle(&mut this.wal)?;
            this.room.settled();
            Ok(())
        });
    }

    /// Lets the engine write what is durable in the log. Without space for that it waits there: an engine whose write
    /// fails cannot go on. A failure has stopped the store, and whoever comes next is told.
    fn write_on(&mut self, work: impl FnOnce(&mut Self) -> Result<(), ReadError>) {
        if self.shared.check_alive().is_err() {
            return;
        }
        let shared = Arc::clone(&self.shared);
        let _ = shared.unbroken(|| {
            let covered = self.room.covers_owed()?;
            if !covered && !self.postponed {
                tracing::warn!("the disk is full: what was committed stays in the log until there is space");
            }
            self.postponed = !covered;
            if covered { work(self) } else { Ok(()) }
        });
    }

    /// Stores a group; one answer for each batch.
    fn store(&mut self, batches: &[Batch]) -> Result<Vec<Result<CommitSeq, StoreError>>, ReadError> {
        let state = self.state;
        let (answers, writes, state) = self.shared.with_engine(|engine| {
            let view = engine.view()?;
            let mut group = Group::new(&view, state);
            let mut answers = Vec::with_capacity(batches.len());
            for batch in batches {
                answers.push(match group.add(batch) {
                    Ok(commit) => Ok(commit),
                    Err(ReadError::Refused(error)) => Err(error),
                    Err(broken @ ReadError::Broken(_)) => return Err(broken),
                });
            }
            let (writes, state) = group.finish();
            Ok((answers, writes, state))
        })?;
        let accepted = answers.iter().filter(|answer| answer.is_ok()).count();
        if accepted > 0 {
            self.shared.persist(&mut self.wal, writes, state, accepted)?;
            self.state = state;
        }
        Ok(answers)
    }

    fn delete_now(&mut self, space: Space, range: &KeyRange, max: usize) -> Result<usize, ReadError> {
        let state = self.state;
        let (deleted, writes, state) = self.shared.with_engine(|engine| {
            let view = engine.view()?;
            let keys = layout::first_keys(&view, space, range, max)?;
            let deleted = keys.len();
            let mut group = Group::new(&view, state);
            group.remove(keys)?;
            let (writes, state) = group.finish();
            Ok((deleted, writes, state))
        })?;
        if deleted > 0 {
            self.shared.persist(&mut self.wal, writes, state, 1)?;
            self.state = state;
        }
        Ok(deleted)
    }

    /// Lets the engine sync and brings the watermark up to the last durable commit. Once a second, so these syncs do
    /// not show among the thousands of others.
    pub(super) fn mark(&mut self) {
        self.settle();
        let commit = self.state.commit;
        if commit == self.marked || self.shared.check_alive().is_err() {
            return;
        }
        match self.watermark.set(commit, self.room.disk()) {
            Ok(()) => self.marked = commit,
            // A watermark that lags is still right; commits themselves are refused while the disk is full.
            Err(error) if error.kind() == std::io::ErrorKind::StorageFull => {
                tracing::warn!("the disk is full: the watermark stays behind until there is space");
            }
            Err(error) => {
                self.shared.poison(&Broken(format!("the watermark cannot be written: {error}")));
            }
        }
        self.marked_at = Instant::now();
    }
}

/// What work of so many bytes and keys may cost on disk.
fn cost<E: Engine>(bytes: usize, keys: usize, removes: bool) -> Work {
    // Twice, because engines rewrite what they touch.
    let bytes = (2 * bytes as u64).saturating_add(E::BYTES_PER_KEY.saturating_mul(keys as u64));
    Work { bytes, removes }
}

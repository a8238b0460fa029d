//! The one thread that writes: it merges what waits into a group, makes it durable, then answers.
//!
//! Order of every group: free space, conditions, apply, sync, answers. It must never answer `Ok` before the sync
//! has returned, nor write anything after a failure.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    thread::{self, JoinHandle},
    time::Instant,
};

use super::{
    Broken, ReadError, Reply,
    engine::{Compaction, Engine},
    group::Group,
    layout,
    meta::State,
    open::Opened,
    pace::Pace,
    room::Room,
    shared::Shared,
    watermark::Watermark,
};
use crate::{
    backend::KeyRange,
    batch::{Batch, CommitSeq, Space},
    error::{OpenError, StoreError},
    limits,
};

/// What the committer is asked to do.
pub(super) enum Job {
    /// Store a batch of so many bytes.
    Commit { batch: Batch, bytes: usize, reply: Reply<CommitSeq> },
    /// Delete up to `max` of the first keys of a range.
    Delete { space: Space, range: KeyRange, max: usize, reply: Reply<usize> },
    /// Give free space back.
    Compact { reply: Reply<Compaction> },
    /// Finish and let go.
    Close { reply: Reply<()> },
}

struct Committer<E> {
    shared: Arc<Shared<E>>,
    state: State,
    room: Room,
    pace: Pace,
    jobs: Receiver<Job>,
    /// A job that was taken from the queue but does not belong to the group.
    held: Option<Job>,
    watermark: Watermark,
    /// The commit that the watermark file says, and when that was written.
    marked: u64,
    marked_at: Instant,
}

/// Starts the thread.
pub(super) fn spawn<E: Engine>(opened: Opened<E>, jobs: Receiver<Job>) -> Result<JoinHandle<()>, OpenError> {
    let Opened { shared, state, watermark, room, pace } = opened;
    let path = shared.place().to_owned();
    let (marked, marked_at) = (state.commit, Instant::now());
    let committer = Committer { shared, state, room, pace, jobs, held: None, watermark, marked, marked_at };
    let thread = thread::Builder::new().name("store-committer".to_owned());
    let failed = |source| OpenError::Io { action: "start a thread for", path, source };
    thread.spawn(move || committer.run()).map_err(failed)
}

impl<E: Engine> Committer<E> {
    fn run(mut self) {
        let mut closing = None;
        while closing.is_none() {
            match self.next_job() {
                Ok(Job::Commit { batch, bytes, reply }) => self.commit(batch, bytes, reply),
                Ok(Job::Delete { space, range, max, reply }) => {
                    let deleted = self.guarded(0, max, |this| this.delete(space, &range, max));
                    let _ = reply.send(deleted);
                }
                Ok(Job::Compact { reply }) => {
                    let compacted = self
                        .guarded(0, 0, |this| this.shared.with_engine_alone(|engine| Ok(engine.compact()?)));
                    let _ = reply.send(compacted);
                }
                Ok(Job::Close { reply }) => closing = Some(reply),
                Err(RecvTimeoutError::Timeout) => self.mark(),
                // The backend was dropped without a close.
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.marked_at.elapsed() >= limits::WATERMARK_EVERY {
                self.mark();
            }
        }
        self.mark();
        let outcome = self.shared.check_alive();
        self.shared.shut();
        if let Some(reply) = closing {
            let _ = reply.send(outcome);
        }
    }

    /// The next job; `Timeout` if there is none by the time when the watermark is due.
    fn next_job(&mut self) -> Result<Job, RecvTimeoutError> {
        if let Some(job) = self.held.take() {
            return Ok(job);
        }
        if self.marked == self.state.commit || self.shared.check_alive().is_err() {
            return self.jobs.recv().map_err(|_| RecvTimeoutError::Disconnected);
        }
        self.jobs.recv_timeout(limits::WATERMARK_EVERY.saturating_sub(self.marked_at.elapsed()))
    }

    /// Stores a batch together with those that wait behind it, and answers all of them.
    fn commit(&mut self, batch: Batch, bytes: usize, reply: Reply<CommitSeq>) {
        let (mut batches, mut replies) = (vec![batch], vec![reply]);
        let (mut group_bytes, cap) = (bytes, self.pace.cap());
        while batches.len() < cap && group_bytes < limits::GROUP_BYTES {
            match self.jobs.try_recv() {
                Ok(Job::Commit { batch, bytes, reply }) => {
                    group_bytes += bytes;
                    batches.push(batch);
                    replies.push(reply);
                }
                Ok(other) => {
                    self.held = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        let entries = batches.iter().map(|batch| batch.ops.len()).sum();
        self.pace.begin();
        let answers = self.guarded(group_bytes, entries, |this| this.store(&batches));
        self.pace.end(batches.len());
        match answers {
            Ok(answers) => {
                for (reply, answer) in replies.into_iter().zip(answers) {
                    let _ = reply.send(answer);
                }
            }
            Err(error) => {
                for reply in replies {
                    let _ = reply.send(Err(error.clone()));
                }
            }
        }
    }

    /// Does one piece of work of so many bytes and keys unless the store has stopped or the disk is nearly full. A
    /// failure of the engine, be it a panic, stops the store.
    fn guarded<T>(
        &mut self,
        bytes: usize,
        entries: usize,
        work: impl FnOnce(&mut Self) -> Result<T, ReadError>,
    ) -> Result<T, StoreError> {
        self.shared.check_alive()?;
        let shared = Arc::clone(&self.shared);
        shared.unbroken(|| {
            // Twice, because engines rewrite what they touch.
            let cost = (2 * bytes as u64).saturating_add(E::BYTES_PER_KEY.saturating_mul(entries as u64));
            self.room.check(cost)?;
            work(self)
        })
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
            self.shared.persist(&writes, state, accepted)?;
            self.state = state;
        }
        Ok(answers)
    }

    fn delete(&mut self, space: Space, range: &KeyRange, max: usize) -> Result<usize, ReadError> {
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
            self.shared.persist(&writes, state, 1)?;
            self.state = state;
        }
        Ok(deleted)
    }

    /// Brings the watermark up to the last durable commit. Once a second, so its sync does not show among the
    /// thousands of others on this thread.
    fn mark(&mut self) {
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

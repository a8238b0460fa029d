//! The one thread that writes: it merges what waits into a group, applies it, makes it durable, then answers.
//!
//! Order of every group: free space, conditions, `apply_batch`, `flush`, blob files, fdatasync, answers. It must
//! never answer `Ok` before the fdatasync has returned, nor write anything after a failure.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::{Receiver, RecvTimeoutError},
    thread::{self, JoinHandle},
    time::Instant,
};

use sled::Db;

use super::{Broken, ReadError, Reply, group::Group, layout, meta::State, open::Opened, panic_text};
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
    /// Finish and let go.
    Close { reply: Reply<()> },
}

type Waiting = (Batch, Reply<CommitSeq>);

struct Committer {
    opened: Opened,
    jobs: Receiver<Job>,
    /// A job that was taken from the queue but does not belong to the group.
    held: Option<Job>,
    /// The commit that the watermark file says, and when that was written.
    marked: u64,
    marked_at: Instant,
}

/// Starts the thread.
pub(super) fn spawn(opened: Opened, jobs: Receiver<Job>) -> Result<JoinHandle<()>, OpenError> {
    let path = opened.options.directory.clone();
    let marked = opened.state.commit;
    let committer = Committer { opened, jobs, held: None, marked, marked_at: Instant::now() };
    let thread = thread::Builder::new().name("store-committer".to_owned());
    let failed = |source| OpenError::Io { action: "start a thread for", path, source };
    thread.spawn(move || committer.run()).map_err(failed)
}

impl Committer {
    fn run(mut self) {
        let mut closing = None;
        while closing.is_none() {
            match self.next_job() {
                Ok(Job::Commit { batch, bytes, reply }) => self.commit(batch, bytes, reply),
                Ok(Job::Delete { space, range, max, reply }) => {
                    let deleted = self.guarded(0, |this| this.delete(space, &range, max));
                    let _ = reply.send(deleted);
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
        let outcome = self.opened.shared.check_alive();
        self.opened.shared.shut();
        if let Some(reply) = closing {
            let _ = reply.send(outcome);
        }
    }

    /// The next job; `Timeout` if there is none by the time when the watermark is due.
    fn next_job(&mut self) -> Result<Job, RecvTimeoutError> {
        if let Some(job) = self.held.take() {
            return Ok(job);
        }
        if self.marked == self.opened.state.commit || self.opened.shared.check_alive().is_err() {
            return self.jobs.recv().map_err(|_| RecvTimeoutError::Disconnected);
        }
        self.jobs.recv_timeout(limits::WATERMARK_EVERY.saturating_sub(self.marked_at.elapsed()))
    }

    /// Stores a batch together with those that wait behind it, and answers all of them.
    fn commit(&mut self, batch: Batch, bytes: usize, reply: Reply<CommitSeq>) {
        let (mut group, mut group_bytes): (Vec<Waiting>, usize) = (vec![(batch, reply)], bytes);
        while group.len() < limits::GROUP_BATCHES && group_bytes < limits::GROUP_BYTES {
            match self.jobs.try_recv() {
                Ok(Job::Commit { batch, bytes, reply }) => {
                    group_bytes += bytes;
                    group.push((batch, reply));
                }
                Ok(other) => {
                    self.held = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        let answers = self.guarded(group_bytes, |this| this.store(&group));
        match answers {
            Ok(answers) => {
                for ((_, reply), answer) in group.into_iter().zip(answers) {
                    let _ = reply.send(answer);
                }
            }
            Err(error) => {
                for (_, reply) in group {
                    let _ = reply.send(Err(error.clone()));
                }
            }
        }
    }

    /// Does one piece of work unless the store has stopped or the disk is nearly full. A failure of the engine,
    /// be it a panic, stops the store.
    fn guarded<T>(
        &mut self,
        bytes: usize,
        work: impl FnOnce(&mut Self) -> Result<T, ReadError>,
    ) -> Result<T, StoreError> {
        self.opened.shared.check_alive()?;
        let done = catch_unwind(AssertUnwindSafe(|| {
            self.check_room(bytes)?;
            work(self)
        }));
        match done {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(ReadError::Refused(error))) => Err(error),
            Ok(Err(ReadError::Broken(broken))) => Err(self.opened.shared.poison(&broken)),
            Err(panic) => {
                Err(self.opened.shared.poison(&Broken(format!("sled panicked: {}", panic_text(&*panic)))))
            }
        }
    }

    /// Refuses work while the free space is below the reserve; sled is not touched.
    fn check_room(&self, bytes: usize) -> Result<(), ReadError> {
        let options = &self.opened.options;
        let free = options.disk.free_bytes(&options.directory);
        let free = free.map_err(|error| broken("the free space cannot be read", &error))?;
        // Twice, because sled rewrites pages that it touches.
        if free < options.reserve_bytes.saturating_add(2 * bytes as u64) {
            tracing::warn!(
                free,
                reserve = options.reserve_bytes,
                "the disk is nearly full: a commit was refused"
            );
            return Err(ReadError::Refused(StoreError::Full));
        }
        Ok(())
    }

    /// Stores a group; one answer for each batch.
    fn store(&mut self, waiting: &[Waiting]) -> Result<Vec<Result<CommitSeq, StoreError>>, ReadError> {
        let state = self.opened.state;
        let (answers, writes, state) = self.opened.shared.with_db(|db| {
            let mut group = Group::new(db, state);
            let mut answers = Vec::with_capacity(waiting.len());
            for (batch, _) in waiting {
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
            self.persist(writes, state, accepted)?;
        }
        Ok(answers)
    }

    fn delete(&mut self, space: Space, range: &KeyRange, max: usize) -> Result<usize, ReadError> {
        let state = self.opened.state;
        let (deleted, writes, state) = self.opened.shared.with_db(|db: &Db| {
            let keys = layout::records(db, space, range).take(max);
            let keys: Vec<_> =
                keys.map(|pair| pair.map(|(key, _)| key.to_vec())).collect::<Result<_, _>>()?;
            let deleted = keys.len();
            let mut group = Group::new(db, state);
            group.remove(keys)?;
            let (writes, state) = group.finish();
            Ok((deleted, writes, state))
        })?;
        if deleted > 0 {
            self.persist(writes, state, 1)?;
        }
        Ok(deleted)
    }

    /// Applies a write and makes it durable. After this, and only after this, it may be acknowledged.
    fn persist(&mut self, writes: sled::Batch, state: State, batches: usize) -> Result<(), ReadError> {
        let opened = &mut self.opened;
        opened.shared.apply(writes, state.commit).map_err(ReadError::Broken)?;
        opened.shared.with_db(|db| Ok(db.flush()?))?;
        let disk = &*opened.options.disk;
        opened.blobs.sync(disk).map_err(|error| broken("sled's blob files cannot be synced", &error))?;
        disk.sync_data(&opened.log, &opened.log_path)
            .map_err(|error| broken("sled's file cannot be synced", &error))?;
        opened.state = state;
        opened.shared.durable(state.commit, batches);
        Ok(())
    }

    /// Brings the watermark up to the last durable commit.
    fn mark(&mut self) {
        let opened = &mut self.opened;
        let commit = opened.state.commit;
        if commit == self.marked || opened.shared.check_alive().is_err() {
            return;
        }
        match opened.watermark.set(commit, &*opened.options.disk) {
            Ok(()) => self.marked = commit,
            // A watermark that lags is still right; commits themselves are refused while the disk is full.
            Err(error) if error.kind() == std::io::ErrorKind::StorageFull => {
                tracing::warn!("the disk is full: the watermark stays behind until there is space");
            }
            Err(error) => {
                opened.shared.poison(&Broken(format!("the watermark cannot be written: {error}")));
            }
        }
        self.marked_at = Instant::now();
    }
}

fn broken(what: &str, error: &std::io::Error) -> ReadError {
    ReadError::Broken(Broken(format!("{what}: {error}")))
}

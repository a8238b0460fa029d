//! Who commits: a caller by itself while nobody else does, otherwise one thread that merges what waits.
//!
//! Handing a commit to a sleeping thread and being woken by it costs more than a good disk's sync. It must never let
//! a caller overtake one that waits, nor stand still on a runtime that has no other thread.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::{
    runtime::{Handle, RuntimeFlavor},
    sync::{Semaphore, oneshot},
};

use super::{
    committer::Committer,
    engine::{Compaction, Engine},
    open::Opened,
    shared::Shared,
};
use crate::{
    backend::KeyRange,
    batch::{Batch, CommitSeq, Space},
    error::{OpenError, StoreError},
    limits,
};

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// What the thread is asked to do.
pub(super) enum Job {
    /// Store a batch of so many bytes.
    Commit { batch: Batch, bytes: usize, reply: Reply<CommitSeq> },
    /// Delete up to `max` of the first keys of a range.
    Delete { space: Space, range: KeyRange, max: usize, reply: Reply<usize> },
    /// Give free space back.
    Compact { reply: Reply<Compaction> },
    /// Look at what is due: a caller has committed.
    Tend,
    /// Finish and let go.
    Close { reply: Reply<()> },
}

/// The way to the committer of an open store.
pub(super) struct Queue<E> {
    ties: Arc<Ties<E>>,
    jobs: Sender<Job>,
    /// Bounds what waits, in KiB. Closed with the store.
    room: Semaphore,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What callers and the thread share.
struct Ties<E> {
    shared: Arc<Shared<E>>,
    writer: Mutex<Writer<E>>,
    /// Jobs sent and not done yet.
    waiting: AtomicUsize,
}

struct Writer<E> {
    committer: Committer<E>,
    /// Whether the thread will look again by itself when something is due.
    watched: bool,
}

impl<E: Engine> Queue<E> {
    /// Starts the thread.
    pub(super) fn start(opened: Opened<E>) -> Result<Self, OpenError> {
        let shared = Arc::clone(&opened.shared);
        let path = shared.place().to_owned();
        let writer = Mutex::new(Writer { committer: Committer::new(opened), watched: false });
        let ties = Arc::new(Ties { shared, writer, waiting: AtomicUsize::new(0) });
        let (jobs, inbox) = mpsc::channel();
        let worker = Worker { ties: Arc::clone(&ties), jobs: inbox, held: None, due_in: None };
        let thread = thread::Builder::new().name("store-committer".to_owned());
        let failed = |source| OpenError::Io { action: "start a thread for", path, source };
        let thread = Mutex::new(Some(thread.spawn(move || worker.run()).map_err(failed)?));
        Ok(Self { ties, jobs, room: Semaphore::new(limits::QUEUE_KIB as usize), thread })
    }

    /// Stores a batch of so many bytes.
    pub(super) async fn commit(&self, batch: Batch, bytes: usize) -> Result<CommitSeq, StoreError> {
        self.ties.shared.check_alive()?;
        if bytes <= limits::INLINE_COMMIT_BYTES
            && may_stand_still()
            && let Some(answer) = self.commit_here(&batch, bytes)
        {
            return answer;
        }
        self.ask(bytes, |reply| Job::Commit { batch, bytes, reply }).await
    }

    /// Commits on the calling thread; `None` if others commit or wait, or the disk is too slow for that.
    fn commit_here(&self, batch: &Batch, bytes: usize) -> Option<Result<CommitSeq, StoreError>> {
        let ties = &self.ties;
        if ties.waiting.load(Ordering::Acquire) > 0 || self.room.is_closed() {
            return None;
        }
        let mut writer = ties.writer.try_lock().ok()?;
        if writer.committer.sync_time() > limits::INLINE_COMMIT_SYNC {
            return None;
        }
        let answers = writer.committer.commit(std::slice::from_ref(batch), bytes);
        if !writer.watched || writer.committer.is_behind() {
            writer.watched = true;
            drop(writer);
            let _ = self.send(Job::Tend);
        }
        Some(answers.and_then(|mut answers| answers.pop().unwrap_or_else(|| Err(ties.shared.gone()))))
    }

    /// Waits for room in the queue, hands a job over and waits for its answer.
    pub(super) async fn ask<T>(
        &self,
        bytes: usize,
        job: impl FnOnce(Reply<T>) -> Job,
    ) -> Result<T, StoreError> {
        let shared = &self.ties.shared;
        shared.check_alive()?;
        let kib = u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX).min(limits::QUEUE_KIB);
        let Ok(_room) = self.room.acquire_many(kib).await else { return Err(shared.gone()) };
        let (reply, answer) = oneshot::channel();
        if !self.send(job(reply)) {
            return Err(shared.gone());
        }
        answer.await.unwrap_or_else(|_| Err(shared.gone()))
    }

    /// Finishes what waits and lets go of the store.
    pub(super) async fn close(&self) -> Result<(), StoreError> {
        self.room.close();
        let (reply, answer) = oneshot::channel();
        if !self.send(Job::Close { reply }) {
            return Ok(());
        }
        let answer = answer.await.unwrap_or(Ok(()));
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // The thread has answered and only has to return.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
        answer
    }

    /// Whether the thread will get the job.
    fn send(&self, job: Job) -> bool {
        self.ties.waiting.fetch_add(1, Ordering::AcqRel);
        self.jobs.send(job).is_ok()
    }
}

/// Whether the calling thread may be held for the time of a sync: the runtime has others.
fn may_stand_still() -> bool {
    Handle::try_current().is_ok_and(|runtime| {
        runtime.runtime_flavor() == RuntimeFlavor::MultiThread && runtime.metrics().num_workers() > 1
    })
}

impl<E> Ties<E> {
    fn writer(&self) -> MutexGuard<'_, Writer<E>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread.
struct Worker<E> {
    ties: Arc<Ties<E>>,
    jobs: Receiver<Job>,
    /// A job that was taken from the queue but does not belong to the group.
    held: Option<Job>,
    /// Time until something is due; none if nothing is.
    due_in: Option<Duration>,
}

impl<E: Engine> Worker<E> {
    fn run(mut self) {
        let mut closing = None;
        while closing.is_none() {
            match self.next_job() {
                Ok(Job::Commit { batch, bytes, reply }) => self.commit(batch, bytes, reply),
                Ok(Job::Delete { space, range, max, reply }) => {
                    let deleted = self.with_writer(|committer| committer.delete(space, &range, max));
                    self.done(1);
                    let _ = reply.send(deleted);
                }
                Ok(Job::Compact { reply }) => {
                    let compacted = self.with_writer(Committer::compact);
                    self.done(1);
                    let _ = reply.send(compacted);
                }
                Ok(Job::Tend) => {
                    self.with_writer(Committer::tend);
                    self.done(1);
                }
                Ok(Job::Close { reply }) => closing = Some(reply),
                Err(RecvTimeoutError::Timeout) => {}
                // The backend was dropped without a close.
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.due_in == Some(Duration::ZERO) {
                self.with_writer(Committer::tend);
            }
        }
        self.ties.writer().committer.mark();
        let outcome = self.ties.shared.check_alive();
        self.ties.shared.shut();
        if let Some(reply) = closing {
            let _ = reply.send(outcome);
        }
    }

    fn next_job(&mut self) -> Result<Job, RecvTimeoutError> {
        if let Some(job) = self.held.take() {
            return Ok(job);
        }
        let Some(due_in) = self.due_in else {
            return self.jobs.recv().map_err(|_| RecvTimeoutError::Disconnected);
        };
        let job = self.jobs.recv_timeout(due_in);
        if matches!(job, Err(RecvTimeoutError::Timeout)) {
            self.due_in = Some(Duration::ZERO);
        }
        job
    }

    /// Works with the committer, and notes when something is due after that.
    fn with_writer<T>(&mut self, work: impl FnOnce(&mut Committer<E>) -> T) -> T {
        let mut writer = self.ties.writer();
        let worked = work(&mut writer.committer);
        self.due_in = writer.committer.due_in();
        writer.watched = self.due_in.is_some();
        worked
    }

    /// So many jobs are done. To be said before the last of them is answered: then its caller finds the store idle.
    fn done(&self, jobs: usize) {
        self.ties.waiting.fetch_sub(jobs, Ordering::AcqRel);
    }

    /// Stores a batch together with those that wait behind it, and answers all of them.
    fn commit(&mut self, batch: Batch, bytes: usize, reply: Reply<CommitSeq>) {
        let (mut batches, mut replies) = (vec![batch], vec![reply]);
        let mut group_bytes = bytes;
        // Whoever commits by itself now lets the group grow meanwhile.
        let mut writer = self.ties.writer();
        let cap = writer.committer.cap();
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
        let answers = writer.committer.commit(&batches, group_bytes);
        self.due_in = writer.committer.due_in();
        writer.watched = self.due_in.is_some();
        drop(writer);
        self.done(replies.len());
        let answers = answers.unwrap_or_else(|error| vec![Err(error); replies.len()]);
        for (reply, answer) in replies.into_iter().zip(answers) {
            let _ = reply.send(answer);
        }
    }
}

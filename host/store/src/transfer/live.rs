//! The export of a store that goes on being written.
//!
//! A [`Recorder`] stands in front of the backend. While an export reads the pages one after another, it notes every
//! commit, and the export takes the notes along in the order of their commit numbers. Whoever imports the pages and
//! then the notes has, of every key, the last value: exactly the state after the last commit in the file, although no
//! page was read at that moment. Nobody waits for an export: when it is too slow to take the notes, it fails.
//!
//! It must never hold back a commit, and never let an export end while a commit that a page may show is missing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;

use super::{TransferError, format::Entry};
use crate::{
    backend::{Backend, Fatal, KeyRange, Page, Versioned},
    batch::{Batch, CommitSeq, Op, Space, fence_key},
    error::StoreError,
    limits,
    stats::{Compacted, Stats, Verified},
};

/// Bytes of notes that wait for the export; one more, and it fails.
const NOTED_BYTES: usize = 128 * 1024 * 1024;
/// Bytes of notes after which a frame is made.
const FRAME_BYTES: usize = limits::PAGE_BYTES;
/// How often an export looks whether the commits that it waits for have ended.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// For how many looks it waits: about a minute.
const LOOKS: u32 = 60_000;

/// A backend that can be exported while it is written. Without an export it adds two atomic operations to a commit.
pub struct Recorder {
    inner: Arc<dyn Backend>,
    notes: Arc<Notes>,
}

#[derive(Default)]
struct Notes {
    /// Writes under way that are not noted.
    unnoted: AtomicUsize,
    recording: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Counts the exports: what was sent during another one is not noted.
    recording: u64,
    next_ticket: u64,
    /// Tickets of the commits under way.
    open: BTreeSet<u64>,
    /// What was committed and not yet taken, by commit.
    noted: BTreeMap<CommitSeq, Note>,
    bytes: usize,
    /// Why the export cannot go on.
    broken: Option<Broken>,
}

struct Note {
    /// Every commit with a lower number has a ticket below this one: it was sent before this one was answered.
    before: u64,
    bytes: usize,
    entries: Vec<Entry>,
}

#[derive(Clone)]
enum Broken {
    TooSlow,
    Store(StoreError),
}

impl Recorder {
    /// Stands in front of a backend; all writes must go through it.
    pub fn new(inner: Arc<dyn Backend>) -> Self {
        Self { inner, notes: Arc::default() }
    }

    /// What it stands in front of, to read from.
    pub(super) fn inner(&self) -> Arc<dyn Backend> {
        Arc::clone(&self.inner)
    }

    /// Begins to note commits, and waits for those that were sent before.
    pub(super) async fn record(&self) -> Result<Recording, TransferError> {
        if self.notes.recording.swap(true, Ordering::SeqCst) {
            return Err(TransferError::Busy);
        }
        let recording = Recording { notes: Arc::clone(&self.notes), until: None };
        let sent = self.notes.begin();
        self.notes
            .wait(|state| self.notes.unnoted.load(Ordering::SeqCst) == 0 && state.all_ended_before(sent))
            .await?;
        // A commit whose sender has gone away may still be queued; the queue is in order.
        self.inner.commit(Batch::new()).await?;
        Ok(recording)
    }

    /// Counts a write that need not be noted; `None` if it must be.
    fn unnoted(&self) -> Option<Unnoted<'_>> {
        // Counted before looking: either the export sees the count, or this sees the export.
        self.notes.unnoted.fetch_add(1, Ordering::SeqCst);
        let counted = Unnoted(&self.notes.unnoted);
        (!self.notes.recording.load(Ordering::SeqCst)).then_some(counted)
    }

    /// Commits a batch and notes it, also when the caller goes away meanwhile.
    async fn commit_noted(&self, batch: Batch) -> Result<CommitSeq, StoreError> {
        let (inner, notes) = (Arc::clone(&self.inner), Arc::clone(&self.notes));
        let ticket = notes.open();
        let committed = tokio::spawn(async move {
            let (bytes, entries) = (batch.bytes(), entries(&batch));
            let outcome = inner.commit(batch).await;
            ticket.note(&outcome, bytes, entries);
            outcome
        });
        // The runtime is shutting down.
        committed.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Deletes by ordinary commits, so that the keys can be noted.
    async fn delete_noted(&self, space: Space, mut range: KeyRange, max: usize) -> Result<u64, StoreError> {
        let mut deleted = 0;
        while deleted < max {
            let page = self.inner.scan(space, range, false, (max - deleted).min(limits::DELETE_KEYS)).await?;
            deleted += page.items.len();
            let mut batch = Batch::new();
            for (key, _) in page.items {
                batch.delete(space, key);
            }
            if !batch.is_empty() {
                self.commit_noted(batch).await?;
            }
            match page.next {
                Some(rest) => range = rest,
                None => break,
            }
        }
        Ok(deleted as u64)
    }
}

struct Unnoted<'a>(&'a AtomicUsize);

impl Drop for Unnoted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A commit under way; dropped when it has ended.
struct Ticket {
    notes: Arc<Notes>,
    number: u64,
    recording: u64,
}

impl Ticket {
    /// Notes what a commit has done, for the export that was under way when it was sent.
    fn note(&self, outcome: &Result<CommitSeq, StoreError>, bytes: usize, entries: Vec<Entry>) {
        let mut state = self.notes.state();
        if state.recording != self.recording {
            return;
        }
        match outcome {
            Ok(_) if state.broken.is_some() => {}
            Ok(_) if state.bytes + bytes > NOTED_BYTES => state.fail(Broken::TooSlow),
            Ok(commit) => {
                let before = state.next_ticket;
                state.bytes += bytes;
                state.noted.insert(*commit, Note { before, bytes, entries });
            }
            Err(error @ (StoreError::Unknown | StoreError::Poisoned { .. } | StoreError::Closed)) => {
                state.fail(Broken::Store(error.clone()));
            }
            // Nothing was stored.
            Err(
                StoreError::Conflict
                | StoreError::Fenced { .. }
                | StoreError::Full
                | StoreError::Corrupt { .. }
                | StoreError::TooLarge { .. }
                | StoreError::Invalid(_),
            ) => {}
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.notes.state().open.remove(&self.number);
    }
}

impl Notes {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(self: &Arc<Self>) -> Ticket {
        let mut state = self.state();
        let (number, recording) = (state.next_ticket, state.recording);
        state.next_ticket += 1;
        state.open.insert(number);
        Ticket { notes: Arc::clone(self), number, recording }
    }

    /// Forgets an earlier recording; returns the first ticket that the new one notes.
    fn begin(&self) -> u64 {
        let mut state = self.state();
        let (next_ticket, open) = (state.next_ticket, std::mem::take(&mut state.open));
        *state = State { next_ticket, open, recording: state.recording + 1, ..State::default() };
        next_ticket
    }

    /// Waits until something holds of the state, and never for ever.
    async fn wait(&self, holds: impl Fn(&State) -> bool) -> Result<(), TransferError> {
        for _ in 0..LOOKS {
            {
                let state = self.state();
                state.check()?;
                if holds(&state) {
                    return Ok(());
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Err(TransferError::Stuck)
    }
}

impl State {
    fn fail(&mut self, broken: Broken) {
        self.noted.clear();
        self.bytes = 0;
        self.broken = Some(broken);
    }

    fn all_ended_before(&self, ticket: u64) -> bool {
        self.open.first().is_none_or(|oldest| *oldest >= ticket)
    }

    fn check(&self) -> Result<(), TransferError> {
        match &self.broken {
            None => Ok(()),
            Some(Broken::TooSlow) => Err(TransferError::TooSlow),
            Some(Broken::Store(error)) => Err(TransferError::Store(error.clone())),
        }
    }
}

/// The notes of one export; they end when it is dropped.
pub(super) struct Recording {
    notes: Arc<Notes>,
    /// The last commit of the export, once it is known.
    until: Option<CommitSeq>,
}

impl Recording {
    /// Takes about a frame of notes, in the order of their commits, as far as no earlier commit can be missing.
    pub(super) fn take(&mut self) -> Result<Option<Vec<Entry>>, TransferError> {
        let mut state = self.notes.state();
        state.check()?;
        let oldest = state.open.first().copied().unwrap_or(u64::MAX);
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while bytes < FRAME_BYTES
            && let Some(first) = state.noted.first_entry()
            && first.get().before <= oldest
            && self.until.is_none_or(|until| *first.key() <= until)
        {
            let note = first.remove();
            state.bytes -= note.bytes;
            bytes += note.bytes;
            taken.extend(note.entries);
        }
        Ok((!taken.is_empty()).then_some(taken))
    }

    /// Decides with which commit the export ends, after the last page. Then [`Recording::take`] has all commits up to
    /// that one, and no page shows a later one.
    pub(super) async fn settle(&mut self) -> Result<(), TransferError> {
        let sent = self.notes.state().next_ticket;
        // What a page shows was sent before.
        self.notes.wait(|state| state.all_ended_before(sent)).await?;
        let (last, sent) = {
            let state = self.notes.state();
            (state.noted.last_key_value().map(|(commit, _)| *commit), state.next_ticket)
        };
        self.until = Some(last.unwrap_or(CommitSeq(0)));
        // What comes before that one was sent before that one was answered.
        self.notes.wait(|state| state.all_ended_before(sent)).await
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.notes.begin();
        self.notes.recording.store(false, Ordering::SeqCst);
    }
}

/// What a batch changes. Fences are values like others here.
fn entries(batch: &Batch) -> Vec<Entry> {
    let fence = batch.fence.map(|(shard, epoch)| {
        let epoch = epoch.0.to_be_bytes().to_vec();
        Entry::Value(Space::FENCES, fence_key(shard), epoch.into())
    });
    let changes = batch.ops.iter().map(|op| match op {
        Op::Put(space, key, value) | Op::Insert(space, key, value) => {
            Entry::Value(*space, key.clone(), value.clone())
        }
        Op::Delete(space, key) => Entry::Gone(*space, key.clone()),
    });
    fence.into_iter().chain(changes).collect()
}

#[async_trait]
impl Backend for Recorder {
    async fn commit(&self, batch: Batch) -> Result<CommitSeq, StoreError> {
        match self.unnoted() {
            Some(_unnoted) => self.inner.commit(batch).await,
            None => self.commit_noted(batch).await,
        }
    }

    async fn get(&self, space: Space, key: &[u8]) -> Result<Option<Versioned>, StoreError> {
        self.inner.get(space, key).await
    }

    async fn scan(
        &self,
        space: Space,
        range: KeyRange,
        reverse: bool,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.inner.scan(space, range, reverse, limit).await
    }

    async fn delete_range(&self, space: Space, range: KeyRange, max: usize) -> Result<u64, StoreError> {
        match self.unnoted() {
            Some(_unnoted) => self.inner.delete_range(space, range, max).await,
            None => self.delete_noted(space, range, max).await,
        }
    }

    async fn verify(&self) -> Result<Verified, StoreError> {
        self.inner.verify().await
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        self.inner.stats().await
    }

    async fn compact(&self) -> Result<Compacted, StoreError> {
        self.inner.compact().await
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn fatal(&self) -> Fatal {
        self.inner.fatal()
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.inner.close().await
    }
}

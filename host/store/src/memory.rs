//! The memory backend: a `BTreeMap` behind a lock, for Express executions and for tests.
//!
//! "Durable" here means: as long as the process lives. Commits finish without ever waiting, so a simulation on
//! it is deterministic. It must never differ from the other backends in anything that a caller can observe.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Arc, PoisonError, RwLock},
};

use async_trait::async_trait;
use bytes::Bytes;

use crate::{
    backend::{Backend, Fatal, KeyRange, Page, Poison, Versioned, page_items},
    batch::{
        Batch, CommitSeq, Epoch, Expect, Key, NOT_ABSENT, Op, Space, check_key_length, epoch_of, fence_key,
    },
    error::StoreError,
    limits,
    stats::{Stats, Verified},
};

/// An ordered store in the memory of this process. Clones share one store.
#[derive(Debug, Clone, Default)]
pub struct MemoryBackend {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: RwLock<State>,
    poison: Poison,
}

#[derive(Debug, Default)]
struct State {
    map: BTreeMap<(Space, Key), Versioned>,
    commits: u64,
    closed: bool,
}

impl MemoryBackend {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn read<T>(&self, look: impl FnOnce(&State) -> T) -> Result<T, StoreError> {
        let state = self.shared.state.read().unwrap_or_else(PoisonError::into_inner);
        if state.closed { Err(StoreError::Closed) } else { Ok(look(&state)) }
    }

    fn write<T>(&self, change: impl FnOnce(&mut State) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut state = self.shared.state.write().unwrap_or_else(PoisonError::into_inner);
        if state.closed { Err(StoreError::Closed) } else { change(&mut state) }
    }
}

#[async_trait]
impl Backend for MemoryBackend {
    async fn commit(&self, batch: Batch) -> Result<CommitSeq, StoreError> {
        batch.check()?;
        self.write(|state| state.commit(batch))
    }

    async fn get(&self, space: Space, key: &[u8]) -> Result<Option<Versioned>, StoreError> {
        space.check_readable()?;
        check_key_length(key.len())?;
        self.read(|state| state.map.get(&(space, Bytes::copy_from_slice(key))).cloned())
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
        self.read(|state| state.page(space, range, reverse, limit))
    }

    async fn delete_range(&self, space: Space, range: KeyRange, max: usize) -> Result<u64, StoreError> {
        space.check_writable()?;
        range.check()?;
        self.write(|state| Ok(state.delete(space, &range, max)))
    }

    async fn verify(&self) -> Result<Verified, StoreError> {
        self.read(State::verified)
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        self.read(|state| Stats {
            engine: "memory".to_owned(),
            last_commit: state.commits,
            commits: state.commits,
            flushes: state.commits,
            ..Stats::default()
        })
    }

    fn describe(&self) -> String {
        "memory (nothing outlives the process)".to_owned()
    }

    fn fatal(&self) -> Fatal {
        self.shared.poison.watch()
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.shared.state.write().unwrap_or_else(PoisonError::into_inner).closed = true;
        Ok(())
    }
}

impl State {
    fn commit(&mut self, batch: Batch) -> Result<CommitSeq, StoreError> {
        let raised = self.check_fence(&batch)?;
        if !batch.expect.iter().all(|expect| self.holds(expect)) {
            return Err(StoreError::Conflict);
        }
        if cfg!(debug_assertions) {
            self.check_inserts(&batch.ops)?;
        }
        self.commits += 1;
        if let Some((key, epoch)) = raised {
            let value = Bytes::copy_from_slice(&epoch.0.to_be_bytes());
            self.map.insert((Space::FENCES, key), Versioned { value, version: self.commits });
        }
        for op in batch.ops {
            match op {
                Op::Put(space, key, value) | Op::Insert(space, key, value) => {
                    self.map.insert((space, key), Versioned { value, version: self.commits });
                }
                Op::Delete(space, key) => {
                    self.map.remove(&(space, key));
                }
            }
        }
        Ok(CommitSeq(self.commits))
    }

    /// Nothing in memory can be damaged: only the counting is left.
    fn verified(&self) -> Verified {
        let bytes = self.map.iter().map(|((_, key), stored)| (key.len() + stored.value.len()) as u64);
        let (records, bytes) = (self.map.len() as u64, bytes.sum());
        Verified { commit: self.commits, records, bytes, complete: true, ..Verified::default() }
    }

    /// Refuses a stale epoch; returns what to store if the batch brings a newer one.
    fn check_fence(&self, batch: &Batch) -> Result<Option<(Key, Epoch)>, StoreError> {
        let Some((shard, epoch)) = batch.fence else { return Ok(None) };
        let key = fence_key(shard);
        let stored = self.map.get(&(Space::FENCES, key.clone()));
        let current = stored.and_then(|stored| epoch_of(&stored.value)).unwrap_or(Epoch(0));
        if epoch < current {
            return Err(StoreError::Fenced { shard, current });
        }
        Ok((epoch > current).then_some((key, epoch)))
    }

    fn holds(&self, expect: &Expect) -> bool {
        let (space, key) = expect.key();
        let stored = self.map.get(&(space, key.clone()));
        match expect {
            Expect::Absent(..) => stored.is_none(),
            Expect::Version(_, _, version) => stored.is_some_and(|stored| stored.version == *version),
        }
    }

    /// Checks that no key of an insert has a value when its turn comes.
    fn check_inserts(&self, ops: &[Op]) -> Result<(), StoreError> {
        let mut changed = BTreeMap::new();
        for op in ops {
            let (space, key) = op.key();
            let full = (space, key.clone());
            let present = changed.get(&full).copied().unwrap_or_else(|| self.map.contains_key(&full));
            let stores = match op {
                Op::Insert(..) if present => return Err(NOT_ABSENT),
                Op::Insert(..) | Op::Put(..) => true,
                Op::Delete(..) => false,
            };
            changed.insert(full, stores);
        }
        Ok(())
    }

    fn page(&self, space: Space, range: KeyRange, reverse: bool, limit: usize) -> Page {
        let mut found: Box<dyn Iterator<Item = _>> = match self.keys(space, &range) {
            None => return Page::default(),
            Some(keys) if reverse => Box::new(keys.rev()),
            Some(keys) => Box::new(keys),
        };
        let (mut items, mut bytes) = (Vec::new(), 0);
        while items.len() < limit && bytes < limits::PAGE_BYTES {
            let Some(((_, key), stored)) = found.next() else { return Page { items, next: None } };
            bytes += key.len() + stored.value.len();
            items.push((key.clone(), stored.value.clone()));
        }
        let next = match (found.next(), items.last()) {
            (Some(_), Some((last, _))) => Some(range.rest(last, reverse)),
            _ => None,
        };
        Page { items, next }
    }

    fn keys<'a>(
        &'a self,
        space: Space,
        range: &KeyRange,
    ) -> Option<impl DoubleEndedIterator<Item = (&'a (Space, Key), &'a Versioned)> + use<'a>> {
        // `BTreeMap::range` panics on a range that ends before it starts.
        if range.is_empty() {
            return None;
        }
        let end = match &range.end {
            Some(end) => Bound::Excluded((space, end.clone())),
            None => Bound::Excluded((Space::from_byte(space.byte() + 1), Bytes::new())),
        };
        Some(self.map.range((Bound::Included((space, range.start.clone())), end)))
    }

    fn delete(&mut self, space: Space, range: &KeyRange, max: usize) -> u64 {
        let doomed: Vec<_> =
            self.keys(space, range).into_iter().flatten().take(max).map(|(key, _)| key.clone()).collect();
        self.commits += u64::from(!doomed.is_empty());
        for key in &doomed {
            self.map.remove(key);
        }
        doomed.len() as u64
    }
}

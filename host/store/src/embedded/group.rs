//! Several batches merged into one write of an engine: conditions are checked against what the earlier ones leave.
//!
//! A refused batch leaves no trace in the group. It must never write: the committer applies the result.

use std::collections::HashMap;

use super::{
    ReadError,
    engine::{View, Write},
    layout::{self, Slot, chunk_key, chunks_of, record_key},
    meta::{State, weight},
};
use crate::{
    batch::{Batch, CommitSeq, Epoch, Expect, NOT_ABSENT, Op, ShardId, Space, epoch_of, fence_key},
    envelope::{self, Kind},
    error::StoreError,
};

/// A group of batches under construction.
pub(super) struct Group<'a, V> {
    view: &'a V,
    state: State,
    /// Every key that the group has looked at or changes.
    entries: HashMap<Vec<u8>, Entry>,
    /// Chunks that it writes or removes.
    chunks: HashMap<Vec<u8>, Change>,
    /// Epochs that the group has looked at or raised.
    epochs: HashMap<ShardId, Epoch>,
}

/// What the group leaves under a key.
#[derive(Default)]
struct Entry {
    slot: Option<Slot>,
    change: Option<Change>,
}

/// A new record or none, and what all changes of the key so far add to the digest.
#[derive(Default)]
struct Change {
    record: Option<Vec<u8>>,
    delta: u64,
}

impl<'a, V: View> Group<'a, V> {
    /// Begins a group on the state that the last one left.
    pub(super) fn new(view: &'a V, state: State) -> Self {
        Self { view, state, entries: HashMap::new(), chunks: HashMap::new(), epochs: HashMap::new() }
    }

    /// Adds a batch, or refuses it and leaves the group as it was.
    pub(super) fn add(&mut self, batch: &Batch) -> Result<CommitSeq, ReadError> {
        let raised = self.check_fence(batch)?;
        for expect in &batch.expect {
            if !self.holds(expect)? {
                return Err(ReadError::Refused(StoreError::Conflict));
            }
        }
        let keys = self.check_ops(&batch.ops)?;
        self.state.commit += 1;
        if let Some((shard, epoch)) = raised {
            let key = record_key(Space::FENCES, &fence_key(shard));
            self.look(&key)?;
            self.replace(key, Some(&epoch.0.to_be_bytes()));
            self.epochs.insert(shard, epoch);
        }
        for (op, key) in batch.ops.iter().zip(keys) {
            match op {
                Op::Put(_, _, value) | Op::Insert(_, _, value) => self.replace(key, Some(value)),
                Op::Delete(..) => self.replace(key, None),
            }
        }
        Ok(CommitSeq(self.state.commit))
    }

    /// Adds the removal of records found in the map, as one commit.
    pub(super) fn remove(&mut self, record_keys: Vec<Vec<u8>>) -> Result<(), ReadError> {
        for key in &record_keys {
            self.look(key)?;
        }
        self.state.commit += 1;
        for key in record_keys {
            self.replace(key, None);
        }
        Ok(())
    }

    /// The writes to apply, in the order of their keys, and the state after them.
    pub(super) fn finish(self) -> (Vec<Write>, State) {
        let changed = self.entries.into_iter().filter_map(|(key, entry)| Some((key, entry.change?)));
        let changed = changed.chain(self.chunks);
        let writes = changed.map(|(key, Change { record, delta })| Write { key, record, delta });
        let mut writes: Vec<_> = writes.collect();
        let (key, record) = self.state.record();
        writes.push(Write { key, record: Some(record), delta: 0 });
        // Neighbours lie on the same pages.
        writes.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        (writes, self.state)
    }

    /// Looks at every key before any is changed: a damaged old value refuses the whole batch. A key of an insert
    /// has no old value by promise; debug builds check that. Returns the keys of the records.
    fn check_ops(&mut self, ops: &[Op]) -> Result<Vec<Vec<u8>>, ReadError> {
        let mut keys: Vec<Vec<u8>> = Vec::with_capacity(ops.len());
        for op in ops {
            let (space, key) = op.key();
            let key = record_key(space, key);
            match op {
                Op::Put(..) | Op::Delete(..) => {
                    self.look(&key)?;
                }
                Op::Insert(..) if cfg!(debug_assertions) => {
                    let earlier = ops.iter().zip(&keys).rfind(|(_, earlier)| **earlier == key);
                    let present = match earlier.map(|(op, _)| op) {
                        Some(Op::Put(..) | Op::Insert(..)) => true,
                        Some(Op::Delete(..)) => false,
                        None => self.look(&key)?.is_some(),
                    };
                    if present {
                        return Err(ReadError::Refused(NOT_ABSENT));
                    }
                }
                Op::Insert(..) => {}
            }
            keys.push(key);
        }
        Ok(keys)
    }

    fn check_fence(&mut self, batch: &Batch) -> Result<Option<(ShardId, Epoch)>, ReadError> {
        let Some((shard, epoch)) = batch.fence else { return Ok(None) };
        let current = if let Some(epoch) = self.epochs.get(&shard) {
            *epoch
        } else {
            let stored = layout::get(self.view, &record_key(Space::FENCES, &fence_key(shard)))?;
            let stored = stored.and_then(|stored| epoch_of(&stored.value)).unwrap_or(Epoch(0));
            *self.epochs.entry(shard).or_insert(stored)
        };
        if epoch < current {
            return Err(ReadError::Refused(StoreError::Fenced { shard, current }));
        }
        Ok((epoch > current).then_some((shard, epoch)))
    }

    fn holds(&mut self, expect: &Expect) -> Result<bool, ReadError> {
        let (space, key) = expect.key();
        let slot = self.look(&record_key(space, key))?;
        Ok(match expect {
            Expect::Absent(..) => slot.is_none(),
            Expect::Version(_, _, version) => slot.is_some_and(|slot| slot.version == *version),
        })
    }

    /// What lies under a key once the batches so far are applied.
    fn look(&mut self, record_key: &[u8]) -> Result<Option<Slot>, ReadError> {
        if let Some(entry) = self.entries.get(record_key) {
            return Ok(entry.slot);
        }
        let slot = layout::slot(self.view, record_key)?;
        self.entries.insert(record_key.to_vec(), Entry { slot, change: None });
        Ok(slot)
    }

    /// Writes or removes a value with its chunks, removes chunks that the old one leaves behind, and keeps the
    /// digest. A key that was not looked at has no old value.
    fn replace(&mut self, key: Vec<u8>, value: Option<&[u8]>) {
        let commit = self.state.commit;
        let old = self.entries.get(&key).and_then(|entry| entry.slot);
        let new =
            value.map(|value| Slot { version: commit, chunks: chunks_of(value.len(), V::PAYLOAD_BYTES) });
        if old.is_none() && new.is_none() {
            return;
        }
        let (kept, were) = (new.map_or(0, |new| new.chunks), old.map_or(0, |old| old.chunks));
        let mut pieces = value.filter(|_| kept > 0).unwrap_or_default().chunks(V::PAYLOAD_BYTES);
        for number in 0..kept.max(were) {
            let chunk = chunk_key(&key, number);
            let lost = old.filter(|_| number < were).map_or(0, |old| weight(&chunk, old.version));
            let piece = pieces.next();
            let gained = piece.map_or(0, |_| weight(&chunk, commit));
            let record = piece.map(|piece| envelope::encode(&chunk, Kind::Chunk, commit, piece));
            let delta = gained.wrapping_sub(lost);
            self.state.digest = self.state.digest.wrapping_add(delta);
            self.chunks.entry(chunk).or_default().set(record, delta);
        }
        let record = value.map(|value| {
            if kept == 0 {
                return envelope::encode(&key, Kind::Inline, commit, value);
            }
            let head = layout::encode_head(value.len(), V::PAYLOAD_BYTES);
            envelope::encode(&key, Kind::Head, commit, &head)
        });
        let lost = old.map_or(0, |old| weight(&key, old.version));
        let delta = new.map_or(0, |_| weight(&key, commit)).wrapping_sub(lost);
        self.state.digest = self.state.digest.wrapping_add(delta);
        let entry = self.entries.entry(key).or_default();
        entry.slot = new;
        entry.change.get_or_insert_default().set(record, delta);
    }
}

impl Change {
    fn set(&mut self, record: Option<Vec<u8>>, delta: u64) {
        self.record = record;
        self.delta = self.delta.wrapping_add(delta);
    }
}

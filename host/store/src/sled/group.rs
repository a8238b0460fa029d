//! Several batches merged into one write of sled: conditions are checked against what the earlier ones leave.
//!
//! A refused batch leaves no trace in the group. It must never touch the tree: the committer applies the result.

use std::collections::HashMap;

use sled::Db;

use super::{
    ReadError,
    layout::{self, Slot, chunk_key, record_key},
    meta::{State, weight},
};
use crate::{
    batch::{Batch, CommitSeq, Epoch, Expect, Op, ShardId, Space, epoch_of, fence_key},
    envelope::{self, Kind, PAYLOAD_BYTES},
    error::StoreError,
};

/// A group of batches under construction.
pub(super) struct Group<'a> {
    db: &'a Db,
    state: State,
    /// What the group leaves under the keys that it has looked at.
    slots: HashMap<Vec<u8>, Option<Slot>>,
    /// Epochs that the group has looked at or raised.
    epochs: HashMap<ShardId, Epoch>,
    writes: sled::Batch,
}

impl<'a> Group<'a> {
    /// Begins a group on the state that the last one left.
    pub(super) fn new(db: &'a Db, state: State) -> Self {
        Self { db, state, slots: HashMap::new(), epochs: HashMap::new(), writes: sled::Batch::default() }
    }

    /// Adds a batch, or refuses it and leaves the group as it was.
    pub(super) fn add(&mut self, batch: &Batch) -> Result<CommitSeq, ReadError> {
        let raised = self.check_fence(batch)?;
        for expect in &batch.expect {
            if !self.holds(expect)? {
                return Err(ReadError::Refused(StoreError::Conflict));
            }
        }
        // Look at every key before changing any: a damaged old value refuses the whole batch.
        for (space, key) in batch.ops.iter().map(Op::key) {
            self.slot(&record_key(space, key))?;
        }
        self.state.commit += 1;
        if let Some((shard, epoch)) = raised {
            self.replace(record_key(Space::FENCES, &fence_key(shard)), Some(&epoch.0.to_be_bytes()))?;
            self.epochs.insert(shard, epoch);
        }
        for op in &batch.ops {
            match op {
                Op::Put(space, key, value) | Op::Insert(space, key, value) => {
                    self.replace(record_key(*space, key), Some(value))?;
                }
                Op::Delete(space, key) => self.replace(record_key(*space, key), None)?,
            }
        }
        Ok(CommitSeq(self.state.commit))
    }

    /// Adds the removal of records found in the tree, as one commit.
    pub(super) fn remove(&mut self, record_keys: Vec<Vec<u8>>) -> Result<(), ReadError> {
        self.state.commit += 1;
        record_keys.into_iter().try_for_each(|key| self.replace(key, None))
    }

    /// The write to apply, and the state after it.
    pub(super) fn finish(mut self) -> (sled::Batch, State) {
        let (key, record) = self.state.record();
        self.writes.insert(key, record);
        (self.writes, self.state)
    }

    fn check_fence(&mut self, batch: &Batch) -> Result<Option<(ShardId, Epoch)>, ReadError> {
        let Some((shard, epoch)) = batch.fence else { return Ok(None) };
        let current = if let Some(epoch) = self.epochs.get(&shard) {
            *epoch
        } else {
            let stored = layout::get(self.db, &record_key(Space::FENCES, &fence_key(shard)))?;
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
        let slot = self.slot(&record_key(space, key))?;
        Ok(match expect {
            Expect::Absent(..) => slot.is_none(),
            Expect::Version(_, _, version) => slot.is_some_and(|slot| slot.version == *version),
        })
    }

    /// What lies under a key once the batches so far are applied.
    fn slot(&mut self, record_key: &[u8]) -> Result<Option<Slot>, ReadError> {
        if let Some(slot) = self.slots.get(record_key) {
            return Ok(*slot);
        }
        let slot = layout::slot(self.db, record_key)?;
        self.slots.insert(record_key.to_vec(), slot);
        Ok(slot)
    }

    /// Writes or removes a value with its chunks, removes chunks that the old one leaves behind, and keeps the
    /// digest.
    fn replace(&mut self, key: Vec<u8>, value: Option<&[u8]>) -> Result<(), ReadError> {
        let old = self.slot(&key)?;
        let new =
            value.map(|value| Slot { version: self.state.commit, chunks: layout::chunks_of(value.len()) });
        if let Some(old) = old {
            self.state.digest = self.state.digest.wrapping_sub(total_weight(&key, old));
        }
        if let Some(new) = new {
            self.state.digest = self.state.digest.wrapping_add(total_weight(&key, new));
        }
        let kept = new.map_or(0, |new| new.chunks);
        for number in kept..old.map_or(0, |old| old.chunks) {
            self.writes.remove(chunk_key(&key, number));
        }
        match value {
            None if old.is_some() => self.writes.remove(key.clone()),
            None => {}
            Some(value) if kept == 0 => self.write(&key, Kind::Inline, value),
            Some(value) => {
                for (number, chunk) in (0..).zip(value.chunks(PAYLOAD_BYTES)) {
                    self.write(&chunk_key(&key, number), Kind::Chunk, chunk);
                }
                self.write(&key, Kind::Head, &layout::encode_head(value.len()));
            }
        }
        self.slots.insert(key, new);
        Ok(())
    }

    fn write(&mut self, key: &[u8], kind: Kind, payload: &[u8]) {
        self.writes.insert(key, envelope::encode(key, kind, self.state.commit, payload));
    }
}

/// The weight of a value's record and of all its chunks.
fn total_weight(record_key: &[u8], slot: Slot) -> u64 {
    let chunks = (0..slot.chunks).map(|number| weight(&chunk_key(record_key, number), slot.version));
    chunks.fold(weight(record_key, slot.version), u64::wrapping_add)
}

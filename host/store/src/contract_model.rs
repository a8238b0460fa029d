//! The model that a backend is compared with: a `BTreeMap`, and random steps on both.
//!
//! The steps are plain data, so that a property test can generate and shrink them. It must never share code with
//! a backend.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;

use crate::{
    backend::{Backend, KeyRange},
    batch::{Batch, CommitSeq, Epoch, Op, ShardId, Space},
    contract::Harness,
    error::StoreError,
};

const SPACES: [Space; 2] = [Space::new(b'M'), Space::new(b'N')];

/// One step of a random test. Keys are small numbers, so that steps meet on the same keys.
#[derive(Debug, Clone)]
pub enum Step {
    /// One batch of changes under conditions.
    Commit {
        /// Space and key; whether the key is to be absent or, if present in the model, at its version.
        expect: Vec<(bool, u8)>,
        /// Space and key; the length of the value to put, or `None` to delete.
        changes: Vec<(bool, u8, Option<u16>)>,
        /// Shard and epoch.
        fence: Option<(u8, u8)>,
    },
    /// A scan of a range with pages of `limit`.
    Scan {
        /// The space.
        space: bool,
        /// First key.
        start: u8,
        /// Key after the range.
        end: Option<u8>,
        /// Whether to scan backwards.
        reverse: bool,
        /// Items of a page.
        limit: u8,
    },
    /// The deletion of a range.
    Delete {
        /// The space.
        space: bool,
        /// First key.
        start: u8,
        /// Key after the range.
        end: Option<u8>,
        /// Most keys to delete.
        max: u8,
    },
    /// A close and a new open; nothing for a backend that keeps nothing.
    Reopen,
}

/// What a backend should hold.
#[derive(Debug, Default)]
pub struct Model {
    map: BTreeMap<(Space, Bytes), (Bytes, u64)>,
    epochs: BTreeMap<u32, u64>,
    last: u64,
}

/// Runs steps on a fresh backend and on the model.
///
/// # Panics
/// If they differ.
pub async fn run_steps(harness: &dyn Harness, steps: &[Step]) {
    let mut backend = harness.fresh().await;
    let mut model = Model::default();
    for (number, step) in steps.iter().enumerate() {
        backend = model.step(harness, backend, step, number).await;
    }
    model.compare(&*backend).await;
}

fn space(second: bool) -> Space {
    SPACES[usize::from(second)]
}

/// Keys of different lengths, some a prefix of others, in an order that differs from that of the numbers.
fn key(number: u8) -> Bytes {
    let mut key = vec![number.reverse_bits()];
    key.resize(1 + usize::from(number % 3), 0);
    key.into()
}

fn range(start: u8, end: Option<u8>) -> KeyRange {
    KeyRange { start: key(start), end: end.map(key) }
}

impl Model {
    async fn step(
        &mut self,
        harness: &dyn Harness,
        backend: Arc<dyn Backend>,
        step: &Step,
        number: usize,
    ) -> Arc<dyn Backend> {
        match step {
            Step::Commit { expect, changes, fence } => {
                let (batch, expected) = self.batch(expect, changes, *fence, number);
                match (backend.commit(batch.clone()).await, expected) {
                    (Ok(commit), None) => self.apply(batch, commit),
                    (Err(error), Some(expected)) => assert_eq!(error, expected, "step {number}"),
                    (found, expected) => panic!("step {number}: {found:?} instead of {expected:?}"),
                }
            }
            Step::Scan { space: second, start, end, reverse, limit } => {
                let wanted = self.range(space(*second), &range(*start, *end), *reverse);
                let (mut found, mut next) = (Vec::new(), Some(range(*start, *end)));
                while let Some(range) = next {
                    let limit = usize::from(*limit).max(1);
                    let page = backend.scan(space(*second), range, *reverse, limit).await.expect("a scan");
                    found.extend(page.items);
                    next = page.next;
                }
                assert!(found == wanted, "step {number}: a scan of {} items", wanted.len());
            }
            Step::Delete { space: second, start, end, max } => {
                let mut doomed = self.range(space(*second), &range(*start, *end), false);
                doomed.truncate((*max).into());
                let deleted = backend.delete_range(space(*second), range(*start, *end), (*max).into()).await;
                assert_eq!(deleted, Ok(doomed.len() as u64), "step {number}");
                for (key, _) in doomed {
                    self.map.remove(&(space(*second), key));
                }
            }
            Step::Reopen => return harness.reopen(Arc::clone(&backend)).await.unwrap_or(backend),
        }
        backend
    }

    /// Builds a batch and says how it should be refused, if so.
    fn batch(
        &self,
        expect: &[(bool, u8)],
        changes: &[(bool, u8, Option<u16>)],
        fence: Option<(u8, u8)>,
        number: usize,
    ) -> (Batch, Option<StoreError>) {
        let (mut batch, mut refused) = (Batch::new(), None);
        for (index, (second, key_number)) in expect.iter().enumerate() {
            let (space, key) = (space(*second), key(*key_number));
            match self.map.get(&(space, key.clone())) {
                // Every fourth condition on a present key is one that does not hold.
                Some((_, version)) if index % 4 != 3 => batch.expect_version(space, key, *version),
                found => {
                    refused = found.map(|_| StoreError::Conflict).or(refused);
                    batch.expect_absent(space, key)
                }
            };
        }
        let mut stands = BTreeMap::new();
        for (index, (second, key_number, length)) in changes.iter().enumerate() {
            let (space, key) = (space(*second), key(*key_number));
            let full = (space, key.clone());
            let present = stands.get(&full).copied().unwrap_or_else(|| self.map.contains_key(&full));
            stands.insert(full, length.is_some());
            let value = |length: u16| vec![number.to_le_bytes()[0]; usize::from(length)];
            match length {
                None => batch.delete(space, key),
                // Every second one that may be an insert is one.
                Some(length) if !present && index % 2 == 0 => batch.insert(space, key, value(*length)),
                Some(length) => batch.put(space, key, value(*length)),
            };
        }
        if let Some((shard, epoch)) = fence {
            let current = self.epochs.get(&shard.into()).copied().unwrap_or_default();
            let shard = ShardId(shard.into());
            batch.fenced_by(shard, Epoch(epoch.into()));
            if u64::from(epoch) < current {
                refused = Some(StoreError::Fenced { shard, current: Epoch(current) });
            }
        }
        (batch, refused)
    }

    fn apply(&mut self, batch: Batch, commit: CommitSeq) {
        assert!(commit.0 > self.last, "commit {} after {}", commit.0, self.last);
        self.last = commit.0;
        if let Some((shard, epoch)) = batch.fence {
            self.epochs.insert(shard.0, epoch.0);
        }
        for op in batch.ops {
            match op {
                Op::Put(space, key, value) | Op::Insert(space, key, value) => {
                    self.map.insert((space, key), (value, commit.0))
                }
                Op::Delete(space, key) => self.map.remove(&(space, key)),
            };
        }
    }

    fn range(&self, wanted: Space, range: &KeyRange, reverse: bool) -> Vec<(Bytes, Bytes)> {
        let all = self.map.iter().filter(|((space, key), _)| *space == wanted && range.contains(key));
        let mut found: Vec<_> = all.map(|((_, key), (value, _))| (key.clone(), value.clone())).collect();
        if reverse {
            found.reverse();
        }
        found
    }

    async fn compare(&self, backend: &dyn Backend) {
        for ((space, key), (value, version)) in &self.map {
            let stored = backend.get(*space, key).await.expect("a get").expect("a value");
            assert!(stored.value == value && stored.version == *version, "{space} {key:?} differs");
        }
    }
}

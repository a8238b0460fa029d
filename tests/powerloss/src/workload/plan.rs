//! What each task of the workload does, step by step: the same for the program under test and for its judge.
//!
//! A pure function of the seed, the life (one run of the program), the task and the step.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use crate::note::Print;

/// Spaces of the store: records that are overwritten and deleted, and such that are written once and removed from
/// the front, as history is.
pub const SPACES: [u8; 2] = [RECORDS, HISTORY];
const RECORDS: u8 = b'k';
const HISTORY: u8 = b'h';

/// Records that a task overwrites and deletes.
const RECORD_KEYS: u16 = 24;
/// Most history records that one step adds.
const ADDED: u8 = 3;
/// Bytes between two stamps in a value.
pub const STAMP_EVERY: usize = 1024;

/// What a store holds of one task: a key with the byte of its space in front, and what its value looks like.
pub type State = BTreeMap<Vec<u8>, Print>;

/// One run of the program under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Plan {
    /// Makes this run's values unlike those of all others.
    pub seed: u64,
    /// How often the store was opened before.
    pub life: u16,
    /// Tasks that commit at the same time, each with keys of its own.
    pub tasks: u8,
    /// Steps of each task.
    pub steps: u32,
}

/// A change of one key, or its removal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// The space, then the key.
    pub key: Vec<u8>,
    /// The new value.
    pub value: Option<Vec<u8>>,
}

/// What a task does at once and waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Commits one batch; no key is in it twice.
    Batch(Vec<Write>),
    /// Deletes so many of the first history records.
    DeleteFirst(usize),
}

/// Identifies one piece of one value wherever it is written: sixteen bytes, half of them from the seed.
pub type Stamp = [u8; 16];

impl Plan {
    /// The first half of all stamps of this run.
    pub fn magic(&self) -> [u8; 8] {
        (hash(&(self.seed, self.life, "magic")) | 1).to_le_bytes()
    }

    fn random(&self, task: u8, step: u32, what: &str) -> fastrand::Rng {
        fastrand::Rng::with_seed(hash(&(self.seed, self.life, task, step, what)))
    }

    /// A task's step.
    pub fn step(&self, task: u8, step: u32) -> Step {
        let mut random = self.random(task, step, "step");
        if step > 2 && random.u8(..10) == 0 {
            return Step::DeleteFirst(random.usize(1..20));
        }
        let value = |number: u8, bytes: usize| Some(self.value(task, step, number, bytes));
        let mut writes = vec![Write { key: vec![RECORDS, task, b'!'], value: value(0, 48) }];
        let mut keys: Vec<u16> = (0..RECORD_KEYS).collect();
        random.shuffle(&mut keys);
        for (number, key) in (1..).zip(&keys[..random.usize(1..5)]) {
            let [high, low] = key.to_be_bytes();
            let deleted = random.u8(..5) == 0;
            let bytes = length(&mut random);
            let value = if deleted { None } else { value(number, bytes) };
            writes.push(Write { key: vec![RECORDS, task, high, low], value });
        }
        for added in 0..random.u8(..=ADDED) {
            let mut key = vec![HISTORY, task];
            key.extend(self.life.to_be_bytes());
            key.extend(step.to_be_bytes());
            key.push(added);
            let bytes = length(&mut random);
            writes.push(Write { key, value: value(100 + added, bytes) });
        }
        Step::Batch(writes)
    }

    /// A value: random bytes with a stamp at the start of each stretch.
    fn value(&self, task: u8, step: u32, number: u8, bytes: usize) -> Vec<u8> {
        let mut value = vec![0; bytes];
        self.random(task, step, "value").fill(&mut value);
        // Values of one step differ in more than their stamps.
        for byte in &mut value {
            *byte ^= number;
        }
        for (piece, stretch) in (0..).zip(value.chunks_mut(STAMP_EVERY)) {
            if let Some(place) = stretch.first_chunk_mut() {
                *place = self.stamp(task, step, number, piece);
            }
        }
        value
    }

    fn stamp(&self, task: u8, step: u32, number: u8, piece: u16) -> Stamp {
        let mut stamp = [0; 16];
        stamp[..8].copy_from_slice(&self.magic());
        stamp[8] = task;
        stamp[9] = number;
        stamp[10..14].copy_from_slice(&step.to_le_bytes());
        stamp[14..].copy_from_slice(&piece.to_le_bytes());
        stamp
    }
}

/// Mostly small, some that the store cuts into chunks, a few of 100 KB.
fn length(random: &mut fastrand::Rng) -> usize {
    match random.u8(..20) {
        0 => 0,
        1..=11 => random.usize(1..1_500),
        12..=16 => random.usize(1_500..8_192),
        17 | 18 => random.usize(8_192..32_768),
        _ => random.usize(32_768..=100_000),
    }
}

/// The stamps of a value.
pub fn stamps(value: &[u8]) -> impl Iterator<Item = Stamp> {
    value.chunks(STAMP_EVERY).filter_map(|stretch| stretch.first_chunk().copied())
}

/// What a value looks like.
pub fn print(value: &[u8]) -> Print {
    Print(u32::try_from(value.len()).unwrap_or(u32::MAX), hash(value))
}

/// The states through which one step takes what a task has: the last one when it is complete. A batch is one; the
/// records of a deletion may go one after the other.
pub fn states_of(step: &Step, state: &State) -> Vec<State> {
    let mut state = state.clone();
    match step {
        Step::Batch(writes) => {
            for write in writes {
                match &write.value {
                    Some(value) => drop(state.insert(write.key.clone(), print(value))),
                    None => drop(state.remove(&write.key)),
                }
            }
            vec![state]
        }
        Step::DeleteFirst(most) => {
            let first: Vec<_> = state.keys().filter(|key| key[0] == HISTORY).take(*most).cloned().collect();
            let mut states = vec![state.clone()];
            states.extend(first.into_iter().map(|key| {
                state.remove(&key);
                state.clone()
            }));
            states
        }
    }
}

/// The range that [`Step::DeleteFirst`] deletes from: the byte of its space and the prefix of its keys.
pub fn history_of(task: u8) -> (u8, Vec<u8>) {
    (HISTORY, vec![task])
}

fn hash<T: Hash + ?Sized>(thing: &T) -> u64 {
    // Without random keys: the same in every process.
    let mut hasher = DefaultHasher::new();
    thing.hash(&mut hasher);
    hasher.finish()
}

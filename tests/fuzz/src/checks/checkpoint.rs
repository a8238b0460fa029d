//! A stored execution that is rewritten part by part, as a store does: only what a transition names as changed.
//!
//! Parts are kept in serialised form, so that whatever does not come back as it was shows.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use stepwell_asl::{Branch, BranchId, Changed, Execution, Join, Remains, Variables};

/// Deepest part. Stores read about 1,000 levels back, and each level costs stack wherever a value is walked.
const DEPTH: usize = 500;
/// Deepest part that is also written as text: `serde_json` reads 127 levels.
const TEXT_DEPTH: usize = 120;

/// The parts of an execution, serialised.
pub struct Checkpoint {
    /// An execution without any parts: `context` and `input` never change.
    whole: Value,
    progress: Value,
    branches: BTreeMap<BranchId, Value>,
    joins: BTreeMap<BranchId, Value>,
    /// By the join's Started event, because one branch may join many times.
    results: BTreeMap<(u64, u64), Value>,
    variables: BTreeMap<BranchId, Value>,
    /// What an ended execution has left is in no checkpoint: a replay makes it.
    remains: Option<Box<Remains>>,
}

impl Checkpoint {
    pub fn new(execution: &Execution) -> Checkpoint {
        Checkpoint {
            whole: serialised(execution),
            progress: serialised(&execution.progress),
            branches: BTreeMap::new(),
            joins: BTreeMap::new(),
            results: BTreeMap::new(),
            variables: BTreeMap::new(),
            remains: None,
        }
    }

    /// Rewrites the changed parts.
    pub fn write(&mut self, execution: &Execution, changed: &Changed) {
        self.progress = serialised(&execution.progress);
        self.remains.clone_from(&execution.remains);
        for id in &changed.branches {
            put(&mut self.branches, *id, execution.branches.get(id));
        }
        for id in &changed.variables {
            put(&mut self.variables, *id, execution.variables.get(id));
        }
        for id in &changed.joins {
            put(&mut self.joins, *id, execution.joins.get(id));
        }
        for (id, index) in &changed.results {
            let Some(join) = execution.joins.get(id) else { continue };
            let result = execution.results.get(id).and_then(|results| results.get(index));
            put(&mut self.results, (join.started_event_id, *index), result);
        }
        let joins: Vec<u64> = execution.joins.values().map(|join| join.started_event_id).collect();
        self.results.retain(|(join, _), _| joins.contains(join));
    }

    /// The execution as recovery finds it.
    pub fn read(&self) -> Execution {
        let mut execution: Execution = read(&self.whole);
        execution.progress = read(&self.progress);
        execution.remains.clone_from(&self.remains);
        execution.branches = self.branches.iter().map(|(id, part)| (*id, read::<Branch>(part))).collect();
        execution.joins = self.joins.iter().map(|(id, part)| (*id, read::<Join>(part))).collect();
        execution.variables =
            self.variables.iter().map(|(id, part)| (*id, read::<Variables>(part))).collect();
        for (id, join) in &execution.joins {
            for ((_, index), result) in
                self.results.range((join.started_event_id, 0)..(join.started_event_id + 1, 0))
            {
                execution.results.entry(*id).or_default().insert(*index, result.clone());
            }
        }
        execution
    }
}

fn put<K: Ord, T: Serialize>(parts: &mut BTreeMap<K, Value>, key: K, part: Option<&T>) {
    match part {
        Some(part) => drop(parts.insert(key, serialised(part))),
        None => drop(parts.remove(&key)),
    }
}

fn serialised<T: Serialize>(part: &T) -> Value {
    let value = match serde_json::to_value(part) {
        Ok(value) => value,
        Err(error) => panic!("a checkpoint cannot be written: {error}"),
    };
    let depth = depth(&value);
    assert!(depth <= DEPTH, "a checkpoint is {depth} levels deep");
    if depth > TEXT_DEPTH {
        return value;
    }
    let read: Value = serde_json::from_str(&value.to_string()).unwrap_or_default();
    assert_eq!(read, value, "text comes back as it was");
    read
}

fn read<T: DeserializeOwned>(part: &Value) -> T {
    match T::deserialize(part) {
        Ok(part) => part,
        Err(error) => panic!("a checkpoint cannot be read: {error}"),
    }
}

/// How deep arrays and objects lie within each other. Without recursion: what is too deep is not to overflow here.
fn depth(value: &Value) -> usize {
    let (mut deepest, mut open) = (0, vec![(value, 1)]);
    while let Some((value, depth)) = open.pop() {
        let before = open.len();
        open.extend(value.as_array().into_iter().flatten().map(|inner| (inner, depth + 1)));
        open.extend(
            value.as_object().into_iter().flat_map(serde_json::Map::values).map(|inner| (inner, depth + 1)),
        );
        if open.len() > before {
            deepest = deepest.max(depth);
        }
    }
    deepest
}

//! What shards have to do at this moment, for gauges. It must never be decided by.

use std::sync::atomic::{AtomicUsize, Ordering};

/// What all shards together have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Messages that wait for a shard.
    pub messages: usize,
    /// Executions in memory.
    pub executions: usize,
    /// Timers that are set in memory; parked executions have none.
    pub timers: usize,
}

/// What one shard has, as it last said.
#[derive(Debug, Default)]
pub(crate) struct ShardLoad {
    executions: AtomicUsize,
    timers: AtomicUsize,
}

impl ShardLoad {
    /// Notes what a shard has between two turns.
    pub(crate) fn set(&self, executions: usize, timers: usize) {
        self.executions.store(executions, Ordering::Relaxed);
        self.timers.store(timers, Ordering::Relaxed);
    }

    /// Adds it, with the messages that wait.
    pub(crate) fn add_to(&self, load: &mut Load, messages: usize) {
        load.messages += messages;
        load.executions += self.executions.load(Ordering::Relaxed);
        load.timers += self.timers.load(Ordering::Relaxed);
    }
}

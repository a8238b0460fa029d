//! Which shard owns what, and how others reach it.
//!
//! Ownership holds within this process: nothing of it may be stored.

use crate::endings::Endings;
use crate::load::ShardLoad;
use crate::shard::Message;
use crate::stall::Stall;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};

/// The shards, and who of them owns what.
#[derive(Clone)]
pub(crate) struct Shards(pub(super) Arc<[ShardHandle]>);

/// A shard as others see it.
pub(crate) struct ShardHandle {
    pub(crate) sender: mpsc::Sender<Message>,
    /// Room for executions that are read back without anybody asking.
    pub(crate) revivals: Arc<Semaphore>,
    /// Who waits for the ends of its executions.
    pub(crate) endings: Arc<Endings>,
    /// Whether it gets its turns durable.
    pub(crate) stall: Arc<Stall>,
    /// What it has in memory.
    pub(crate) load: Arc<ShardLoad>,
}

impl Shards {
    /// The shard that owns an ARN. Only meaningful within this process: nothing of it is stored.
    pub(crate) fn of(&self, execution_arn: &str) -> &ShardHandle {
        let mut hasher = DefaultHasher::new();
        execution_arn.hash(&mut hasher);
        let shards = self.0.len() as u64;
        let index = usize::try_from(hasher.finish() % shards).unwrap_or_default();
        &self.0[index]
    }

    /// Whether they have all ended.
    pub(crate) fn ended(&self) -> bool {
        self.0.iter().all(|shard| shard.sender.is_closed())
    }
}

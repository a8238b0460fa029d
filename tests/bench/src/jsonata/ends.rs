//! A backend that tells when an execution has ended, by its ARN: the moment when its last transition is committed.
//!
//! It must never change, delay or merge what passes.

use crate::watched::WatchedBackend;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use stepwell_store::{Backend, Batch, CommitSeq, Fatal, KeyRange, Op, Page, Space, StoreError, Versioned};
use tokio::sync::oneshot;

/// Where the typed store finds the id of an execution by its ARN. Space bytes are for ever.
const NAMES: Space = Space::new(b'n');
/// Where it lists those that have ended, by time and id.
const CLOSED: Space = Space::new(b'r');

/// A backend with ears.
pub struct EndsBackend {
    inner: Arc<WatchedBackend>,
    executions: Mutex<Executions>,
}

#[derive(Default)]
struct Executions {
    /// ARNs of the open executions, by id.
    open: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Who waits for the end of an execution, by ARN.
    waiting: BTreeMap<Vec<u8>, oneshot::Sender<Instant>>,
}

impl EndsBackend {
    /// Listens to a backend.
    pub fn new(inner: Arc<WatchedBackend>) -> EndsBackend {
        EndsBackend { inner, executions: Mutex::default() }
    }

    /// The end of an execution that is yet to be started.
    pub fn end_of(&self, execution_arn: &str) -> oneshot::Receiver<Instant> {
        let (sender, receiver) = oneshot::channel();
        self.executions().waiting.insert(execution_arn.as_bytes().to_vec(), sender);
        receiver
    }

    fn executions(&self) -> MutexGuard<'_, Executions> {
        self.executions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Backend for EndsBackend {
    async fn commit(&self, batch: Batch) -> Result<CommitSeq, StoreError> {
        let (mut begun, mut ended) = (Vec::new(), Vec::new());
        for op in &batch.ops {
            match op {
                Op::Put(space, name, id) | Op::Insert(space, name, id) if *space == NAMES => {
                    begun.push((id.to_vec(), name.to_vec()));
                }
                Op::Put(space, key, _) | Op::Insert(space, key, _) if *space == CLOSED => {
                    ended.push(key[8..].to_vec());
                }
                Op::Put(..) | Op::Insert(..) | Op::Delete(..) => {}
            }
        }
        let commit = self.inner.commit(batch).await?;
        let (now, mut executions) = (Instant::now(), self.executions());
        executions.open.extend(begun);
        for id in ended {
            let arn = executions.open.remove(&id);
            if let Some(sender) = arn.and_then(|arn| executions.waiting.remove(&arn)) {
                // Whoever waited may have given up.
                let _ = sender.send(now);
            }
        }
        Ok(commit)
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
        self.inner.delete_range(space, range, max).await
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

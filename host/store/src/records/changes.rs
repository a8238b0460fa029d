//! Builds the batch of one or more transitions. What belongs together is put together here, so that a
//! terminal status can never be stored without its last history event.

use super::execution::{ExecutionId, LogLine};
use super::machine::MachineRecord;
use super::space;
use super::store::encode;
use super::tracked::{Moved, Tracked};
use crate::batch::{Batch, Key, Space};
use crate::error::StoreError;
use crate::limits;
use stepwell_asl::Execution;

/// Changes to be committed together.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    batch: Batch,
    /// Batches of records that nothing leads to before `batch` is stored. They go first; if `batch` never
    /// follows, they are as good as not there.
    unreachable: Vec<Batch>,
    /// Bytes of keys and values put so far.
    bytes: usize,
    /// Of these, the bytes of the last of `unreachable`.
    unreachable_bytes: usize,
}

impl Changes {
    /// No changes yet.
    pub fn new() -> Changes {
        Changes::default()
    }

    /// Whether there is nothing to commit.
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty() && self.unreachable.is_empty()
    }

    /// Size of keys and values, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Entries of the batch that must be stored as one, of at most [`limits::BATCH_ENTRIES`].
    pub fn entries(&self) -> usize {
        self.batch.ops.len() + self.batch.expect.len()
    }

    /// A transition of an execution; the first one starts it: `Conflict` when its ARN is in use.
    pub fn transition(&mut self, tracked: &mut Tracked, moved: Moved<'_>) -> Result<(), StoreError> {
        tracked.record_in(self, moved)
    }

    /// A checkpoint of an execution that runs and is not being moved, unless its last one tells all.
    pub fn checkpoint(&mut self, tracked: &mut Tracked, execution: &Execution) -> Result<(), StoreError> {
        tracked.catch_up(self, execution)
    }

    /// Log lines of a task that ended with the event before `next_event`.
    pub fn log(&mut self, id: ExecutionId, next_event: u64, lines: &[LogLine]) -> Result<(), StoreError> {
        if !lines.is_empty() {
            self.put(space::LOGS, space::event_key(id, next_event), encode(&lines)?);
        }
        Ok(())
    }

    /// A machine with the text of its current revision; `expected` is the version that was read, none for a
    /// new machine.
    pub fn machine(
        &mut self,
        record: &MachineRecord,
        definition: &str,
        expected: Option<u64>,
    ) -> Result<(), StoreError> {
        self.expect(space::MACHINES, record.arn.clone().into(), expected);
        self.put(space::MACHINES, record.arn.clone().into(), encode(record)?);
        let key = space::definition_key(record.id, record.revision);
        self.put(space::DEFINITIONS, key, definition.as_bytes().to_vec());
        Ok(())
    }

    /// The batches, in the order in which they are to be committed.
    pub(super) fn into_batches(self) -> impl Iterator<Item = Batch> {
        self.unreachable.into_iter().chain([self.batch])
    }

    /// The condition that a key still has the version that was read; none: that it has no value.
    pub(super) fn expect(&mut self, space: Space, key: Key, version: Option<u64>) {
        match version {
            None => self.batch.expect_absent(space, key),
            Some(version) => self.batch.expect_version(space, key, version),
        };
    }

    pub(super) fn put(&mut self, space: Space, key: Key, value: Vec<u8>) {
        self.bytes += key.len() + value.len();
        self.batch.put(space, key, value);
    }

    /// Stores a value under a key that has none: nobody looks.
    pub(super) fn insert(&mut self, space: Space, key: Key, value: Vec<u8>) {
        self.bytes += key.len() + value.len();
        self.batch.insert(space, key, value);
    }

    pub(super) fn delete(&mut self, space: Space, key: Key) {
        self.bytes += key.len();
        self.batch.delete(space, key);
    }

    /// Adds a record that nothing leads to before the rest of this transition is stored. A state that begins more
    /// branches than one batch holds can be stored so.
    pub(super) fn put_unreachable(&mut self, space: Space, key: Key, value: Vec<u8>) {
        let bytes = key.len() + value.len();
        if self.unreachable.is_empty()
            && self.entries() < limits::CHANGES_ENTRIES
            && self.bytes < limits::CHANGES_BYTES
        {
            return self.put(space, key, value);
        }
        let full = self.unreachable.last().is_none_or(|last| {
            last.ops.len() >= limits::CHANGES_ENTRIES || self.unreachable_bytes >= limits::CHANGES_BYTES
        });
        if full {
            self.unreachable.push(Batch::new());
            self.unreachable_bytes = 0;
        }
        self.bytes += bytes;
        self.unreachable_bytes += bytes;
        if let Some(last) = self.unreachable.last_mut() {
            last.put(space, key, value);
        }
    }
}

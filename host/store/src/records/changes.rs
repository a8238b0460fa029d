//! Builds the batch of one or more transitions. What belongs together is put together here, so that a
//! terminal status can never be stored without its last history event.

use super::execution::{ExecutionId, ExecutionSummary, LogLine, StartRecord};
use super::machine::{MachineId, MachineRecord};
use super::space;
use super::store::encode;
use crate::batch::Batch;
use crate::error::StoreError;
use stepwell_asl::{Execution, HistoryEvent, Status};

/// Changes to be committed together.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    batch: Batch,
}

impl Changes {
    /// No changes yet.
    pub fn new() -> Changes {
        Changes::default()
    }

    /// Whether there is nothing to commit.
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// Size of keys and values, in bytes.
    pub fn bytes(&self) -> usize {
        self.batch.bytes()
    }

    /// A new execution with the history of its first transition. Conflict when its ARN is in use.
    pub fn start(
        &mut self,
        id: ExecutionId,
        record: &StartRecord,
        execution: &Execution,
        history: &[HistoryEvent],
    ) -> Result<(), StoreError> {
        let name = execution.context.execution_arn.clone();
        self.batch.expect_absent(space::NAMES, name.clone());
        self.batch.put(space::NAMES, name, id.0.to_vec());
        self.batch.put(space::STARTS, id.0.to_vec(), encode(record)?);
        self.batch.put(space::OPEN, id.0.to_vec(), Vec::new());
        self.transition(id, record.machine, execution, history)
    }

    /// A transition: the checkpoint, its history, and the indexes when the status changes with it.
    pub fn transition(
        &mut self,
        id: ExecutionId,
        machine: MachineId,
        execution: &Execution,
        history: &[HistoryEvent],
    ) -> Result<(), StoreError> {
        self.batch.put(space::CHECKPOINTS, id.0.to_vec(), encode(execution)?);
        let Some(first) = history.first() else { return Ok(()) };
        self.batch.put(space::HISTORY, space::event_key(id, first.id), encode(&history)?);
        let begins = first.id == 1;
        let ends = execution.status != Status::Running;
        if begins || ends {
            self.list(id, machine, execution)?;
        }
        if ends {
            self.batch.delete(space::OPEN, id.0.to_vec());
            self.batch.delete(space::STATUSES, space::status_key(machine, Status::Running, id));
        }
        Ok(())
    }

    /// Log lines of a task that ended with the event before `next_event`.
    pub fn log(&mut self, id: ExecutionId, next_event: u64, lines: &[LogLine]) -> Result<(), StoreError> {
        if !lines.is_empty() {
            self.batch.put(space::LOGS, space::event_key(id, next_event), encode(&lines)?);
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
        match expected {
            None => self.batch.expect_absent(space::MACHINES, record.arn.clone()),
            Some(version) => self.batch.expect_version(space::MACHINES, record.arn.clone(), version),
        };
        self.batch.put(space::MACHINES, record.arn.clone(), encode(record)?);
        let key = space::definition_key(record.id, record.revision);
        self.batch.put(space::DEFINITIONS, key, definition.as_bytes().to_vec());
        Ok(())
    }

    pub(super) fn into_batch(self) -> Batch {
        self.batch
    }

    pub(super) fn batch(&mut self) -> &mut Batch {
        &mut self.batch
    }

    fn list(&mut self, id: ExecutionId, machine: MachineId, execution: &Execution) -> Result<(), StoreError> {
        let summary = ExecutionSummary {
            name: execution.context.execution_name.clone(),
            status: execution.status,
            started_at: execution.context.start_time,
            stopped_at: execution.stop_time,
        };
        self.batch.put(space::LISTS, space::list_key(machine, id), encode(&summary)?);
        self.batch.put(space::STATUSES, space::status_key(machine, execution.status, id), Vec::new());
        Ok(())
    }
}

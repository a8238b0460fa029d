//! The spaces of the typed store and their keys. Ids are 16 bytes and ordered by time, numbers big-endian,
//! so that keys of one execution lie together and new ones go to the end.
//!
//! A space's byte and key layout are for ever: a new layout takes a new byte.

use super::execution::ExecutionId;
use super::machine::MachineId;
use crate::batch::{Key, Space};
use stepwell_asl::Status;

/// State machines: ARN -> `MachineRecord`.
pub(super) const MACHINES: Space = Space::new(b'm');
/// Definition texts: machine id, revision -> text.
pub(super) const DEFINITIONS: Space = Space::new(b'd');
/// Modules: name -> `ModuleRecord`.
pub(super) const MODULES: Space = Space::new(b'w');
/// Names of executions: ARN -> execution id.
pub(super) const NAMES: Space = Space::new(b'n');
/// Facts of the start: execution id -> `StartRecord`. Written once.
pub(super) const STARTS: Space = Space::new(b'e');
/// Checkpoints: execution id -> `Execution`.
pub(super) const CHECKPOINTS: Space = Space::new(b'x');
/// History: execution id, first event id -> the events of one transition.
pub(super) const HISTORY: Space = Space::new(b'h');
/// Logs of module calls: execution id, event id after which they came -> lines.
pub(super) const LOGS: Space = Space::new(b'g');
/// Executions that have not ended: execution id -> nothing.
pub(super) const OPEN: Space = Space::new(b'o');
/// Executions of a machine: machine id, execution id -> `ExecutionSummary`.
pub(super) const LISTS: Space = Space::new(b'l');
/// Executions of a machine by status: machine id, status byte, execution id -> nothing.
pub(super) const STATUSES: Space = Space::new(b's');

/// The keys of `DEFINITIONS`.
pub(super) fn definition_key(machine: MachineId, revision: u64) -> Key {
    [machine.0.as_slice(), &revision.to_be_bytes()].concat().into()
}

/// The keys of `HISTORY` and `LOGS`.
pub(super) fn event_key(execution: ExecutionId, event: u64) -> Key {
    [execution.0.as_slice(), &event.to_be_bytes()].concat().into()
}

/// The keys of `LISTS`.
pub(super) fn list_key(machine: MachineId, execution: ExecutionId) -> Key {
    [machine.0, execution.0].concat().into()
}

/// The keys of `STATUSES`.
pub(super) fn status_key(machine: MachineId, status: Status, execution: ExecutionId) -> Key {
    [machine.0.as_slice(), &[status_byte(status)], &execution.0].concat().into()
}

/// The keys of `STATUSES` with one status.
pub(super) fn status_prefix(machine: MachineId, status: Status) -> Key {
    [machine.0.as_slice(), &[status_byte(status)]].concat().into()
}

fn status_byte(status: Status) -> u8 {
    match status {
        Status::Running => b'r',
        Status::Succeeded => b's',
        Status::Failed => b'f',
        Status::TimedOut => b't',
        Status::Aborted => b'a',
    }
}

//! The spaces of the typed store and their keys. Ids are 16 bytes and ordered by time, numbers big-endian,
//! so that keys of one execution lie together and new ones go to the end.
//!
//! A space's byte and key layout are for ever: a new layout takes a new byte. Format 1 had starts under `e` and
//! whole checkpoints under `x`; those bytes stay unused.

use super::execution::ExecutionId;
use super::machine::MachineId;
use crate::backend::KeyRange;
use crate::batch::{Key, Space};
use stepwell_asl::{BranchId, Status};

/// State machines: ARN -> `MachineRecord`.
pub(super) const MACHINES: Space = Space::new(b'm');
/// Definition texts: machine id, revision -> text.
pub(super) const DEFINITIONS: Space = Space::new(b'd');
/// Modules: name -> `ModuleRecord`.
pub(super) const MODULES: Space = Space::new(b'w');
/// Published versions of modules: name, zero byte, number -> `ModuleVersionRecord`.
pub(super) const VERSIONS: Space = Space::new(b'v');
/// Aliases of modules: name, zero byte, alias -> `ModuleAliasRecord`.
pub(super) const ALIASES: Space = Space::new(b'a');
/// Secrets: name -> `SecretRecord`.
pub(super) const SECRETS: Space = Space::new(b'k');
/// Names of executions: ARN -> execution id.
pub(super) const NAMES: Space = Space::new(b'n');
/// What never changes after the start: execution id -> `Facts`. Written once.
pub(super) const STARTS: Space = Space::new(b'f');
/// Where executions stand: execution id -> `Standing`. Rewritten by every transition.
pub(super) const CHECKPOINTS: Space = Space::new(b'c');
/// The parts of executions that a transition rewrites only when it changes them: execution id, kind, what the
/// kind asks for -> part. A part counts only while another record leads to it (see `checkpoint`).
pub(super) const PARTS: Space = Space::new(b'p');
/// Executions that have ended and may still have parts: execution id -> nothing.
pub(super) const LEFTOVERS: Space = Space::new(b'q');
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

/// How the keys of a module's versions and aliases begin. A module's name holds no zero byte.
pub(super) fn module_prefix(name: &str) -> Key {
    [name.as_bytes(), &[0]].concat().into()
}

/// The keys of `VERSIONS`.
pub(super) fn version_key(name: &str, number: u64) -> Key {
    [name.as_bytes(), &[0], &number.to_be_bytes()].concat().into()
}

/// The keys of `ALIASES`.
pub(super) fn alias_key(name: &str, alias: &str) -> Key {
    [name.as_bytes(), &[0], alias.as_bytes()].concat().into()
}

/// The keys of `HISTORY` and `LOGS`.
pub(super) fn event_key(execution: ExecutionId, event: u64) -> Key {
    [execution.0.as_slice(), &event.to_be_bytes()].concat().into()
}

/// The key of the root branch in `PARTS`.
pub(super) fn root_key(execution: ExecutionId) -> Key {
    part_key(execution, b'b', &[])
}

/// The key of a join in `PARTS`, by the branch that stands in it.
pub(super) fn join_key(execution: ExecutionId, branch: BranchId) -> Key {
    part_key(execution, b'j', &[branch.0])
}

/// The key of a branch's variables in `PARTS`.
pub(super) fn variables_key(execution: ExecutionId, branch: BranchId) -> Key {
    part_key(execution, b'v', &[branch.0])
}

/// The key in `PARTS` of the branch with this index in the join that began with the event `started`.
pub(super) fn slot_key(execution: ExecutionId, started: u64, index: u64) -> Key {
    part_key(execution, b's', &[started, index])
}

/// The slots of a join whose index is below `next`.
pub(super) fn slots(execution: ExecutionId, started: u64, next: u64) -> KeyRange {
    KeyRange::between(slot_key(execution, started, 0), slot_key(execution, started, next))
}

fn part_key(execution: ExecutionId, kind: u8, numbers: &[u64]) -> Key {
    let mut key = Vec::with_capacity(33);
    key.extend_from_slice(&execution.0);
    key.push(kind);
    for number in numbers {
        key.extend_from_slice(&number.to_be_bytes());
    }
    key.into()
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

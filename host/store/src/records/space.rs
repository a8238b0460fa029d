//! The spaces of the typed store and their keys. Ids are 16 bytes and ordered by time, numbers big-endian,
//! so that keys of one execution lie together and new ones go to the end.
//!
//! A space's byte and key layout are for ever: a new layout takes a new byte. Bytes that older formats used for
//! something else stay unused: `e`, `x` (format 1), `f`, `o`, `l`, `s`, `h` (format 2).

use super::apart::TextId;
use super::execution::ExecutionId;
use super::machine::MachineId;
use crate::backend::KeyRange;
use crate::batch::{Key, Space};
use stepwell_asl::{BranchId, Status, Timestamp};

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
/// Access keys: id -> `AccessKeyRecord`.
pub(super) const ACCESS_KEYS: Space = Space::new(b'u');
/// Log groups: account, zero byte, name -> `LogGroupRecord`.
pub(super) const LOG_GROUPS: Space = Space::new(b'G');
/// Connections: account, zero byte, region, zero byte, name -> `ConnectionRecord`.
pub(super) const CONNECTIONS: Space = Space::new(b'C');
/// Activities: ARN -> `ActivityRecord`.
pub(super) const ACTIVITIES: Space = Space::new(b'z');
/// Names of executions: ARN -> execution id.
pub(super) const NAMES: Space = Space::new(b'n');
/// Checkpoints: execution id -> `Standing`. It may lag behind the journal, and be missing where that tells all.
pub(super) const CHECKPOINTS: Space = Space::new(b'c');
/// The parts of checkpoints that the next one rewrites only when they have changed: execution id, kind, what the
/// kind asks for -> part. A part counts only while another record leads to it (see `checkpoint`).
pub(super) const PARTS: Space = Space::new(b'p');
/// Executions that have ended and may still have parts: execution id -> nothing.
pub(super) const LEFTOVERS: Space = Space::new(b'q');
/// The journal: execution id, first event id -> `Entry`.
pub(super) const HISTORY: Space = Space::new(b'j');
/// Long texts of the journal: execution id, id of the text -> text.
pub(super) const TEXTS: Space = Space::new(b'b');
/// Logs of module calls: execution id, event id after which they came -> lines.
pub(super) const LOGS: Space = Space::new(b'g');
/// Executions: list byte, machine id, execution id -> `ExecutionSummary`.
pub(super) const LISTS: Space = Space::new(b'i');
/// Executions that rest: when they are to be woken up, execution id -> ARN.
pub(super) const WAKES: Space = Space::new(b't');
/// Executions that have ended: when, execution id -> nothing.
pub(super) const CLOSED: Space = Space::new(b'r');

/// Published versions of machines: machine id, number -> `MachineVersionRecord`.
pub(super) const MACHINE_VERSIONS: Space = Space::new(b'V');
/// Aliases of machines: machine id, alias -> `MachineAliasRecord`.
pub(super) const MACHINE_ALIASES: Space = Space::new(b'A');
/// Tags: ARN of what is tagged -> `TagsRecord`.
pub(super) const TAGS: Space = Space::new(b'T');
/// What names of modules stood for: module, zero byte, qualifier, zero byte, until when -> `ModulePastRecord`.
pub(super) const MODULE_PASTS: Space = Space::new(b'H');

/// Asynchronous Express executions that have not ended: execution id -> `ExpressRecord`.
pub(super) const EXPRESS: Space = Space::new(b'y');

/// Redrives of an execution that may be asked for again: execution id -> `RedriveRecord`.
pub(super) const REDRIVES: Space = Space::new(b'R');

/// Event buses, their rules and how far status changes are told: kind, account, zero byte, region, zero byte, name;
/// for a rule its bus, zero byte, its name.
pub(super) const EVENT_BUSES: Space = Space::new(b'B');
/// Events on their way: when to try next, id -> `EventDeliveryRecord`.
pub(super) const EVENT_DELIVERIES: Space = Space::new(b'E');
/// Schedules: kind, account, zero byte, region, zero byte, group, zero byte, name -> `ScheduleRecord`.
pub(super) const SCHEDULES: Space = Space::new(b'S');
/// Webhooks: account, zero byte, name -> `WebhookRecord`.
pub(super) const WEBHOOKS: Space = Space::new(b'K');

/// All spaces in use. Whoever adds one also adds its check (`verify`).
pub(super) const KNOWN: &[Space] = &[
    MACHINES,
    DEFINITIONS,
    MODULES,
    VERSIONS,
    ALIASES,
    SECRETS,
    ACCESS_KEYS,
    LOG_GROUPS,
    CONNECTIONS,
    ACTIVITIES,
    NAMES,
    CHECKPOINTS,
    PARTS,
    LEFTOVERS,
    HISTORY,
    TEXTS,
    LOGS,
    LISTS,
    WAKES,
    CLOSED,
    MACHINE_VERSIONS,
    MACHINE_ALIASES,
    TAGS,
    MODULE_PASTS,
    EXPRESS,
    REDRIVES,
    EVENT_BUSES,
    EVENT_DELIVERIES,
    SCHEDULES,
    WEBHOOKS,
    Space::FENCES,
];

/// Spaces whose keys begin with the id of an execution, in the order in which a removal takes their records: a reader
/// that misses a text then finds that its record is gone as well.
pub(super) const OF_EXECUTION: [Space; 4] = [HISTORY, TEXTS, LOGS, PARTS];

/// The list of the executions that run.
pub(super) const OPEN: u8 = b'o';
/// The list of those that run and rest.
pub(super) const PARKED: u8 = b'p';
/// All lists.
pub(super) const ALL_LISTS: [u8; 6] = [OPEN, PARKED, b's', b'f', b't', b'a'];

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

/// The execution whose id a key begins with.
pub(super) fn owner_of(key: &[u8]) -> Option<ExecutionId> {
    key.first_chunk().map(|id| ExecutionId(*id))
}

/// The keys of `TEXTS`.
pub(super) fn text_key(execution: ExecutionId, text: TextId) -> Key {
    [execution.0, text].concat().into()
}

/// The keys of `MACHINE_VERSIONS`.
pub(super) fn machine_version_key(machine: MachineId, number: u64) -> Key {
    [machine.0.as_slice(), &number.to_be_bytes()].concat().into()
}

/// The keys of `MACHINE_ALIASES`.
pub(super) fn machine_alias_key(machine: MachineId, alias: &str) -> Key {
    [machine.0.as_slice(), alias.as_bytes()].concat().into()
}

/// The keys of `MODULE_PASTS`. Neither a module's name nor a qualifier holds a zero byte.
pub(super) fn module_past_key(name: &str, qualifier: &str, until: Timestamp) -> Key {
    [&*module_past_prefix(name, qualifier), &time_prefix(until)].concat().into()
}

/// How they begin.
pub(super) fn module_past_prefix(name: &str, qualifier: &str) -> Key {
    [name.as_bytes(), &[0], qualifier.as_bytes(), &[0]].concat().into()
}

/// The keys of `EVENT_BUSES` and `SCHEDULES`.
pub(super) fn event_bus_key(kind: u8, [account, region, name]: [&str; 3]) -> Key {
    [&[kind], account.as_bytes(), &[0], region.as_bytes(), &[0], name.as_bytes()].concat().into()
}

/// The keys of `EVENT_DELIVERIES`.
pub(super) fn event_delivery_key(due: Timestamp, id: &[u8; 16]) -> Key {
    [time_prefix(due).as_slice(), id].concat().into()
}

/// The keys of `LOG_GROUPS` and `WEBHOOKS`. An account holds no zero byte.
pub(super) fn log_group_key(account: &str, name: &str) -> Key {
    [account.as_bytes(), &[0], name.as_bytes()].concat().into()
}

/// The keys of `CONNECTIONS`. Neither an account nor a region holds a zero byte.
pub(super) fn connection_key(account: &str, region: &str, name: &str) -> Key {
    [account.as_bytes(), &[0], region.as_bytes(), &[0], name.as_bytes()].concat().into()
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
pub(super) fn list_key(list: u8, machine: MachineId, execution: ExecutionId) -> Key {
    [&[list], machine.0.as_slice(), &execution.0].concat().into()
}

/// The keys of `LISTS` with one list and machine.
pub(super) fn list_prefix(list: u8, machine: MachineId) -> Key {
    [&[list], machine.0.as_slice()].concat().into()
}

/// The keys of `WAKES` and `CLOSED`: earlier times come first, those before 1970 as well.
pub(super) fn time_key(at: Timestamp, execution: ExecutionId) -> Key {
    [time_prefix(at).as_slice(), &execution.0].concat().into()
}

/// How they begin.
pub(super) fn time_prefix(at: Timestamp) -> [u8; 8] {
    at.0.wrapping_sub(i64::MIN).to_be_bytes()
}

/// The time and the execution that a key of `WAKES` or `CLOSED` names.
pub(super) fn time_of(key: &[u8]) -> Option<(Timestamp, ExecutionId)> {
    let (time, id) = key.split_first_chunk::<8>()?;
    Some((Timestamp(i64::from_be_bytes(*time).wrapping_add(i64::MIN)), ExecutionId(id.try_into().ok()?)))
}

/// The lists that executions with this status are in.
pub(super) fn lists_of(status: Status) -> &'static [u8] {
    match status {
        Status::Running => &[OPEN, PARKED],
        Status::Succeeded => b"s",
        Status::Failed => b"f",
        Status::TimedOut => b"t",
        Status::Aborted => b"a",
    }
}

/// The list of the executions that ended so.
pub(super) fn closed_list(status: Status) -> u8 {
    lists_of(status)[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_spaces_have_one_byte() {
        let distinct: std::collections::BTreeSet<Space> = KNOWN.iter().copied().collect();
        assert_eq!(distinct.len(), KNOWN.len());
    }
}

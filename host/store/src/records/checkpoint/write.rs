//! Writes the parts of an execution that a transition changed.
//!
//! It must never write more: the cost of a transition stays the same however large the execution grows.

use super::{Facts, Running, Slot, Stands};
use crate::batch::Key;
use crate::error::StoreError;
use crate::records::changes::Changes;
use crate::records::execution::{ExecutionId, StartRecord};
use crate::records::space;
use crate::records::store::encode;
use serde_json::Value;
use stepwell_asl::{Branch, BranchId, Execution, Status, Transition};

/// The stored form of the facts.
pub(in crate::records) fn encode_facts(
    start: &StartRecord,
    execution: &Execution,
) -> Result<Vec<u8>, StoreError> {
    encode(&Facts { start, context: &execution.context, input: &execution.input })
}

/// Adds what a transition changed. `last_branch` was the newest branch before it.
pub(in crate::records) fn write(
    changes: &mut Changes,
    id: ExecutionId,
    transition: &Transition,
    last_branch: BranchId,
) -> Result<(), StoreError> {
    let Transition { execution, changed, .. } = transition;
    let ended = execution.progress.status != Status::Running;
    let root = execution.branches.get(&BranchId::ROOT).filter(|_| execution.joins.is_empty());
    let root = root.map(|root| running(execution, BranchId::ROOT, root));
    let stands = Stands { progress: &execution.progress, root };
    changes.put(space::CHECKPOINTS, Key::copy_from_slice(&id.0), encode(&stands)?);
    if ended {
        leave_behind(changes, id, execution, changed.variables.contains(&BranchId::ROOT));
        return Ok(());
    }
    // Whether a branch has variables is said with the branch.
    for branch in changed.branches.union(&changed.variables) {
        write_branch(changes, id, execution, *branch, last_branch)?;
    }
    for branch in &changed.joins {
        if let Some(join) = execution.joins.get(branch) {
            changes.put(space::PARTS, space::join_key(id, *branch), encode(join)?);
        }
    }
    for (branch, index) in &changed.results {
        // Results of a join that has ended since are in its branch's output already.
        let Some(join) = execution.joins.get(branch) else { continue };
        if let Some(output) = execution.results.get(branch).and_then(|results| results.get(index)) {
            let slot: Slot<&Branch, &Value> = Slot::Ended(output);
            changes.put(space::PARTS, space::slot_key(id, join.started_event_id, *index), encode(&slot)?);
        }
    }
    for branch in &changed.variables {
        if let Some(variables) = execution.variables.get(branch) {
            changes.put(space::PARTS, space::variables_key(id, *branch), encode(variables)?);
        }
    }
    Ok(())
}

/// Writes a branch that waits, to the slot that it has in its join. The root has a part only while it joins: it
/// changes when it forks, so the part is written whenever the standing no longer holds it.
fn write_branch(
    changes: &mut Changes,
    id: ExecutionId,
    execution: &Execution,
    branch_id: BranchId,
    last_branch: BranchId,
) -> Result<(), StoreError> {
    let Some(branch) = execution.branches.get(&branch_id) else { return Ok(()) };
    let running = running(execution, branch_id, branch);
    let Some(parent) = branch.parent else {
        if !execution.joins.is_empty() {
            changes.put(space::PARTS, space::root_key(id), encode(&running)?);
        }
        return Ok(());
    };
    let orphan = StoreError::Invalid("a branch of an execution belongs to no join");
    let join = execution.joins.get(&parent).ok_or(orphan)?;
    let slot: Slot<&Branch, &Value> = Slot::Running(running);
    let key = space::slot_key(id, join.started_event_id, branch.index);
    if branch_id > last_branch {
        // Its join, or the one stored so far, does not count it yet.
        changes.put_unreachable(space::PARTS, key, encode(&slot)?);
    } else {
        changes.put(space::PARTS, key, encode(&slot)?);
    }
    Ok(())
}

/// An ended execution's parts are left to [`crate::Store::sweep`]; one that only ever had variables needs no sweep.
fn leave_behind(changes: &mut Changes, id: ExecutionId, execution: &Execution, had_variables: bool) {
    if execution.progress.last_branch > BranchId::ROOT {
        changes.put(space::LEFTOVERS, Key::copy_from_slice(&id.0), Vec::new());
    } else if had_variables {
        changes.delete(space::PARTS, space::variables_key(id, BranchId::ROOT));
    }
}

fn running<'e>(execution: &Execution, id: BranchId, branch: &'e Branch) -> Running<&'e Branch> {
    Running { id, branch, variables: execution.variables.contains_key(&id) }
}

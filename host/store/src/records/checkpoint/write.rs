//! Writes the parts of an execution that a transition changed.
//!
//! It must never write more: the cost of a transition stays the same however large the execution grows.

use super::{Running, Slot, Stands};
use crate::batch::Key;
use crate::error::StoreError;
use crate::records::changes::Changes;
use crate::records::execution::ExecutionId;
use crate::records::space;
use crate::records::store::encode;
use serde_json::Value;
use stepwell_asl::{Branch, BranchId, Changed, Execution};

/// Adds a checkpoint of a running execution: `dirty` names what the last one does not hold, `last_branch` was the
/// newest branch then.
pub(in crate::records) fn write(
    changes: &mut Changes,
    id: ExecutionId,
    execution: &Execution,
    dirty: &Changed,
    last_branch: BranchId,
) -> Result<(), StoreError> {
    let root = execution.branches.get(&BranchId::ROOT).filter(|_| execution.joins.is_empty());
    let root = root.map(|root| running(execution, BranchId::ROOT, root));
    let standing = Stands { progress: &execution.progress, root };
    changes.put(space::CHECKPOINTS, Key::copy_from_slice(&id.0), encode(&standing)?);
    // Whether a branch has variables is said with the branch.
    for branch in dirty.branches.union(&dirty.variables) {
        write_branch(changes, id, execution, *branch, last_branch)?;
    }
    for branch in &dirty.joins {
        if let Some(join) = execution.joins.get(branch) {
            changes.put(space::PARTS, space::join_key(id, *branch), encode(join)?);
        }
    }
    for (branch, index) in &dirty.results {
        // Results of a join that has ended since are in its branch's output already.
        let Some(join) = execution.joins.get(branch) else { continue };
        if let Some(output) = execution.results.get(branch).and_then(|results| results.get(index)) {
            let slot: Slot<&Branch, &Value> = Slot::Ended(output);
            changes.put(space::PARTS, space::slot_key(id, join.started_event_id, *index), encode(&slot)?);
        }
    }
    for branch in &dirty.variables {
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

fn running<'e>(execution: &Execution, id: BranchId, branch: &'e Branch) -> Running<&'e Branch> {
    Running { id, branch, variables: execution.variables.contains_key(&id) }
}

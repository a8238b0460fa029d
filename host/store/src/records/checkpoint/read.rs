//! Reads checkpoints back, and removes what those of ended executions leave behind.
//!
//! Every read is a page or a single record, and only what the execution still consists of is read.

use super::{Running, Slot, Stands};
use crate::backend::KeyRange;
use crate::batch::Key;
use crate::error::StoreError;
use crate::limits;
use crate::records::changes::Changes;
use crate::records::execution::ExecutionId;
use crate::records::journal::Facts;
use crate::records::space;
use crate::records::store::{Store, decode, id_of};
use serde::de::DeserializeOwned;
use stepwell_asl::{Activity, Branch, BranchId, Execution, Join, Progress, Variables};

impl Store {
    /// Removes the parts of an ended execution that is among the leftovers, in batches that let others pass. Nothing is
    /// lost when it is cut short: [`Store::leftovers`] still names the execution. Once it does so no more, no batch of
    /// an earlier sweep is stored: the parts that there are then may be those of a redrive.
    pub async fn sweep(&self, id: ExecutionId) -> Result<(), StoreError> {
        let key = Key::copy_from_slice(&id.0);
        // Read before: where it goes on after this, the first batch finds that.
        let leftover = self.backend.get(space::LEFTOVERS, &key).await?;
        let standing = self.standing(id).await?;
        if standing.is_some_and(|standing| standing.is_running()) {
            return Err(StoreError::Invalid("only an ended execution can be swept"));
        }
        let Some(leftover) = leftover else { return Ok(()) };
        let mut next = Some(KeyRange::prefix(id.0.to_vec()));
        while let Some(range) = next {
            let page = self.backend.scan(space::PARTS, range, false, limits::DELETE_KEYS).await?;
            let mut changes = Changes::new();
            changes.expect(space::LEFTOVERS, key.clone(), Some(leftover.version));
            for (key, _) in page.items {
                changes.delete(space::PARTS, key);
            }
            if page.next.is_none() {
                changes.delete(space::LEFTOVERS, key.clone());
            }
            next = page.next;
            match self.commit(changes).await {
                // Somebody else has swept it.
                Err(StoreError::Conflict) => return Ok(()),
                outcome => outcome?,
            }
        }
        Ok(())
    }

    /// Ended executions that may still have parts, at most `limit`.
    pub async fn leftovers(&self, limit: usize) -> Result<Vec<ExecutionId>, StoreError> {
        let page = self.backend.scan(space::LEFTOVERS, KeyRange::all(), false, limit).await?;
        page.items.iter().map(|(key, _)| id_of(space::LEFTOVERS, key, key)).collect()
    }

    /// The last checkpoint of a running execution; none if it never had one. Only its writer gets a single moment's
    /// state.
    pub(in crate::records) async fn checkpoint(
        &self,
        id: ExecutionId,
        facts: &Facts,
    ) -> Result<Option<Execution>, StoreError> {
        let stands: Option<Stands<Progress, Branch>> = self.record(space::CHECKPOINTS, &id.0).await?;
        let Some(stands) = stands else { return Ok(None) };
        let mut execution = facts.execution(id)?;
        execution.progress = stands.progress;
        let root = match stands.root {
            Some(root) => root,
            None => self.part(space::root_key(id)).await?,
        };
        let mut joining = Vec::new();
        self.add_branch(id, root, &mut execution, &mut joining).await?;
        // Ends, even in a damaged store: no branch is added twice.
        while let Some(branch) = joining.pop() {
            self.add_join(id, branch, &mut execution, &mut joining).await?;
        }
        Ok(Some(execution))
    }

    async fn add_branch(
        &self,
        id: ExecutionId,
        running: Running<Branch>,
        execution: &mut Execution,
        joining: &mut Vec<BranchId>,
    ) -> Result<(), StoreError> {
        let Running { id: branch_id, branch, variables } = running;
        if variables {
            let variables: Variables = self.part(space::variables_key(id, branch_id)).await?;
            execution.variables.insert(branch_id, variables);
        }
        if matches!(branch.activity, Activity::Joining) {
            joining.push(branch_id);
        }
        match execution.branches.insert(branch_id, branch) {
            None => Ok(()),
            Some(_) => Err(StoreError::corrupt(space::CHECKPOINTS, &id.0, "a branch is in it twice")),
        }
    }

    /// Adds the join that a branch stands in, with all that has begun in it. Slots behind `next` are none of it: a
    /// commit that failed half-way may have left them.
    async fn add_join(
        &self,
        id: ExecutionId,
        waits: BranchId,
        execution: &mut Execution,
        joining: &mut Vec<BranchId>,
    ) -> Result<(), StoreError> {
        let join: Join = self.part(space::join_key(id, waits)).await?;
        let (mut found, mut next) = (0, Some(space::slots(id, join.started_event_id, join.next)));
        while let Some(range) = next {
            let page = self.backend.scan(space::PARTS, range, false, limits::PAGE_ITEMS).await?;
            next = page.next;
            for (key, value) in page.items {
                match decode(space::PARTS, &key, &value)? {
                    Slot::Running(running) => self.add_branch(id, running, execution, joining).await?,
                    Slot::Ended(output) => {
                        let index = key.last_chunk().map_or(0, |index| u64::from_be_bytes(*index));
                        execution.results.entry(waits).or_default().insert(index, output);
                    }
                }
                found += 1;
            }
        }
        if found != join.next {
            let detail = format!("{found} of its {} branches are there", join.next);
            return Err(StoreError::corrupt(space::PARTS, &space::join_key(id, waits), &detail));
        }
        execution.joins.insert(waits, join);
        Ok(())
    }

    async fn part<T: DeserializeOwned>(&self, key: Key) -> Result<T, StoreError> {
        let part = self.record(space::PARTS, &key).await?;
        part.ok_or_else(|| StoreError::corrupt(space::PARTS, &key, "it is missing"))
    }
}

/// Reads a part as what its key says, for nothing but to know that it can be read.
pub(in crate::records) fn check_part(key: &[u8], value: &[u8]) -> Result<(), StoreError> {
    // The lengths that the keys of each kind have, with the execution's id.
    match (key.get(16), key.len()) {
        (Some(b'b'), 17) => decode::<Running<Branch>>(space::PARTS, key, value).map(drop),
        (Some(b'j'), 25) => decode::<Join>(space::PARTS, key, value).map(drop),
        (Some(b'v'), 25) => decode::<Variables>(space::PARTS, key, value).map(drop),
        (Some(b's'), 33) => decode::<Slot<Branch, serde_json::Value>>(space::PARTS, key, value).map(drop),
        (Some(_) | None, _) => Err(StoreError::corrupt(space::PARTS, key, "the key names no part")),
    }
}

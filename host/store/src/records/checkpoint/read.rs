//! Reads executions back, and removes what ended ones leave behind.
//!
//! Every read is a page or a single record, and only what the execution still consists of is read.

use super::{Begun, Requested, Running, Slot, Standing, Stands};
use crate::backend::KeyRange;
use crate::batch::Key;
use crate::error::StoreError;
use crate::limits;
use crate::records::changes::Changes;
use crate::records::execution::{ExecutionId, StartRecord};
use crate::records::space;
use crate::records::store::{Store, decode, id_of};
use serde::de::DeserializeOwned;
use stepwell_asl::{Activity, Branch, BranchId, Execution, Join, Progress, Status, Variables};

impl Store {
    /// What an execution was started with.
    pub async fn start_record(&self, id: ExecutionId) -> Result<Option<StartRecord>, StoreError> {
        let requested: Option<Requested> = self.record(space::STARTS, &id.0).await?;
        Ok(requested.map(|requested| requested.start))
    }

    /// Where an execution stands: two reads, whatever its size.
    pub async fn standing(&self, id: ExecutionId) -> Result<Option<Standing>, StoreError> {
        let Some(stands) = self.stands(id).await? else { return Ok(None) };
        Ok(Some(Standing { context: self.begun(id).await?.context, progress: stands.progress }))
    }

    /// The last checkpoint of an execution, whole. Of one that runs, only its writer gets a single moment's state:
    /// transitions stored meanwhile may show in parts. Who only describes it asks for [`Store::standing`].
    pub async fn checkpoint(&self, id: ExecutionId) -> Result<Option<Execution>, StoreError> {
        let Some(stands) = self.stands(id).await? else { return Ok(None) };
        match self.assemble(id, stands).await {
            // It ended while it was read, and its parts were swept away.
            Err(StoreError::Corrupt { .. }) if self.has_ended(id).await? => match self.stands(id).await? {
                Some(stands) => self.assemble(id, stands).await.map(Some),
                None => Ok(None),
            },
            outcome => outcome.map(Some),
        }
    }

    /// Removes the parts of an ended execution, in batches that let others pass. Nothing is lost when it is cut
    /// short: [`Store::leftovers`] still names the execution.
    pub async fn sweep(&self, id: ExecutionId) -> Result<(), StoreError> {
        if !self.has_ended(id).await? {
            return Err(StoreError::Invalid("only an ended execution can be swept"));
        }
        let mut next = Some(KeyRange::prefix(id.0.to_vec()));
        while let Some(range) = next {
            let page = self.backend.scan(space::PARTS, range, false, limits::DELETE_KEYS).await?;
            let mut changes = Changes::new();
            for (key, _) in page.items {
                changes.delete(space::PARTS, key);
            }
            if page.next.is_none() {
                changes.delete(space::LEFTOVERS, Key::copy_from_slice(&id.0));
            }
            next = page.next;
            self.commit(changes).await?;
        }
        Ok(())
    }

    /// Ended executions that may still have parts, at most `limit`.
    pub async fn leftovers(&self, limit: usize) -> Result<Vec<ExecutionId>, StoreError> {
        let page = self.backend.scan(space::LEFTOVERS, KeyRange::all(), false, limit).await?;
        page.items.iter().map(|(key, _)| id_of(space::LEFTOVERS, key, key)).collect()
    }

    async fn stands(&self, id: ExecutionId) -> Result<Option<Stands<Progress, Branch>>, StoreError> {
        self.record(space::CHECKPOINTS, &id.0).await
    }

    async fn begun(&self, id: ExecutionId) -> Result<Begun, StoreError> {
        let begun = self.record(space::STARTS, &id.0).await?;
        begun.ok_or_else(|| StoreError::corrupt(space::STARTS, &id.0, "it is missing"))
    }

    async fn has_ended(&self, id: ExecutionId) -> Result<bool, StoreError> {
        let stands = self.stands(id).await?;
        Ok(stands.is_none_or(|stands| stands.progress.status != Status::Running))
    }

    async fn assemble(
        &self,
        id: ExecutionId,
        stands: Stands<Progress, Branch>,
    ) -> Result<Execution, StoreError> {
        let Begun { context, input } = self.begun(id).await?;
        let mut execution = Execution::new(context, input);
        execution.progress = stands.progress;
        if execution.progress.status != Status::Running {
            return Ok(execution);
        }
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
        Ok(execution)
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

//! Retention: which executions ended long ago, and how all records of one are removed.
//!
//! The order keeps a half-removed execution out of sight. The first batch takes its name, its list entry and the first
//! records of its journal, all or nothing: from then on it has neither a name nor a start, and nobody finds it. The
//! last batch takes its entry among the closed ones, so whatever cuts a removal short, a later one finds the rest. A
//! name is only ever removed while it stands for this very execution. It must never remove anything of an execution
//! that has not ended.

use super::changes::Changes;
use super::execution::ExecutionId;
use super::load::Standing;
use super::space;
use super::store::{Store, id_of};
use crate::backend::KeyRange;
use crate::batch::{Key, Space};
use crate::error::StoreError;
use crate::limits;
use stepwell_asl::Timestamp;

/// An execution that has ended, as the list of closed ones names it; ordered by when it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Closed {
    /// When it ended.
    pub at: Timestamp,
    /// Which.
    pub id: ExecutionId,
}

/// What one batch of a removal has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removal {
    /// The first so many of the executions are gone; of the next one a part may be.
    pub executions: usize,
    /// Records read and removed.
    pub records: usize,
    /// Bytes of their keys and values.
    pub bytes: usize,
}

/// What goes into one batch.
#[derive(Default)]
struct Doomed {
    changes: Changes,
    records: usize,
    bytes: usize,
}

impl Doomed {
    fn room(&self) -> usize {
        limits::REMOVAL_RECORDS.saturating_sub(self.records)
    }
}

/// The records of one execution that are read to be removed.
struct Found {
    keys: Vec<(Space, Key)>,
    bytes: usize,
    /// Whether these are all.
    all: bool,
}

impl Store {
    /// Executions that ended before this time, those that ended first before the others, from behind `after`.
    pub async fn expired(
        &self,
        after: Option<Closed>,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<Closed>, StoreError> {
        let mut range = KeyRange::all().before(space::time_prefix(before).to_vec());
        if let Some(after) = after {
            range = range.after(&space::time_key(after.at, after.id));
        }
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let page = self.backend.scan(space::CLOSED, range, false, limit).await?;
        page.items.iter().map(|(key, _)| closed_of(key)).collect()
    }

    /// Removes records of these executions, in one batch of about [`limits::REMOVAL_RECORDS`] at most: as many executions as
    /// fit, or a part of the first. Call it again with the rest until that is empty. One that is gone counts as removed.
    ///
    /// Errors: `Invalid` when the first has not ended, and `Corrupt` when its records cannot be trusted to say so: it
    /// can be left out then. `Conflict`: somebody else removed it at the same moment. Those of a commit. Nothing was
    /// removed then, except after `Unknown`.
    pub async fn remove(&self, executions: &[Closed]) -> Result<Removal, StoreError> {
        let mut doomed = Doomed::default();
        let mut removed = 0;
        for closed in executions {
            match self.doom(*closed, &mut doomed).await {
                Ok(true) => removed += 1,
                Ok(false) => break,
                // Those before go first; the next call begins with this one.
                Err(_) if removed > 0 => break,
                Err(failure) => return Err(failure),
            }
            if doomed.room() == 0 {
                break;
            }
        }
        let Doomed { changes, records, bytes } = doomed;
        if !changes.is_empty() {
            self.commit(changes).await?;
        }
        Ok(Removal { executions: removed, records, bytes })
    }

    /// Adds an execution to a batch, or as much of it as an empty batch takes. Whether that is all of it.
    async fn doom(&self, closed: Closed, doomed: &mut Doomed) -> Result<bool, StoreError> {
        let Closed { at, id } = closed;
        let key = space::time_key(at, id);
        let Some(entry) = self.backend.get(space::CLOSED, &key).await? else {
            return match self.standing(id).await? {
                None => Ok(true),
                // It goes on since its entry was read, or has ended anew.
                Some(standing) if standing.redrive.is_some() => Ok(true),
                Some(_) => Err(StoreError::Invalid("only an execution that has ended can be removed")),
            };
        };
        let standing = self.standing(id).await?;
        if standing.as_ref().is_some_and(|standing| standing.stopped_at != Some(at)) {
            // The entry may have gone since it was read, as above.
            if standing.is_some_and(|standing| standing.redrive.is_some()) {
                return Ok(true);
            }
            return Err(StoreError::corrupt(space::CLOSED, &key, "the execution did not end then"));
        }
        let found = self.records_of(id, doomed.room()).await?;
        if !found.all && doomed.records > 0 {
            return Ok(false);
        }
        let changes = &mut doomed.changes;
        // Two removals of one execution come one after the other.
        changes.expect(space::CLOSED, key.clone(), Some(entry.version));
        if let Some(standing) = &standing {
            self.doom_name(id, standing, changes).await?;
            let list = space::closed_list(standing.status);
            changes.delete(space::LISTS, space::list_key(list, standing.start.machine, id));
        }
        doomed.records += found.keys.len();
        doomed.bytes += found.bytes;
        for (space, key) in found.keys {
            changes.delete(space, key);
        }
        if found.all {
            changes.delete(space::CHECKPOINTS, Key::copy_from_slice(&id.0));
            changes.delete(space::LEFTOVERS, Key::copy_from_slice(&id.0));
            changes.delete(space::REDRIVES, Key::copy_from_slice(&id.0));
            changes.delete(space::CLOSED, key);
            // What has hardly any records of its own takes room as well.
            doomed.records += 1;
        }
        Ok(found.all)
    }

    /// Frees the name of an execution, unless it stands for another one.
    async fn doom_name(
        &self,
        id: ExecutionId,
        standing: &Standing,
        changes: &mut Changes,
    ) -> Result<(), StoreError> {
        let arn = standing.context.execution_arn.as_bytes();
        let Some(name) = self.backend.get(space::NAMES, arn).await? else { return Ok(()) };
        if id_of(space::NAMES, arn, &name.value)? == id {
            changes.expect(space::NAMES, Key::copy_from_slice(arn), Some(name.version));
            changes.delete(space::NAMES, Key::copy_from_slice(arn));
        }
        Ok(())
    }

    /// The first `room` records under the id of an execution, its journal's first.
    async fn records_of(&self, id: ExecutionId, room: usize) -> Result<Found, StoreError> {
        let mut found = Found { keys: Vec::new(), bytes: 0, all: true };
        for space in space::OF_EXECUTION {
            let room = room - found.keys.len();
            let range = KeyRange::prefix(id.0.to_vec());
            let page = self.backend.scan(space, range, false, room.max(1)).await?;
            found.all &= page.next.is_none() && page.items.len() <= room;
            for (key, value) in page.items.into_iter().take(room) {
                found.bytes += key.len() + value.len();
                found.keys.push((space, key));
            }
            if !found.all {
                break;
            }
        }
        Ok(found)
    }
}

/// The execution that a key of `CLOSED` names.
pub(super) fn closed_of(key: &[u8]) -> Result<Closed, StoreError> {
    let closed = space::time_of(key).map(|(at, id)| Closed { at, id });
    closed.ok_or_else(|| StoreError::corrupt(space::CLOSED, key, "it names no execution"))
}

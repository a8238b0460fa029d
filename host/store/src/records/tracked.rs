//! What the store holds of an execution that somebody drives: how far its checkpoint lags behind its journal, and which
//! index lists it. The driver keeps it beside the execution and hands it in with every transition.
//!
//! It is true of what is committed, or of the changes under construction: after a failed commit it must be thrown away
//! together with the execution, and both read anew.

use super::apart::Written;
use super::changes::Changes;
use super::checkpoint;
use super::execution::{ExecutionId, ExecutionSummary, StartRecord};
use super::journal::{Entry, Facts};
use super::space;
use super::store::encode;
use crate::batch::Key;
use crate::error::StoreError;
use crate::limits;
use stepwell_asl::{
    BranchId, Changed, EventKind, Execution, ExecutionContext, HistoryEvent, Redrive, Rest, Status,
    Timestamp, Transition,
};

/// An execution, as far as the store is concerned.
#[derive(Clone, Debug)]
pub struct Tracked {
    id: ExecutionId,
    record: StartRecord,
    place: Place,
    /// The parts that differ from those of the checkpoint.
    pub(super) dirty: Changed,
    /// The newest branch of the checkpoint.
    pub(super) last_branch: BranchId,
    /// Whether there is a checkpoint at all, or may be one.
    pub(super) checkpointed: bool,
    /// Bytes that the last checkpoint took.
    checkpoint_bytes: usize,
    /// Transitions in the journal since then, and their bytes.
    pub(super) transitions: usize,
    pub(super) journal_bytes: usize,
    /// The long texts of its journal that are stored.
    written: Written,
}

/// Which index lists an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// None: it is not stored.
    Nowhere {
        /// Whether nobody else can have its name.
        fresh: bool,
    },
    /// It runs, and its next event may come at any time.
    Open,
    /// It runs, and rests ([`Execution::rests_until`]).
    Parked(Rest),
    /// It has ended.
    Closed {
        status: Status,
        at: Timestamp,
        /// The version of its entry among the closed ones, where it was read to be redriven.
        version: Option<u64>,
    },
}

impl Place {
    /// Of one that ends.
    pub(super) fn closed(status: Status, at: Timestamp) -> Place {
        Place::Closed { status, at, version: None }
    }
}

/// How an execution was moved.
pub struct Moved<'a> {
    /// When.
    pub at: Timestamp,
    /// By what.
    pub event: &'a EventKind,
    /// What came of it. Its history is taken out.
    pub transition: &'a mut Transition,
    /// When the execution then rests until after this time, it is listed as parked, to be woken up.
    pub parked_after: Timestamp,
}

impl Tracked {
    /// An execution that is about to start. `fresh`: its name is a new unique one, so that none other can have it.
    pub fn new(id: ExecutionId, record: StartRecord, fresh: bool) -> Tracked {
        Tracked::stored(id, record, Place::Nowhere { fresh })
    }

    pub(super) fn stored(id: ExecutionId, record: StartRecord, place: Place) -> Tracked {
        Tracked {
            id,
            record,
            place,
            dirty: Changed::default(),
            last_branch: BranchId::ROOT,
            checkpointed: false,
            checkpoint_bytes: 0,
            transitions: 0,
            journal_bytes: 0,
            written: Written::default(),
        }
    }

    /// Whose.
    pub fn id(&self) -> ExecutionId {
        self.id
    }

    /// What it was started with.
    pub fn record(&self) -> &StartRecord {
        &self.record
    }

    /// Whether the execution rests, and so need not be in memory; then when it is to be woken up.
    pub fn parked(&self) -> Option<Rest> {
        match self.place {
            Place::Parked(rest) => Some(rest),
            Place::Nowhere { .. } | Place::Open | Place::Closed { .. } => None,
        }
    }

    /// Whether a checkpoint may have left parts behind that an ended execution does not need.
    pub fn leaves_parts(&self) -> bool {
        self.checkpointed
    }

    /// Takes over what a replay has changed since the checkpoint.
    pub fn replayed(&mut self, changed: Changed) {
        self.dirty.merge(changed);
    }

    /// Adds a transition to the changes: its journal, the indexes where it moves on, and a checkpoint where that pays.
    pub(super) fn record_in(&mut self, batch: &mut Changes, moved: Moved<'_>) -> Result<(), StoreError> {
        let Moved { at, event, transition, parked_after } = moved;
        let history = std::mem::take(&mut transition.history);
        let silent = history.is_empty();
        let dirty = std::mem::take(&mut transition.changed);
        if silent && dirty == Changed::default() {
            return Ok(());
        }
        let execution = &transition.execution;
        let before = batch.bytes();
        let spared = self.journal(batch, (at, event), history, execution)?;
        let place = place_of(execution, parked_after);
        self.move_to(batch, place, &execution.context, execution.progress.redrive)?;
        self.transitions += 1;
        // What recovery has to read, whether it was written now or earlier.
        self.journal_bytes += batch.bytes() - before + spared;
        self.dirty.merge(dirty);
        if let Place::Closed { status, .. } = place {
            // From what the others have left, a redrive goes on.
            if status == Status::Succeeded {
                self.leave_behind(batch, execution);
            }
            return Ok(());
        }
        // What history does not tell is in no journal. Who rests may do so until another version of the server runs.
        if silent || self.parked().is_some() || self.checkpoint_pays() {
            self.checkpoint(batch, execution)?;
        }
        Ok(())
    }

    fn journal(
        &mut self,
        changes: &mut Changes,
        event: (Timestamp, &EventKind),
        history: Vec<HistoryEvent>,
        execution: &Execution,
    ) -> Result<usize, StoreError> {
        let starts = matches!(self.place, Place::Nowhere { .. });
        let facts = starts.then(|| Facts { start: self.record.clone(), context: execution.context.clone() });
        let mut spared = 0;
        for entry in Entry::of(facts, event, history, execution.progress.redrive) {
            if let Some(first) = entry.first_event() {
                let (record, apart) = entry.encode()?;
                changes.insert(space::HISTORY, space::event_key(self.id, first), record);
                spared += self.written.put(changes, self.id, apart);
            }
        }
        Ok(spared)
    }

    /// Whether reading the journal would take longer than a checkpoint takes to write.
    fn checkpoint_pays(&self) -> bool {
        let bytes = (limits::CHECKPOINT_FACTOR * self.checkpoint_bytes)
            .clamp(limits::CHECKPOINT_BYTES, limits::CHECKPOINT_MOST_BYTES);
        self.transitions >= limits::CHECKPOINT_TRANSITIONS || self.journal_bytes >= bytes
    }

    /// Adds a checkpoint unless the last one tells all.
    pub(super) fn catch_up(
        &mut self,
        changes: &mut Changes,
        execution: &Execution,
    ) -> Result<(), StoreError> {
        if self.transitions == 0 { Ok(()) } else { self.checkpoint(changes, execution) }
    }

    fn checkpoint(&mut self, changes: &mut Changes, execution: &Execution) -> Result<(), StoreError> {
        let before = changes.bytes();
        let dirty = std::mem::take(&mut self.dirty);
        checkpoint::write(changes, self.id, execution, &dirty, self.last_branch)?;
        self.last_branch = execution.progress.last_branch;
        self.checkpointed = true;
        self.checkpoint_bytes = changes.bytes() - before;
        (self.transitions, self.journal_bytes) = (0, 0);
        Ok(())
    }

    /// The journal of an execution that succeeded tells all; its parts are left to [`crate::Store::sweep`].
    fn leave_behind(&self, changes: &mut Changes, execution: &Execution) {
        if !self.checkpointed {
            return;
        }
        changes.delete(space::CHECKPOINTS, Key::copy_from_slice(&self.id.0));
        if execution.progress.last_branch > BranchId::ROOT {
            changes.put(space::LEFTOVERS, Key::copy_from_slice(&self.id.0), Vec::new());
        } else {
            changes.delete(space::PARTS, space::variables_key(self.id, BranchId::ROOT));
        }
    }

    /// Moves the execution from one index to another.
    pub(super) fn move_to(
        &mut self,
        changes: &mut Changes,
        place: Place,
        context: &ExecutionContext,
        redrive: Option<Redrive>,
    ) -> Result<(), StoreError> {
        if place == self.place {
            return Ok(());
        }
        let (id, machine, arn) = (self.id, self.record.machine, &context.execution_arn);
        match self.place {
            Place::Nowhere { fresh: true } => {
                changes.insert(space::NAMES, arn.clone().into(), id.0.to_vec());
            }
            Place::Nowhere { fresh: false } => {
                changes.expect(space::NAMES, arn.clone().into(), None);
                changes.put(space::NAMES, arn.clone().into(), id.0.to_vec());
            }
            Place::Open => changes.delete(space::LISTS, space::list_key(space::OPEN, machine, id)),
            Place::Parked(rest) => {
                changes.delete(space::LISTS, space::list_key(space::PARKED, machine, id));
                if let Some(due) = rest.due {
                    changes.delete(space::WAKES, space::time_key(due, id));
                }
            }
            Place::Closed { status, at, version: Some(version) } => {
                // Neither another redrive nor a removal comes between, and no sweep meets what is written from now on.
                changes.expect(space::CLOSED, space::time_key(at, id), Some(version));
                changes.expect(space::LEFTOVERS, Key::copy_from_slice(&id.0), None);
                changes.delete(space::CLOSED, space::time_key(at, id));
                changes.delete(space::LISTS, space::list_key(space::closed_list(status), machine, id));
            }
            // Nothing but a redrive moves an ended execution.
            Place::Closed { version: None, .. } => {
                return Err(StoreError::Invalid("an ended execution was moved"));
            }
        }
        let mut summary = ExecutionSummary {
            execution_arn: arn.clone(),
            status: Status::Running,
            started_at: context.start_time,
            stopped_at: None,
            wakes_at: None,
            version: context.version,
            alias: context.alias.clone(),
            redrive,
        };
        let list = match place {
            Place::Nowhere { .. } | Place::Open => space::OPEN,
            Place::Parked(rest) => {
                summary.wakes_at = rest.due;
                if let Some(due) = rest.due {
                    changes.insert(space::WAKES, space::time_key(due, id), arn.clone().into_bytes());
                }
                space::PARKED
            }
            Place::Closed { status, at, .. } => {
                (summary.status, summary.stopped_at) = (status, Some(at));
                changes.insert(space::CLOSED, space::time_key(at, id), Vec::new());
                space::closed_list(status)
            }
        };
        // Whoever leaves a list is taken out of it, so nobody is in the one he enters.
        changes.insert(space::LISTS, space::list_key(list, machine, id), encode(&summary)?);
        self.place = place;
        Ok(())
    }
}

fn place_of(execution: &Execution, parked_after: Timestamp) -> Place {
    let progress = &execution.progress;
    if progress.status != Status::Running {
        return Place::closed(progress.status, progress.stop_time.unwrap_or(execution.context.start_time));
    }
    execution.rests_until(parked_after).map_or(Place::Open, Place::Parked)
}

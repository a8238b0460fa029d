//! Executions that nobody can go on with: their recorded events lead to another history than the recorded one, or a
//! record in the middle cannot be read. They can still be described, and ended.
//!
//! Only what every reader needs is read here, the first and the last record of the journal: never the checkpoint, and
//! nothing is taken through `step`.

use super::apart::Written;
use super::changes::Changes;
use super::execution::ExecutionId;
use super::journal::Entry;
use super::space;
use super::store::Store;
use super::tracked::{Place, Tracked};
use crate::batch::Key;
use crate::error::StoreError;
use stepwell_asl::{EventKind, ExecutionContext, HistoryDetails, HistoryEvent, Redrive, Status, Timestamp};

/// A running execution, as far as ending it takes.
#[derive(Clone, Debug)]
pub struct Stranded {
    tracked: Tracked,
    context: ExecutionContext,
    redrive: Option<Redrive>,
    last_event_id: u64,
    last_event_at: Timestamp,
}

impl Stranded {
    /// Its ARN.
    pub fn execution_arn(&self) -> &str {
        &self.context.execution_arn
    }

    /// When its last event happened: its end must not seem to be earlier.
    pub fn last_event_at(&self) -> Timestamp {
        self.last_event_at
    }
}

impl Store {
    /// A running execution to be ended without being continued; none when it has ended. Only its one writer may ask.
    pub async fn stranded(&self, id: ExecutionId) -> Result<Option<Stranded>, StoreError> {
        let Some(facts) = self.facts(id).await? else { return Ok(None) };
        let Some(place) = self.running_place(id, &facts).await? else { return Ok(None) };
        let redrive = self.last_entry(id).await?.and_then(|entry| entry.redrive);
        let last = self.last_event(id).await?;
        Ok(Some(Stranded {
            tracked: Tracked::stored(id, facts.start, place),
            context: facts.context,
            redrive,
            last_event_id: last.id,
            last_event_at: last.timestamp,
        }))
    }
}

impl Changes {
    /// Ends an execution that cannot be continued: its recorded history gets one more event, `ExecutionAborted`. What
    /// checkpoints have left of it goes with [`Store::sweep`].
    pub fn abort(
        &mut self,
        stranded: Stranded,
        at: Timestamp,
        error: Option<String>,
        cause: Option<String>,
    ) -> Result<(), StoreError> {
        let Stranded { mut tracked, context, redrive, last_event_id, .. } = stranded;
        let id = tracked.id();
        let kind = EventKind::Stop { error: error.clone(), cause: cause.clone() };
        // The end of an execution that is stopped has no causal parent.
        let event = HistoryEvent {
            id: last_event_id + 1,
            previous_event_id: 0,
            timestamp: at,
            details: HistoryDetails::ExecutionAborted { error, cause },
        };
        for entry in Entry::of(None, (at, &kind), vec![event], redrive) {
            let (record, apart) = entry.encode()?;
            self.insert(space::HISTORY, space::event_key(id, last_event_id + 1), record);
            Written::default().put(self, id, apart);
        }
        tracked.move_to(self, Place::closed(Status::Aborted, at), &context, redrive)?;
        // There may be parts or none: nobody has looked.
        self.delete(space::CHECKPOINTS, Key::copy_from_slice(&id.0));
        self.put(space::LEFTOVERS, Key::copy_from_slice(&id.0), Vec::new());
        Ok(())
    }
}

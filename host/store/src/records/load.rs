//! Reads executions: where one stands, for who describes it, and all of it, for who drives it.
//!
//! The last record of the journal tells whether an execution runs and how it ended; the checkpoint is only read to go on.

use super::apart::Texts;
use super::execution::{ExecutionId, ExecutionSummary, StartRecord};
use super::journal::{Entry, Facts, recorded};
use super::space;
use super::store::Store;
use super::tracked::{Place, Tracked};
use crate::backend::KeyRange;
use crate::error::StoreError;
use crate::limits;
use stepwell_asl::{
    Execution, ExecutionContext, HistoryDetails, HistoryEvent, Recorded, Redrive, Rest, Status, Timestamp,
};

/// Where an execution stands: all that describing it takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// What it was started with.
    pub start: StartRecord,
    /// Identity and start facts.
    pub context: ExecutionContext,
    /// Its status.
    pub status: Status,
    /// The output as JSON text, once succeeded.
    pub output: Option<String>,
    /// The error name, once failed, aborted or timed out with one.
    pub error: Option<String>,
    /// The cause, likewise.
    pub cause: Option<String>,
    /// When it ended.
    pub stopped_at: Option<Timestamp>,
    /// The id of its last history event.
    pub last_event_id: u64,
    /// Its last redrive.
    pub redrive: Option<Redrive>,
}

/// All of a running execution, for the one who drives it.
#[derive(Debug)]
pub struct Loaded {
    /// What the store holds of it. [`Tracked::replayed`] wants to hear what the replay has changed.
    pub tracked: Tracked,
    /// Where it stood at its last checkpoint.
    pub execution: Execution,
    /// How it went on from there, to be taken through `stepwell_asl::replay`.
    pub journal: Vec<Recorded>,
    /// When its last event happened: the next one must not seem to be earlier.
    pub last_event_at: Timestamp,
}

impl Standing {
    /// Whether it has not ended.
    pub fn is_running(&self) -> bool {
        self.status == Status::Running
    }

    pub(super) fn of(facts: Facts, redrive: Option<Redrive>, last: HistoryEvent) -> Standing {
        let status = Standing::after(&last.details);
        let (output, error, cause) = match Some(last.details) {
            Some(HistoryDetails::ExecutionSucceeded { output }) => (Some(output), None, None),
            Some(
                HistoryDetails::ExecutionFailed { error, cause }
                | HistoryDetails::ExecutionTimedOut { error, cause }
                | HistoryDetails::ExecutionAborted { error, cause },
            ) => (None, error, cause),
            Some(_) | None => (None, None, None),
        };
        let stopped_at = (status != Status::Running).then_some(last.timestamp);
        let Facts { start, context } = facts;
        let last_event_id = last.id;
        Standing { start, context, status, output, error, cause, stopped_at, last_event_id, redrive }
    }

    /// The status of an execution whose last event this is.
    pub(super) fn after(last: &HistoryDetails) -> Status {
        match Some(last) {
            Some(HistoryDetails::ExecutionSucceeded { .. }) => Status::Succeeded,
            Some(HistoryDetails::ExecutionFailed { .. }) => Status::Failed,
            Some(HistoryDetails::ExecutionTimedOut { .. }) => Status::TimedOut,
            Some(HistoryDetails::ExecutionAborted { .. }) => Status::Aborted,
            // Every other event is followed by more.
            Some(_) | None => Status::Running,
        }
    }
}

impl Store {
    /// Where an execution stands: one read while a single transition has made it, two afterwards, whatever its size.
    pub async fn standing(&self, id: ExecutionId) -> Result<Option<Standing>, StoreError> {
        let Some(mut entry) = self.last_entry(id).await? else { return Ok(None) };
        let facts = match entry.facts.take() {
            Some(facts) => facts,
            None => match self.facts(id).await? {
                Some(facts) => facts,
                // It was removed since its end was read.
                None => return Ok(None),
            },
        };
        let last = entry.history.pop();
        let last = last.ok_or_else(|| damaged(id, "the last record of the journal has no event"))?;
        Ok(Some(Standing::of(facts, entry.redrive, last)))
    }

    /// All of an execution that has not ended; none of one that has. Only its one writer may ask: transitions stored
    /// meanwhile may show in parts.
    pub async fn load(&self, id: ExecutionId) -> Result<Option<Loaded>, StoreError> {
        let Some(facts) = self.facts(id).await? else { return Ok(None) };
        let Some(place) = self.running_place(id, &facts).await? else { return Ok(None) };
        self.load_at(id, facts, place).await.map(Some)
    }

    /// The same from where the store has it in this place.
    pub(super) async fn load_at(
        &self,
        id: ExecutionId,
        facts: Facts,
        place: Place,
    ) -> Result<Loaded, StoreError> {
        let checkpoint = self.checkpoint(id, &facts).await?;
        let mut tracked = Tracked::stored(id, facts.start.clone(), place);
        tracked.checkpointed = checkpoint.is_some();
        let execution = match checkpoint {
            Some(execution) => execution,
            None => facts.execution(id)?,
        };
        tracked.last_branch = execution.progress.last_branch;
        let (entries, bytes) = self.journal(id, execution.progress.last_event_id + 1).await?;
        tracked.journal_bytes = bytes;
        let journal = recorded(id, entries)?;
        tracked.transitions = journal.len();
        let last_event_at = match journal.last() {
            Some(last) => last.event.at,
            None => self.last_event(id).await?.timestamp,
        };
        Ok(Loaded { tracked, execution, journal, last_event_at })
    }

    /// All that ever happened to an execution, ended or not: how it was before its first event, and every recorded
    /// transition, to be taken through `stepwell_asl::replay`. It is all in memory at once.
    pub async fn whole_journal(
        &self,
        id: ExecutionId,
    ) -> Result<Option<(Execution, Vec<Recorded>)>, StoreError> {
        let Some(facts) = self.facts(id).await? else { return Ok(None) };
        let (entries, _) = self.journal(id, 1).await?;
        Ok(Some((facts.execution(id)?, recorded(id, entries)?)))
    }

    /// The last record of the journal; none of an execution that is not there.
    pub(super) async fn last_entry(&self, id: ExecutionId) -> Result<Option<Entry>, StoreError> {
        let events = KeyRange::between(space::event_key(id, 0), space::event_key(id, u64::MAX));
        let mut page = self.backend.scan(space::HISTORY, events, true, 1).await?;
        let Some((key, value)) = page.items.pop() else { return Ok(None) };
        self.entry(&key, &value, &mut Texts::default()).await
    }

    pub(super) async fn last_event(&self, id: ExecutionId) -> Result<HistoryEvent, StoreError> {
        let last = self.last_entry(id).await?.and_then(|mut entry| entry.history.pop());
        last.ok_or_else(|| damaged(id, "the last record of the journal has no event"))
    }

    /// What an execution was started with.
    pub(super) async fn facts(&self, id: ExecutionId) -> Result<Option<Facts>, StoreError> {
        let key = space::event_key(id, 1);
        let Some(stored) = self.backend.get(space::HISTORY, &key).await? else { return Ok(None) };
        let Some(entry) = self.entry(&key, &stored.value, &mut Texts::default()).await? else {
            return Ok(None);
        };
        entry
            .facts
            .map(Some)
            .ok_or_else(|| damaged(id, "the first record of the journal does not tell the start"))
    }

    /// The list of running executions that an execution is in; none when it has ended.
    pub(super) async fn running_place(
        &self,
        id: ExecutionId,
        facts: &Facts,
    ) -> Result<Option<Place>, StoreError> {
        for list in [space::OPEN, space::PARKED] {
            let key = space::list_key(list, facts.start.machine, id);
            let summary: Option<ExecutionSummary> = self.record(space::LISTS, &key).await?;
            if let Some(summary) = summary {
                let parked = Place::Parked(Rest { due: summary.wakes_at });
                return Ok(Some(if list == space::OPEN { Place::Open } else { parked }));
            }
        }
        Ok(None)
    }

    /// The records of the journal from an event on, which must follow each other without a gap, and their bytes.
    async fn journal(&self, id: ExecutionId, from: u64) -> Result<(Vec<Entry>, usize), StoreError> {
        let range = KeyRange::between(space::event_key(id, from), space::event_key(id, u64::MAX));
        let (mut entries, mut bytes, mut expected, mut next) = (Vec::new(), 0, from, Some(range));
        let mut texts = Texts::default();
        while let Some(range) = next {
            let page = self.backend.scan(space::HISTORY, range, false, limits::PAGE_ITEMS).await?;
            next = page.next;
            for (key, value) in page.items {
                bytes += key.len() + value.len();
                let Some(entry) = self.entry(&key, &value, &mut texts).await? else { break };
                for event in &entry.history {
                    if event.id != expected {
                        return Err(damaged(id, &format!("event {expected} of the history is missing")));
                    }
                    expected += 1;
                }
                entries.push(entry);
            }
        }
        Ok((entries, bytes))
    }
}

fn damaged(id: ExecutionId, detail: &str) -> StoreError {
    StoreError::corrupt(space::HISTORY, &id.0, detail)
}

//! Journals, one execution after the other, and what must be there beside each: its name, its place in one list, its
//! call or its entry among the closed ones, its checkpoint, its definition.

use super::{Check, Pages, ProblemKind};
use crate::batch::Key;
use crate::error::StoreError;
use crate::records::apart::Texts;
use crate::records::execution::{ExecutionId, ExecutionSummary};
use crate::records::journal::{Entry, Facts};
use crate::records::load::Standing;
use crate::records::space::{self, owner_of};
use crate::records::store::decode;
use bytes::Bytes;
use stepwell_asl::{HistoryDetails, HistoryEvent, Redrive, Status, Timestamp};

/// The journal of one execution, as far as it is read.
struct Journal {
    id: ExecutionId,
    facts: Option<Facts>,
    last: Option<HistoryEvent>,
    /// The last redrive that it tells.
    redrive: Option<Redrive>,
    /// A problem was found in it: nothing can be compared with it.
    broken: bool,
}

impl Journal {
    /// Takes over the next record; what is wrong with it, if something is.
    fn add(&mut self, key: &[u8], entry: Entry) -> Option<String> {
        let expected = self.last.as_ref().map_or(1, |last| last.id + 1);
        if key[16..] != expected.to_be_bytes() {
            return Some(format!("event {expected} of the history is missing"));
        }
        if entry.first_event() != Some(expected) {
            return Some("its events are not those of its key".to_owned());
        }
        if let Some(wrong) = self.goes_on(&entry) {
            return Some(wrong.to_owned());
        }
        if (expected == 1) != entry.facts.is_some() || (expected == 1 && !entry.begins_transition()) {
            return Some("only its first record tells the start, and must".to_owned());
        }
        let (events, count) = (&entry.history, entry.history.len());
        if (expected..).zip(events).any(|(id, event)| event.id != id) {
            return Some("its events do not follow each other".to_owned());
        }
        let early = events.iter().take(count.saturating_sub(1));
        if early.into_iter().any(|event| Standing::after(&event.details) != Status::Running) {
            return Some("it goes on after its end".to_owned());
        }
        if let Some(facts) = entry.facts {
            self.facts = Some(facts);
        }
        self.last = entry.history.into_iter().last();
        None
    }

    /// Whether the next record may follow: after an end only a redrive does, and every record says which was the last.
    fn goes_on(&mut self, entry: &Entry) -> Option<&'static str> {
        let ended = self.last.as_ref().map_or(Status::Running, |last| Standing::after(&last.details));
        let redriven = entry.history.iter().find_map(|event| {
            let HistoryDetails::ExecutionRedriven { redrive_count } = &event.details else { return None };
            Some(Redrive { count: *redrive_count, at: event.timestamp })
        });
        match (ended, redriven) {
            (Status::Running, None) => {}
            (Status::Failed | Status::TimedOut | Status::Aborted, Some(redrive))
                if redrive.count == self.redrive.map_or(0, |redrive| redrive.count) + 1 =>
            {
                self.redrive = Some(redrive);
            }
            (Status::Running | Status::Failed | Status::TimedOut | Status::Aborted, Some(_)) => {
                return Some("a redrive is out of place");
            }
            (Status::Succeeded | Status::Failed | Status::TimedOut | Status::Aborted, _) => {
                return Some("it goes on after its end");
            }
        }
        (entry.redrive != self.redrive).then_some("it does not tell the last redrive")
    }
}

impl Check<'_> {
    /// All journals, each with what belongs to it.
    pub(super) async fn journals(&mut self) -> Result<(), StoreError> {
        let mut pages = Pages::of(space::HISTORY);
        let mut journal: Option<Journal> = None;
        while let Some(items) = self.page(&mut pages).await? {
            for (key, value) in items {
                let Some(id) = owner_of(&key).filter(|_| key.len() == 24) else {
                    self.problem(ProblemKind::Unreadable, space::HISTORY, &key, "the key names no event");
                    continue;
                };
                if journal.as_ref().is_none_or(|journal| journal.id != id) {
                    let next = Journal {
                        id,
                        facts: None,
                        last: None,
                        redrive: None,
                        broken: self.removing.contains(&id),
                    };
                    if let Some(done) = journal.replace(next) {
                        self.execution(done).await?;
                    }
                }
                if let Some(journal) = &mut journal {
                    self.entry(journal, &key, &value).await?;
                }
            }
        }
        match journal {
            Some(done) => self.execution(done).await,
            None => Ok(()),
        }
    }

    async fn entry(&mut self, journal: &mut Journal, key: &Key, value: &Bytes) -> Result<(), StoreError> {
        let place = (space::HISTORY, &**key);
        let entry = self.store.entry(key, value, &mut Texts::default()).await;
        let entry = self.keep(ProblemKind::Unreadable, place, entry)?;
        match entry.flatten() {
            None => journal.broken = true,
            Some(_) if journal.broken => {}
            Some(entry) => {
                if let Some(wrong) = journal.add(key, entry) {
                    journal.broken = true;
                    self.problem(ProblemKind::Journal, place.0, place.1, wrong);
                }
            }
        }
        Ok(())
    }

    /// What must be there beside a whole journal.
    async fn execution(&mut self, journal: Journal) -> Result<(), StoreError> {
        let Journal { id, facts: Some(facts), last: Some(last), redrive, broken: false } = journal else {
            return Ok(());
        };
        let standing = Standing::of(facts.clone(), redrive, last);
        self.found.executions += 1;
        self.found.running += u64::from(standing.is_running());
        self.name_of(id, &standing).await?;
        self.place_of(id, &standing).await?;
        if let Some(at) = standing.stopped_at {
            let key = space::time_key(at, id);
            if !self.is_there(space::CLOSED, &key).await? {
                self.problem(ProblemKind::Closed, space::CLOSED, &key, "an ended execution is missing here");
            }
        }
        self.checkpoint_of(id, &facts, &standing).await?;
        let key = space::definition_key(standing.start.machine, standing.start.revision);
        if !self.is_there(space::DEFINITIONS, &key).await? {
            let detail = format!("the definition of execution {} is missing", standing.context.execution_arn);
            self.problem(ProblemKind::Definition, space::DEFINITIONS, &key, detail);
        }
        Ok(())
    }

    async fn name_of(&mut self, id: ExecutionId, standing: &Standing) -> Result<(), StoreError> {
        let arn = &standing.context.execution_arn;
        match self.store.execution_id(arn).await {
            Ok(Some(named)) if named == id => {}
            Ok(Some(_)) => {
                self.problem(ProblemKind::Name, space::NAMES, arn.as_bytes(), "two executions have it");
            }
            Ok(None) => {
                self.problem(
                    ProblemKind::Name,
                    space::NAMES,
                    arn.as_bytes(),
                    "an execution's name is missing",
                );
            }
            // Said where the names are read.
            Err(StoreError::Corrupt { .. }) => {}
            Err(failure) => return Err(failure),
        }
        Ok(())
    }

    /// Its entries in the lists of its machine: one, in the right list, telling what the journal tells.
    async fn place_of(&mut self, id: ExecutionId, standing: &Standing) -> Result<(), StoreError> {
        let machine = standing.start.machine;
        let mut listed = Vec::new();
        for list in space::ALL_LISTS {
            let key = space::list_key(list, machine, id);
            match self.store.backend.get(space::LISTS, &key).await {
                Ok(Some(stored)) => listed.push((list, key, stored.value)),
                Ok(None) => {}
                // Said where the lists are read.
                Err(StoreError::Corrupt { .. }) => return Ok(()),
                Err(failure) => return Err(failure),
            }
        }
        let (list, key, value) = match <[_; 1]>::try_from(listed) {
            Ok([one]) => one,
            Err(listed) => {
                let key = space::event_key(id, 1);
                let detail = format!("the execution is in {} lists", listed.len());
                self.problem(ProblemKind::List, space::HISTORY, &key, detail);
                return Ok(());
            }
        };
        // Said where the lists are read.
        let Ok(summary) = decode::<ExecutionSummary>(space::LISTS, &key, &value) else { return Ok(()) };
        let wakes_at = summary.wakes_at.filter(|_| list == space::PARKED);
        let expected = ExecutionSummary {
            execution_arn: standing.context.execution_arn.clone(),
            status: standing.status,
            started_at: standing.context.start_time,
            stopped_at: standing.stopped_at,
            wakes_at,
            version: standing.context.version,
            alias: standing.context.alias.clone(),
            redrive: standing.redrive,
        };
        if !space::lists_of(standing.status).contains(&list) || summary != expected {
            self.problem(ProblemKind::List, space::LISTS, &key, "it does not say what the journal says");
            return Ok(());
        }
        match wakes_at {
            Some(at) => self.call_of(id, at).await,
            None => Ok(()),
        }
    }

    async fn call_of(&mut self, id: ExecutionId, at: Timestamp) -> Result<(), StoreError> {
        let key = space::time_key(at, id);
        if !self.is_there(space::WAKES, &key).await? {
            self.problem(ProblemKind::Wake, space::WAKES, &key, "a parked execution is missing here");
        }
        Ok(())
    }

    /// Its checkpoint, if it has one, can be read and is none of the future. One that succeeded has none.
    async fn checkpoint_of(
        &mut self,
        id: ExecutionId,
        facts: &Facts,
        standing: &Standing,
    ) -> Result<(), StoreError> {
        let key = (space::CHECKPOINTS, id.0.as_slice());
        if standing.status == Status::Succeeded {
            if self.is_there(key.0, key.1).await? {
                self.problem(ProblemKind::Checkpoint, key.0, key.1, "its execution has succeeded");
            }
            return Ok(());
        }
        let checkpoint = self.store.checkpoint(id, facts).await;
        let Some(Some(execution)) = self.keep(ProblemKind::Checkpoint, key, checkpoint)? else {
            return Ok(());
        };
        let (at, last) = (execution.progress.last_event_id, standing.last_event_id);
        if at > last {
            let detail = format!("it is of event {at}, and the journal ends with event {last}");
            self.problem(ProblemKind::Checkpoint, key.0, key.1, detail);
        } else if at < last {
            let next = space::event_key(id, at + 1);
            if !self.is_there(space::HISTORY, &next).await? {
                let detail = format!("it is of event {at}, which ends no record of the journal");
                self.problem(ProblemKind::Checkpoint, key.0, key.1, detail);
            }
        }
        Ok(())
    }
}

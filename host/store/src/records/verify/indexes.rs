//! The indexes: names, lists, calls, closed executions. Each entry must lead to an execution of which it is true.

use super::{Check, Known, Pages, ProblemKind, of};
use crate::backend::KeyRange;
use crate::batch::Key;
use crate::error::StoreError;
use crate::limits;
use crate::records::execution::{ExecutionId, ExecutionSummary};
use crate::records::retention::{Closed, closed_of};
use crate::records::space;
use crate::records::store::{decode, id_of};
use bytes::Bytes;

impl Check<'_> {
    /// Executions listed for retention, and which of them are half removed.
    pub(super) async fn closed(&mut self) -> Result<(), StoreError> {
        let mut pages = Pages::of(space::CLOSED);
        while let Some(items) = self.page(&mut pages).await? {
            for (key, value) in items {
                let place = (space::CLOSED, &*key);
                if !value.is_empty() {
                    self.problem(ProblemKind::Unreadable, place.0, place.1, "it should hold nothing");
                }
                let Some(closed) = self.keep(ProblemKind::Unreadable, place, closed_of(&key))? else {
                    continue;
                };
                self.closed_one(&key, closed).await?;
            }
        }
        Ok(())
    }

    async fn closed_one(&mut self, key: &Key, closed: Closed) -> Result<(), StoreError> {
        match self.known(closed.id).await? {
            Known::Removing | Known::Unreadable => {}
            // A removal leaves no name, no start and no entry in a list, but something else.
            Known::Nothing if self.has_rest(closed.id).await? => {
                self.found.half_removed += 1;
                if self.removing.len() < limits::CHECK_REMOVING {
                    self.removing.insert(closed.id);
                }
            }
            Known::Nothing => {
                self.problem(ProblemKind::Orphan, space::CLOSED, key, "its execution is not there");
            }
            Known::Facts(_) => match self.store.standing(closed.id).await {
                Ok(Some(standing)) if standing.stopped_at == Some(closed.at) => {}
                Ok(_) => {
                    self.problem(ProblemKind::Closed, space::CLOSED, key, "its execution did not end then");
                }
                // Said where the journals are read.
                Err(StoreError::Corrupt { .. }) => {}
                Err(failure) => return Err(failure),
            },
        }
        Ok(())
    }

    /// Whether there is anything else under the id of an execution whose start is gone.
    async fn has_rest(&self, id: ExecutionId) -> Result<bool, StoreError> {
        for space in space::OF_EXECUTION {
            match self.store.backend.scan(space, of(id), false, 1).await {
                Ok(page) if page.items.is_empty() => {}
                Ok(_) | Err(StoreError::Corrupt { .. }) => return Ok(true),
                Err(failure) => return Err(failure),
            }
        }
        Ok(false)
    }

    /// Names: each stands for an execution that has it.
    pub(super) async fn names(&mut self) -> Result<(), StoreError> {
        let mut pages = Pages::of(space::NAMES);
        while let Some(items) = self.page(&mut pages).await? {
            for (key, value) in items {
                let place = (space::NAMES, &*key);
                let id = id_of(space::NAMES, &key, &value);
                let Some(id) = self.keep(ProblemKind::Unreadable, place, id)? else { continue };
                if self.removing.contains(&id) {
                    self.problem(ProblemKind::Name, place.0, place.1, "its execution is half removed");
                } else if let Some(facts) = self.owner(place.0, place.1, id).await?
                    && facts.context.execution_arn.as_bytes() != place.1
                {
                    self.problem(ProblemKind::Name, place.0, place.1, "its execution has another name");
                }
            }
        }
        Ok(())
    }

    /// Lists: each entry is of an execution of that machine. Whether it says what is true was compared with the
    /// journal.
    pub(super) async fn lists(&mut self) -> Result<(), StoreError> {
        let mut pages = Pages::of(space::LISTS);
        while let Some(items) = self.page(&mut pages).await? {
            for (key, value) in items {
                self.list_entry(&key, &value).await?;
            }
        }
        Ok(())
    }

    async fn list_entry(&mut self, key: &Key, value: &Bytes) -> Result<(), StoreError> {
        let known_list = key.first().is_some_and(|list| space::ALL_LISTS.contains(list));
        let Some(id) = key.last_chunk().map(|id| ExecutionId(*id)).filter(|_| known_list && key.len() == 33)
        else {
            self.problem(ProblemKind::Unreadable, space::LISTS, key, "the key names no list and execution");
            return Ok(());
        };
        let summary = decode::<ExecutionSummary>(space::LISTS, key, value);
        if self.keep(ProblemKind::Unreadable, (space::LISTS, key), summary)?.is_none() {
            return Ok(());
        }
        if self.removing.contains(&id) {
            self.problem(ProblemKind::List, space::LISTS, key, "its execution is half removed");
        } else if let Some(facts) = self.owner(space::LISTS, key, id).await?
            && key[1..17] != facts.start.machine.0
        {
            self.problem(ProblemKind::List, space::LISTS, key, "its execution is one of another machine");
        }
        Ok(())
    }

    /// Calls: each is for an execution that is parked until then.
    pub(super) async fn wakes(&mut self) -> Result<(), StoreError> {
        let mut pages = Pages::of(space::WAKES);
        while let Some(items) = self.page(&mut pages).await? {
            for (key, value) in items {
                self.wake(&key, &value).await?;
            }
        }
        Ok(())
    }

    async fn wake(&mut self, key: &Key, value: &Bytes) -> Result<(), StoreError> {
        let Some((at, id)) = space::time_of(key) else {
            self.problem(ProblemKind::Unreadable, space::WAKES, key, "the key names no execution");
            return Ok(());
        };
        let Some(facts) = self.owner(space::WAKES, key, id).await? else { return Ok(()) };
        let parked = space::list_key(space::PARKED, facts.start.machine, id);
        let wakes_at = match self.store.record::<ExecutionSummary>(space::LISTS, &parked).await {
            Ok(summary) => summary.and_then(|summary| summary.wakes_at),
            // Said where the lists are read.
            Err(StoreError::Corrupt { .. }) => return Ok(()),
            Err(failure) => return Err(failure),
        };
        if wakes_at != Some(at) {
            self.problem(ProblemKind::Wake, space::WAKES, key, "its execution is not parked until then");
        } else if facts.context.execution_arn.as_bytes() != value {
            self.problem(ProblemKind::Wake, space::WAKES, key, "it has the name of another execution");
        }
        Ok(())
    }

    /// Spaces that this version has no records in.
    pub(super) async fn unknown_spaces(&mut self) -> Result<(), StoreError> {
        for space in crate::batch::Space::readable().filter(|space| !space::KNOWN.contains(space)) {
            let first = match self.store.backend.scan(space, KeyRange::all(), false, 1).await {
                Ok(page) => page.items.into_iter().next().map(|(key, _)| key),
                Err(StoreError::Corrupt { .. }) => Some(Key::new()),
                Err(failure) => return Err(failure),
            };
            if let Some(key) = first {
                let detail = "this version stores nothing in this space";
                self.problem(ProblemKind::UnknownSpace, space, &key, detail);
            }
        }
        Ok(())
    }
}

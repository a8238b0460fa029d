//! What lies under the id of an execution beside its journal: checkpoints and their parts, leftovers, log lines.
//!
//! Whether a checkpoint can be put together from its parts was tried with its journal.

use super::{Check, Known, Pages, ProblemKind};
use crate::batch::{Key, Space};
use crate::error::StoreError;
use crate::records::apart::text_id;
use crate::records::checkpoint;
use crate::records::execution::{ExecutionId, LogLine};
use crate::records::redrive::RedriveRecord;
use crate::records::space::{self, owner_of};
use crate::records::store::{decode, id_of};
use bytes::Bytes;

/// An execution whose records are being read, one after the other.
struct Current {
    id: ExecutionId,
    /// The last event of its journal; none when it has none that can be read.
    last_event: Option<u64>,
}

impl Check<'_> {
    /// Checkpoints: each is of an execution. Its progress was read with the journal if it runs.
    pub(super) async fn checkpoints(&mut self) -> Result<(), StoreError> {
        let mut pages = Pages::of(space::CHECKPOINTS);
        while let Some(items) = self.page(&mut pages).await? {
            for (key, _) in items {
                let id = id_of(space::CHECKPOINTS, &key, &key);
                if let Some(id) = self.keep(ProblemKind::Unreadable, (space::CHECKPOINTS, &key), id)? {
                    self.owner(space::CHECKPOINTS, &key, id).await?;
                }
            }
        }
        Ok(())
    }

    /// Parts: each can be read, and belongs to an execution that runs or is to be swept.
    pub(super) async fn parts(&mut self) -> Result<(), StoreError> {
        let mut pages = Pages::of(space::PARTS);
        let mut current = None;
        while let Some(items) = self.page(&mut pages).await? {
            for (key, value) in items {
                let readable = checkpoint::check_part(&key, &value);
                let readable = self.keep(ProblemKind::Unreadable, (space::PARTS, &key), readable)?;
                let Some(id) = owner_of(&key).filter(|_| readable.is_some()) else { continue };
                if current != Some(id) {
                    current = Some(id);
                    self.parts_of(id, &key).await?;
                }
            }
        }
        Ok(())
    }

    async fn parts_of(&mut self, id: ExecutionId, key: &Key) -> Result<(), StoreError> {
        if self.owner(space::PARTS, key, id).await?.is_none() {
            return Ok(());
        }
        // A state that began so many branches that they took commits of their own may have left them, if it then failed.
        let led_to =
            self.is_there(space::CHECKPOINTS, &id.0).await? || self.is_there(space::LEFTOVERS, &id.0).await?;
        self.found.leftovers += u64::from(!led_to);
        Ok(())
    }

    /// Executions that are to be swept: they have ended.
    pub(super) async fn leftovers(&mut self) -> Result<(), StoreError> {
        let mut pages = Pages::of(space::LEFTOVERS);
        while let Some(items) = self.page(&mut pages).await? {
            for (key, value) in items {
                let place = (space::LEFTOVERS, &*key);
                if !value.is_empty() {
                    self.problem(ProblemKind::Unreadable, place.0, place.1, "it should hold nothing");
                }
                let id = id_of(place.0, &key, &key);
                let Some(id) = self.keep(ProblemKind::Unreadable, place, id)? else { continue };
                if self.owner(place.0, place.1, id).await?.is_none() {
                    continue;
                }
                self.found.leftovers += 1;
                if let Ok(Some(standing)) = self.store.standing(id).await
                    && standing.is_running()
                {
                    self.problem(ProblemKind::Checkpoint, place.0, place.1, "its execution has not ended");
                }
            }
        }
        Ok(())
    }

    /// Long texts: each is what its key says, and belongs to an execution.
    pub(super) async fn texts(&mut self) -> Result<(), StoreError> {
        let mut pages = Pages::of(space::TEXTS);
        while let Some(items) = self.page(&mut pages).await? {
            for (key, value) in items {
                let own = std::str::from_utf8(&value).ok().map(text_id);
                let (Some(id), 32) = (owner_of(&key), key.len()) else {
                    self.problem(ProblemKind::Unreadable, space::TEXTS, &key, "the key names no text");
                    continue;
                };
                if own.is_none_or(|own| key[16..] != own) {
                    self.problem(
                        ProblemKind::Unreadable,
                        space::TEXTS,
                        &key,
                        "it is not the text that its key names",
                    );
                }
                self.owner(space::TEXTS, &key, id).await?;
            }
        }
        Ok(())
    }

    /// Tokens of redrives: they can be read, and are of an execution.
    pub(super) async fn redrives(&mut self) -> Result<(), StoreError> {
        let mut pages = Pages::of(space::REDRIVES);
        while let Some(items) = self.page(&mut pages).await? {
            for (key, value) in items {
                let place = (space::REDRIVES, &*key);
                let record = decode::<RedriveRecord>(place.0, &key, &value);
                let record = self.keep(ProblemKind::Unreadable, place, record)?;
                let id = self.keep(ProblemKind::Unreadable, place, id_of(place.0, &key, &key))?;
                if let (Some(_), Some(id)) = (record, id) {
                    self.owner(place.0, place.1, id).await?;
                }
            }
        }
        Ok(())
    }

    /// Log lines: they can be read, and came with an event of their execution.
    pub(super) async fn logs(&mut self) -> Result<(), StoreError> {
        let mut pages = Pages::of(space::LOGS);
        let mut current = None;
        while let Some(items) = self.page(&mut pages).await? {
            for (key, value) in items {
                self.log_record(&mut current, &key, &value).await?;
            }
        }
        Ok(())
    }

    async fn log_record(
        &mut self,
        current: &mut Option<Current>,
        key: &Key,
        value: &Bytes,
    ) -> Result<(), StoreError> {
        let place: (Space, &[u8]) = (space::LOGS, key);
        let lines = decode::<Vec<LogLine>>(space::LOGS, key, value);
        if self.keep(ProblemKind::Unreadable, place, lines)?.is_none() {
            return Ok(());
        }
        let (Some(id), Some(event), 24) = (owner_of(key), key.last_chunk(), key.len()) else {
            self.problem(ProblemKind::Unreadable, place.0, place.1, "the key names no event");
            return Ok(());
        };
        let event = u64::from_be_bytes(*event);
        if current.as_ref().is_none_or(|current| current.id != id) {
            let last_event = match self.known(id).await? {
                Known::Facts(_) => match self.store.standing(id).await {
                    Ok(standing) => standing.map(|standing| standing.last_event_id),
                    // Said where the journals are read.
                    Err(StoreError::Corrupt { .. }) => None,
                    Err(failure) => return Err(failure),
                },
                Known::Removing | Known::Unreadable => None,
                Known::Nothing => {
                    self.problem(ProblemKind::Orphan, place.0, place.1, "its execution is not there");
                    None
                }
            };
            *current = Some(Current { id, last_event });
        }
        let last = current.as_ref().and_then(|current| current.last_event);
        if last.is_some_and(|last| event == 0 || event > last) {
            self.problem(ProblemKind::Misplaced, place.0, place.1, "its execution has no such event");
        }
        Ok(())
    }
}

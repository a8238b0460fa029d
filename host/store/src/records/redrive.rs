//! Redrives: reads an ended execution so that it can go on, and remembers who asked.
//!
//! The move from the closed ones to the open ones is a transition like any other ([`Tracked`](super::Tracked)); its
//! conditions see to it that of two redrives, or of a redrive and a removal, one fails. It must never load an execution
//! that runs: that has another way (`load`).

use super::changes::Changes;
use super::execution::ExecutionId;
use super::load::{Loaded, Standing};
use super::space;
use super::store::{Store, encode};
use super::tracked::Place;
use crate::batch::Key;
use crate::error::StoreError;
use crate::limits;
use serde::{Deserialize, Serialize};
use stepwell_asl::{Status, Timestamp};

/// The tokens with which an execution was redriven (API: `clientToken`), newest last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedriveRecord {
    tokens: Vec<RedriveToken>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct RedriveToken {
    token: String,
    /// When the redrive was.
    at: Timestamp,
}

impl RedriveRecord {
    /// When the redrive was that was asked for with this token: among the last [`limits::REDRIVE_TOKENS`], and not before
    /// `since`.
    pub fn redriven_at(&self, token: &str, since: Timestamp) -> Option<Timestamp> {
        let known = self.tokens.iter().rev().find(|known| known.token == token && known.at >= since)?;
        Some(known.at)
    }

    /// The same with one more, and without the oldest that are too many.
    #[must_use]
    pub fn with(mut self, token: String, at: Timestamp) -> RedriveRecord {
        self.tokens.push(RedriveToken { token, at });
        let over = self.tokens.len().saturating_sub(limits::REDRIVE_TOKENS);
        self.tokens.drain(..over);
        self
    }
}

impl Store {
    /// The tokens with which an execution was redriven.
    pub async fn redrive_record(&self, id: ExecutionId) -> Result<RedriveRecord, StoreError> {
        Ok(self.record(space::REDRIVES, &id.0).await?.unwrap_or_default())
    }

    /// All of an execution that ended without success, to be moved by a redrive; none of any other. What a sweep has left
    /// of it is removed before. Only its one writer may ask.
    pub async fn load_ended(&self, id: ExecutionId) -> Result<Option<Loaded>, StoreError> {
        let Some(Standing { status, stopped_at: Some(at), .. }) = self.standing(id).await? else {
            return Ok(None);
        };
        let entry = self.backend.get(space::CLOSED, &space::time_key(at, id)).await?;
        let (Some(entry), Some(facts)) = (entry, self.facts(id).await?) else {
            // It was removed in the meantime.
            return Ok(None);
        };
        match status {
            Status::Running | Status::Succeeded => Ok(None),
            Status::Failed | Status::TimedOut | Status::Aborted => {
                self.sweep(id).await?;
                let place = Place::Closed { status, at, version: Some(entry.version) };
                self.load_at(id, facts, place).await.map(Some)
            }
        }
    }
}

impl Changes {
    /// Remembers with which tokens an execution was redriven.
    pub fn redrive_record(&mut self, id: ExecutionId, record: &RedriveRecord) -> Result<(), StoreError> {
        self.put(space::REDRIVES, Key::copy_from_slice(&id.0), encode(record)?);
        Ok(())
    }
}

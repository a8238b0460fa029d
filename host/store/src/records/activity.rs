//! Stored activities: names under which workers ask for tasks. Which tasks wait is not here: executions say so.

use super::changes::Changes;
use super::space;
use super::store::{Store, decode, encode};
use crate::backend::KeyRange;
use crate::batch::Key;
use crate::error::StoreError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use stepwell_asl::Timestamp;

/// An activity (API: DescribeActivity).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivityRecord {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// As given at creation, JSON.
    pub encryption_configuration: Option<serde_json::Value>,
}

impl Changes {
    /// The condition that an activity is still the one that was read.
    pub fn expect_activity(&mut self, arn: &str, read: u64) {
        self.expect(space::ACTIVITIES, Key::copy_from_slice(arn.as_bytes()), Some(read));
    }
}

impl Store {
    /// Stores a new activity with its tags. Errors: `Conflict` when there is one of its ARN.
    pub async fn create_activity(
        &self,
        record: &ActivityRecord,
        tags: BTreeMap<String, String>,
    ) -> Result<(), StoreError> {
        let mut changes = Changes::new();
        changes.set_tags(&record.arn, tags)?;
        changes.expect(space::ACTIVITIES, record.arn.clone().into(), None);
        changes.put(space::ACTIVITIES, record.arn.clone().into(), encode(record)?);
        self.commit(changes).await
    }

    /// The activity that has this ARN, with the version to expect.
    pub async fn activity(&self, arn: &str) -> Result<Option<(ActivityRecord, u64)>, StoreError> {
        // No key is longer than this; a longer ARN cannot have been stored.
        if arn.len() > crate::limits::KEY_BYTES {
            return Ok(None);
        }
        let key = arn.as_bytes();
        let Some(stored) = self.backend.get(space::ACTIVITIES, key).await? else { return Ok(None) };
        Ok(Some((decode(space::ACTIVITIES, key, &stored.value)?, stored.version)))
    }

    /// Forgets an activity and its tags. Errors: `Conflict` when it is not the one that was read.
    pub async fn delete_activity(&self, arn: &str, read: u64) -> Result<(), StoreError> {
        let mut changes = Changes::new();
        changes.expect_activity(arn, read);
        changes.delete_tags(arn);
        changes.delete(space::ACTIVITIES, Key::copy_from_slice(arn.as_bytes()));
        self.commit(changes).await
    }

    /// Activities in the order of their ARNs, from behind `after`.
    pub async fn activities(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ActivityRecord>, StoreError> {
        self.records_after(space::ACTIVITIES, KeyRange::all(), after.map(str::as_bytes), limit).await
    }
}

//! Stored log groups: where the events of executions may be logged. The lines themselves are in no store.
//!
//! A group is the account's under its name; it must never be found by another account.

use super::changes::Changes;
use super::space;
use super::store::{Store, decode, encode};
use crate::backend::KeyRange;
use crate::error::StoreError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use stepwell_asl::Timestamp;

/// A log group (CloudWatch Logs API: LogGroup).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogGroupRecord {
    /// The account that it belongs to, 12 digits.
    pub account: String,
    /// Its name, unique within the account.
    pub name: String,
    /// When it was created, in real time.
    pub created_at: Timestamp,
    /// How many days its lines are kept; none: as long as there is room.
    #[serde(default)]
    pub retention_days: Option<u32>,
    /// Tags by key.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

impl Store {
    /// Creates a log group. Errors: `Conflict` when there is one of that name.
    pub async fn create_log_group(&self, record: &LogGroupRecord) -> Result<(), StoreError> {
        let key = space::log_group_key(&record.account, &record.name);
        let mut changes = Changes::new();
        changes.expect(space::LOG_GROUPS, key.clone(), None);
        changes.put(space::LOG_GROUPS, key, encode(record)?);
        self.commit(changes).await
    }

    /// Stores a log group over the version that was read. Errors: `Conflict` when it was changed since.
    pub async fn change_log_group(&self, record: &LogGroupRecord, version: u64) -> Result<(), StoreError> {
        let key = space::log_group_key(&record.account, &record.name);
        let mut changes = Changes::new();
        changes.expect(space::LOG_GROUPS, key.clone(), Some(version));
        changes.put(space::LOG_GROUPS, key, encode(record)?);
        self.commit(changes).await
    }

    /// Removes a log group; one that is not there as well.
    pub async fn delete_log_group(&self, account: &str, name: &str) -> Result<(), StoreError> {
        let mut changes = Changes::new();
        changes.delete(space::LOG_GROUPS, space::log_group_key(account, name));
        self.commit(changes).await
    }

    /// A log group with its version.
    pub async fn log_group(
        &self,
        account: &str,
        name: &str,
    ) -> Result<Option<(LogGroupRecord, u64)>, StoreError> {
        let key = space::log_group_key(account, name);
        let found = self.backend.get(space::LOG_GROUPS, &key).await?;
        found.map(|found| Ok((decode(space::LOG_GROUPS, &key, &found.value)?, found.version))).transpose()
    }

    /// The log groups of an account whose names begin so, in the order of their names, from behind `after`.
    pub async fn log_groups(
        &self,
        account: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<LogGroupRecord>, StoreError> {
        let range = KeyRange::prefix(space::log_group_key(account, prefix));
        let after = after.map(|name| space::log_group_key(account, name));
        self.records_after(space::LOG_GROUPS, range, after.as_deref(), limit).await
    }
}

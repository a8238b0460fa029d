//! Stored connections: where HTTP tasks get their credentials from. What is secret of them is sealed; what opens it is not in
//! the store.
//!
//! A connection is the account's in its region under its name; it must never be found by another account.

use super::changes::Changes;
use super::space;
use super::store::{Store, decode, encode};
use crate::backend::KeyRange;
use crate::error::StoreError;
use serde::{Deserialize, Serialize};
use stepwell_asl::Timestamp;

/// A connection (EventBridge API: DescribeConnectionResponse).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionRecord {
    /// The account that it belongs to, 12 digits.
    pub account: String,
    /// The region that it was created in.
    pub region: String,
    /// Its name, unique within both.
    pub name: String,
    /// The last part of its ARN: another connection of the same name has another.
    pub id: String,
    /// For people.
    #[serde(default)]
    pub description: Option<String>,
    /// `BASIC`, `API_KEY` or `OAUTH_CLIENT_CREDENTIALS`.
    pub authorization_type: String,
    /// Such as `AUTHORIZED`.
    pub state: String,
    /// Why it is in that state.
    #[serde(default)]
    pub state_reason: Option<String>,
    /// `AuthParameters` without what is secret, JSON text.
    pub shown: String,
    /// How `sealed` is made; see the server's `secrets`. Empty where it has no credentials any more.
    pub scheme: String,
    /// The number that was used once, for this text.
    pub nonce: Vec<u8>,
    /// `AuthParameters`, JSON text, encrypted.
    pub sealed: Vec<u8>,
    /// When it was created, in real time.
    pub created_at: Timestamp,
    /// When it was changed.
    pub modified_at: Timestamp,
    /// When its credentials were last found to be good.
    #[serde(default)]
    pub authorized_at: Option<Timestamp>,
}

impl Store {
    /// Creates a connection. Errors: `Conflict` when there is one of that name.
    pub async fn create_connection(&self, record: &ConnectionRecord) -> Result<(), StoreError> {
        let key = space::connection_key(&record.account, &record.region, &record.name);
        let mut changes = Changes::new();
        changes.expect(space::CONNECTIONS, key.clone(), None);
        changes.put(space::CONNECTIONS, key, encode(record)?);
        self.commit(changes).await
    }

    /// Stores a connection over the version that was read. Errors: `Conflict` when it was changed since.
    pub async fn change_connection(&self, record: &ConnectionRecord, version: u64) -> Result<(), StoreError> {
        let key = space::connection_key(&record.account, &record.region, &record.name);
        let mut changes = Changes::new();
        changes.expect(space::CONNECTIONS, key.clone(), Some(version));
        changes.put(space::CONNECTIONS, key, encode(record)?);
        self.commit(changes).await
    }

    /// Removes a connection as it was read. Errors: `Conflict` when it was changed since.
    pub async fn delete_connection(&self, record: &ConnectionRecord, version: u64) -> Result<(), StoreError> {
        let key = space::connection_key(&record.account, &record.region, &record.name);
        let mut changes = Changes::new();
        changes.expect(space::CONNECTIONS, key.clone(), Some(version));
        changes.delete(space::CONNECTIONS, key);
        self.commit(changes).await
    }

    /// A connection with its version.
    pub async fn connection(
        &self,
        account: &str,
        region: &str,
        name: &str,
    ) -> Result<Option<(ConnectionRecord, u64)>, StoreError> {
        let key = space::connection_key(account, region, name);
        let found = self.backend.get(space::CONNECTIONS, &key).await?;
        found.map(|found| Ok((decode(space::CONNECTIONS, &key, &found.value)?, found.version))).transpose()
    }

    /// The connections of an account in a region whose names begin so, in the order of their names, from behind `after`.
    pub async fn connections(
        &self,
        (account, region): (&str, &str),
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ConnectionRecord>, StoreError> {
        let range = KeyRange::prefix(space::connection_key(account, region, prefix));
        let after = after.map(|name| space::connection_key(account, region, name));
        self.records_after(space::CONNECTIONS, range, after.as_deref(), limit).await
    }

    /// Whether there is any connection, of whatever account: its credentials are sealed.
    pub async fn has_connections(&self) -> Result<bool, StoreError> {
        let first = self.records_after::<ConnectionRecord>(space::CONNECTIONS, KeyRange::all(), None, 1);
        Ok(!first.await?.is_empty())
    }
}

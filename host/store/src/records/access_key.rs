//! Stored access keys: who may send requests. What opens their secrets is not in the store.
//!
//! A key that was revoked stays, so that a store that once had keys never looks like one that has none.

use super::changes::Changes;
use super::space;
use super::store::{Store, encode};
use crate::backend::KeyRange;
use crate::error::StoreError;
use serde::{Deserialize, Serialize};
use stepwell_asl::Timestamp;

/// An access key whose secret only the holder of the server's key can read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessKeyRecord {
    /// Its id, as clients send it.
    pub id: String,
    /// The account that it is bound to, 12 digits.
    pub account: String,
    /// The names of its policies.
    pub policies: Vec<String>,
    /// For people.
    pub description: String,
    /// How `sealed` is made; see the server's `secrets`.
    pub scheme: String,
    /// The number that was used once, for this secret.
    pub nonce: Vec<u8>,
    /// The encrypted secret.
    pub sealed: Vec<u8>,
    /// When it was made, in real time.
    pub created_at: Timestamp,
    /// From when on it is refused; none is never.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl Store {
    /// Stores an access key, over what its id stood for.
    pub async fn put_access_key(&self, record: &AccessKeyRecord) -> Result<(), StoreError> {
        let mut changes = Changes::new();
        changes.put(space::ACCESS_KEYS, record.id.clone().into(), encode(record)?);
        self.commit(changes).await
    }

    /// Access keys in the order of their ids, from behind `after`, also those that were revoked.
    pub async fn access_keys(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<AccessKeyRecord>, StoreError> {
        self.records_after(space::ACCESS_KEYS, KeyRange::all(), after.map(str::as_bytes), limit).await
    }
}

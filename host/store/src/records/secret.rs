//! Stored secrets: sealed values by name. What opens them is not in the store.

use super::changes::Changes;
use super::space;
use super::store::{Store, encode};
use crate::backend::KeyRange;
use crate::batch::Key;
use crate::error::StoreError;
use serde::{Deserialize, Serialize};
use stepwell_asl::Timestamp;

/// A secret whose value only the holder of the key can read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretRecord {
    /// Its name.
    pub name: String,
    /// How `sealed` is made; see the server's `secrets`.
    pub scheme: String,
    /// The number that was used once, for this value.
    pub nonce: Vec<u8>,
    /// The encrypted value.
    pub sealed: Vec<u8>,
    /// When the name was first used.
    pub created_at: Timestamp,
    /// When the value was set.
    pub updated_at: Timestamp,
}

impl Store {
    /// Stores a secret, over an older value if there is one.
    pub async fn put_secret(&self, record: &SecretRecord) -> Result<(), StoreError> {
        let mut changes = Changes::new();
        changes.put(space::SECRETS, record.name.clone().into(), encode(record)?);
        self.commit(changes).await
    }

    /// A secret by name.
    pub async fn secret(&self, name: &str) -> Result<Option<SecretRecord>, StoreError> {
        self.record(space::SECRETS, name.as_bytes()).await
    }

    /// Forgets a secret.
    pub async fn delete_secret(&self, name: &str) -> Result<(), StoreError> {
        let mut changes = Changes::new();
        changes.delete(space::SECRETS, Key::copy_from_slice(name.as_bytes()));
        self.commit(changes).await
    }

    /// Secrets in the order of their names, from behind `after`.
    pub async fn secrets(&self, after: Option<&str>, limit: usize) -> Result<Vec<SecretRecord>, StoreError> {
        self.records_after(space::SECRETS, KeyRange::all(), after.map(str::as_bytes), limit).await
    }
}

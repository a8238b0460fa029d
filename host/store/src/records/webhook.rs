//! Stored webhooks: addresses at which an HTTP request starts an execution. What opens their secrets is not in the store.

use super::changes::Changes;
use super::space;
use super::store::{Store, encode};
use crate::backend::KeyRange;
use crate::error::StoreError;
use serde::{Deserialize, Serialize};
use stepwell_asl::Timestamp;

/// A webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookRecord {
    /// The account that it belongs to, 12 digits.
    pub account: String,
    /// Its name, unique within the account.
    pub name: String,
    /// The machine, a version or an alias of it.
    pub state_machine_arn: String,
    /// How requests are signed: `standard` or `github`.
    pub signature: String,
    /// What the execution gets: `body` or `request`.
    pub input: String,
    /// How `sealed` is made; see the server's `secrets`.
    pub scheme: String,
    /// The number that was used once, for this secret.
    pub nonce: Vec<u8>,
    /// The encrypted secret.
    pub sealed: Vec<u8>,
    /// When it was created.
    pub created_at: Timestamp,
}

impl Store {
    /// Creates a webhook. Errors: `Conflict` when there is one of that name.
    pub async fn create_webhook(&self, record: &WebhookRecord) -> Result<(), StoreError> {
        let key = space::log_group_key(&record.account, &record.name);
        let mut changes = Changes::new();
        changes.expect(space::WEBHOOKS, key.clone(), None);
        changes.put(space::WEBHOOKS, key, encode(record)?);
        self.commit(changes).await
    }

    /// A webhook by its name.
    pub async fn webhook(&self, account: &str, name: &str) -> Result<Option<WebhookRecord>, StoreError> {
        self.record(space::WEBHOOKS, &space::log_group_key(account, name)).await
    }

    /// Removes a webhook; one that is not there as well.
    pub async fn delete_webhook(&self, account: &str, name: &str) -> Result<(), StoreError> {
        let mut changes = Changes::new();
        changes.delete(space::WEBHOOKS, space::log_group_key(account, name));
        self.commit(changes).await
    }

    /// The webhooks of an account in the order of their names, from behind `after`.
    pub async fn webhooks(
        &self,
        account: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<WebhookRecord>, StoreError> {
        let range = KeyRange::prefix(space::log_group_key(account, ""));
        let after = after.map(|name| space::log_group_key(account, name));
        self.records_after(space::WEBHOOKS, range, after.as_deref(), limit).await
    }
}

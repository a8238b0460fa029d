//! Secrets: values that modules are given by name and that nobody can read back.
//!
//! A value is sealed (`seal`) before it reaches the store, with its name, so that it cannot be put under another one.
//! Values must never be in answers, logs, history or `Debug` output.

mod key;
mod seal;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use stepwell_asl::Timestamp;
use stepwell_executor::Clock;
use stepwell_store::{SecretRecord, Store, StoreError};

pub use key::SecretKey;
pub(crate) use seal::{Seal, Sealed};

use crate::limits;
use crate::modules::BrokenOff;

/// The secrets of this server.
#[derive(Clone)]
pub(crate) struct Secrets {
    store: Store,
    seal: Seal,
    clock: Arc<dyn Clock>,
}

/// The value of a secret.
pub(crate) struct SecretValue(String);

impl SecretValue {
    /// The text itself.
    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

impl std::fmt::Debug for SecretValue {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SecretValue")
    }
}

/// What may be told of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SecretStored {
    /// Its name.
    pub(crate) name: String,
    /// When the name was first used.
    pub(crate) created_at: Timestamp,
    /// When the value was set.
    pub(crate) updated_at: Timestamp,
    /// Whether the name is new.
    pub(crate) new: bool,
}

/// Why a secret cannot be set, opened or deleted. No text quotes a value.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    /// What was given is wrong.
    #[error("{field}: {reason}")]
    Invalid {
        /// `name` or `value`.
        field: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// No secret has that name.
    #[error("which does not exist")]
    Missing,
    /// The value cannot be opened with this server's key.
    #[error(
        "which this server's key does not open: set it again, or start the server with the key that it was set with"
    )]
    Sealed,
    /// The key cannot be used.
    #[error("{0}")]
    Key(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The change broke off.
    #[error(transparent)]
    BrokenOff(#[from] BrokenOff),
}

impl Secrets {
    /// The secrets of a store, under a key.
    pub(crate) fn new(store: Store, key: SecretKey, clock: Arc<dyn Clock>) -> Secrets {
        Secrets { seal: Seal::new(store.clone(), key), store, clock }
    }

    /// What seals the values; access keys are sealed by the same.
    pub(crate) fn seal(&self) -> &Seal {
        &self.seal
    }

    /// Seals and stores a value, under a name with its account before a colon or without. Errors: `Invalid`, `Key`, `Store`.
    pub(crate) async fn put(&self, name: &str, value: Vec<u8>) -> Result<SecretStored, SecretError> {
        check_name(name.rsplit(':').next().unwrap_or_default())?;
        let value = check_value(value)?;
        let Sealed { scheme, nonce, bytes: sealed } = self.seal.seal(name, &value.0).await?;
        let before = self.store.secret(name).await?;
        let now = self.clock.now();
        let created_at = before.as_ref().map_or(now, |before| before.created_at);
        let record =
            SecretRecord { name: name.to_owned(), scheme, nonce, sealed, created_at, updated_at: now };
        self.store.put_secret(&record).await?;
        tracing::info!(name, "secret set");
        Ok(SecretStored { name: record.name, created_at, updated_at: now, new: before.is_none() })
    }

    /// Opens a secret. Errors: `Missing`, `Sealed`, `Key`, `Store`.
    pub(crate) async fn open(&self, name: &str) -> Result<SecretValue, SecretError> {
        let record = self.store.secret(name).await?.ok_or(SecretError::Missing)?;
        let value = self.seal.open(name, &record.scheme, &record.nonce, &record.sealed)?;
        Ok(SecretValue(value))
    }

    /// Names and dates of all secrets.
    pub(crate) async fn list(&self) -> Result<Vec<SecretStored>, StoreError> {
        let mut found: Vec<SecretStored> = Vec::new();
        loop {
            let after = found.last().map(|secret| secret.name.as_str());
            let page = self.store.secrets(after, limits::SECRETS_READ).await?;
            if page.is_empty() {
                return Ok(found);
            }
            found.extend(page.into_iter().map(|record| SecretStored {
                name: record.name,
                created_at: record.created_at,
                updated_at: record.updated_at,
                new: false,
            }));
        }
    }

    /// Forgets a secret. Errors: `Missing`, `Store`.
    pub(crate) async fn delete(&self, name: &str) -> Result<(), SecretError> {
        if self.store.secret(name).await?.is_none() {
            return Err(SecretError::Missing);
        }
        self.store.delete_secret(name).await?;
        tracing::info!(name, "secret deleted");
        Ok(())
    }
}

/// The names that a manifest can give. Errors: `Invalid`.
pub(crate) fn check_name(name: &str) -> Result<(), SecretError> {
    let right = (1..=limits::SECRET_NAME_CHARACTERS).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    let reason = "the name of a secret has 1 to 64 letters, digits, - or _";
    if right { Ok(()) } else { Err(SecretError::Invalid { field: "name", reason }) }
}

/// A value becomes an environment variable, and is looked for in what modules write. Errors: `Invalid`.
fn check_value(value: Vec<u8>) -> Result<SecretValue, SecretError> {
    let refused = |reason| SecretError::Invalid { field: "value", reason };
    if value.is_empty() {
        return Err(refused("is empty"));
    }
    if value.len() > limits::SECRET_BYTES {
        return Err(refused("is longer than 64 KiB"));
    }
    let value = String::from_utf8(value).map_err(|_| refused("is not UTF-8 text"))?;
    if value.contains('\0') {
        return Err(refused("holds a NUL character"));
    }
    Ok(SecretValue(value))
}

//! Sealing: XChaCha20-Poly1305 under the server's key, a random nonce for each text, and what the text belongs to as
//! associated data, so that no sealed text can be put in another's place.
//!
//! It must never make a new key while something is sealed with the one that was there.

use std::sync::Arc;

use chacha20poly1305::XNonce;
use chacha20poly1305::aead::rand_core::RngCore as _;
use chacha20poly1305::aead::{Aead as _, OsRng, Payload};
use stepwell_store::{Store, StoreError};

use super::{SecretError, SecretKey};

/// How texts are sealed, as records say it.
const SCHEME: &str = "xchacha20poly1305";
/// Length of a nonce, in bytes.
const NONCE_BYTES: usize = 24;

/// Seals what goes into a store.
#[derive(Clone)]
pub(crate) struct Seal {
    store: Store,
    key: Arc<SecretKey>,
}

/// A sealed text, as records hold it.
pub(crate) struct Sealed {
    pub(crate) scheme: String,
    pub(crate) nonce: Vec<u8>,
    pub(crate) bytes: Vec<u8>,
}

impl Seal {
    /// Seals under the key of a store.
    pub(crate) fn new(store: Store, key: SecretKey) -> Seal {
        Seal { store, key: Arc::new(key) }
    }

    /// Seals a text that belongs to `owner`. Errors: `Key`, `Store`.
    pub(crate) async fn seal(&self, owner: &str, text: &str) -> Result<Sealed, SecretError> {
        let cipher = self.key.cipher(self.is_unused().await?).map_err(SecretError::Key)?;
        let mut nonce = [0_u8; NONCE_BYTES];
        OsRng.fill_bytes(&mut nonce);
        let payload = Payload { msg: text.as_bytes(), aad: owner.as_bytes() };
        let bytes = cipher
            .encrypt(XNonce::from_slice(&nonce), payload)
            .map_err(|_| SecretError::Key("the value cannot be sealed".to_owned()))?;
        Ok(Sealed { scheme: SCHEME.to_owned(), nonce: nonce.to_vec(), bytes })
    }

    /// A key for one purpose that survives restarts as the sealing key does. Errors: `Key`, `Store`.
    pub(crate) async fn derive(&self, purpose: &str) -> Result<[u8; 32], SecretError> {
        let may_make = self.is_unused().await?;
        self.key.derive(purpose, may_make).map_err(SecretError::Key)
    }

    /// Opens a sealed text. Errors: `Sealed`, also when it belongs to somebody else; `Key`.
    pub(crate) fn open(
        &self,
        owner: &str,
        scheme: &str,
        nonce: &[u8],
        sealed: &[u8],
    ) -> Result<String, SecretError> {
        if scheme != SCHEME || nonce.len() != NONCE_BYTES {
            return Err(SecretError::Sealed);
        }
        let cipher = self.key.cipher(false).map_err(SecretError::Key)?;
        let payload = Payload { msg: sealed, aad: owner.as_bytes() };
        let text = cipher.decrypt(XNonce::from_slice(nonce), payload).map_err(|_| SecretError::Sealed)?;
        String::from_utf8(text).map_err(|_| SecretError::Sealed)
    }

    /// Whether nothing in the store is sealed yet.
    async fn is_unused(&self) -> Result<bool, StoreError> {
        let (secrets, keys) = (self.store.secrets(None, 1).await?, self.store.access_keys(None, 1).await?);
        Ok(secrets.is_empty() && keys.is_empty() && !self.store.has_connections().await?)
    }
}

//! Access keys: made, listed, revoked, and found for each request.
//!
//! They are kept in memory as the store has them, because every request asks for one; one process beside the store is
//! assumed. A secret is shown once, when it is made, and is sealed in the store. It must never be in a log, a list or
//! `Debug` output.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::OsRng;
use chacha20poly1305::aead::rand_core::RngCore as _;
use serde_json::{Value, json};
use stepwell_asl::Timestamp;
use stepwell_executor::{Clock as _, SystemClock};
use stepwell_store::{AccessKeyRecord, Store, StoreError};
use tokio::sync::Mutex;

use super::policy::Policies;
use super::rate::{Bucket, RateLimit};
use crate::limits;
use crate::modules::Accounts;
use crate::secrets::{Seal, Sealed, SecretError};

/// How ids begin, as those of AWS do.
const ID_PREFIX: &str = "AKIA";
/// Characters of an id behind its prefix.
const ID_CHARACTERS: usize = 16;
/// What an id is made of: base32.
const ID_ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Random bytes of a secret: 40 characters of base64, as AWS has.
const SECRET_BYTES: usize = 30;

/// One access key.
pub(crate) struct AccessKey {
    record: AccessKeyRecord,
    /// What it may do.
    pub(crate) policies: Policies,
    /// None when this server's key does not open it.
    secret: Option<String>,
    bucket: Option<Bucket>,
    /// Milliseconds since 1970; 0 is never since this server started.
    last_used: AtomicI64,
}

impl std::fmt::Debug for AccessKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "AccessKey({} {} {:?})", self.record.id, self.record.account, self.policies)
    }
}

impl AccessKey {
    /// Its id.
    pub(crate) fn id(&self) -> &str {
        &self.record.id
    }

    /// The account that it is bound to.
    pub(crate) fn account(&self) -> &str {
        &self.record.account
    }

    /// What signatures are made with; none when it cannot be had.
    pub(crate) fn secret(&self) -> Option<&str> {
        self.secret.as_deref()
    }

    /// Its requests, if they are bounded.
    pub(crate) fn bucket(&self) -> Option<&Bucket> {
        self.bucket.as_ref()
    }

    pub(crate) fn is_expired(&self, now: Timestamp) -> bool {
        self.record.expires_at.is_some_and(|expires_at| expires_at <= now)
    }

    /// What may be told of it, as the API and the command line have it.
    pub(crate) fn to_json(&self) -> Value {
        let record = &self.record;
        let moment = |at: Option<Timestamp>| at.map(Timestamp::to_rfc3339);
        json!({
            "accessKeyId": record.id,
            "account": record.account,
            "policies": record.policies,
            "description": record.description,
            "createdAt": record.created_at.to_rfc3339(),
            "expiresAt": moment(record.expires_at),
            "revokedAt": moment(record.revoked_at),
            "lastUsedAt": moment(self.last_used_at()),
        })
    }

    /// Notes that it was used.
    pub(crate) fn used(&self, now: Timestamp) {
        self.last_used.store(now.0, Ordering::Relaxed);
    }

    /// When it was last used since this server started.
    pub(crate) fn last_used_at(&self) -> Option<Timestamp> {
        Some(self.last_used.load(Ordering::Relaxed)).filter(|at| *at != 0).map(Timestamp)
    }
}

/// A key that is to be made.
#[derive(Clone, Debug)]
pub(crate) struct NewKey {
    pub(crate) account: String,
    pub(crate) policies: Policies,
    /// For people.
    pub(crate) description: String,
    pub(crate) expires_at: Option<Timestamp>,
}

/// Why a key cannot be made or revoked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    /// What was given is wrong.
    #[error("{0}")]
    Invalid(String),
    /// No key has that id.
    #[error("Access Key Does Not Exist: '{0}'")]
    Missing(String),
    /// The secret cannot be sealed.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The access keys of this server.
pub(crate) struct AccessKeys {
    store: Store,
    seal: Seal,
    /// Where accounts that have keys are told to those who keep modules apart.
    accounts: Accounts,
    limit: Option<RateLimit>,
    keys: RwLock<BTreeMap<String, Arc<AccessKey>>>,
    /// Held by every change.
    changes: Mutex<()>,
}

impl AccessKeys {
    /// Reads the keys of a store. Those whose secrets cannot be opened are there and let nobody in.
    ///
    /// Errors: of the store.
    pub(crate) async fn open(
        store: Store,
        seal: Seal,
        accounts: Accounts,
        limit: Option<RateLimit>,
    ) -> Result<AccessKeys, StoreError> {
        let keys =
            AccessKeys { store, seal, accounts, limit, keys: RwLock::default(), changes: Mutex::default() };
        let mut after: Option<String> = None;
        loop {
            let page = keys.store.access_keys(after.as_deref(), limits::ACCESS_KEYS_READ).await?;
            let Some(last) = page.last() else { return Ok(keys) };
            after = Some(last.id.clone());
            for record in page {
                keys.take_in(record);
            }
        }
    }

    /// Whether any key was ever made: from then on requests are signed. Revoked ones count, so that revoking the last
    /// one does not open the server.
    pub(crate) fn any(&self) -> bool {
        !self.read(BTreeMap::is_empty)
    }

    /// A key that was not revoked.
    pub(crate) fn find(&self, id: &str) -> Option<Arc<AccessKey>> {
        let found = self.read(|keys| keys.get(id).cloned());
        found.filter(|key| key.record.revoked_at.is_none())
    }

    /// All keys in the order of their ids, also revoked ones.
    pub(crate) fn list(&self) -> Vec<Arc<AccessKey>> {
        self.read(|keys| keys.values().cloned().collect())
    }

    /// Makes a key: with it its secret, which nobody is told again.
    ///
    /// Errors: `Invalid`, `Secret`, `Store`.
    pub(crate) async fn create(&self, wish: NewKey) -> Result<(Arc<AccessKey>, String), KeyError> {
        let _turn = self.changes.lock().await;
        self.check(&wish)?;
        let (id, secret) = (new_id(), new_secret());
        let now = SystemClock.now();
        let mut record = AccessKeyRecord {
            id: id.clone(),
            account: wish.account,
            policies: wish.policies.names().into_iter().map(str::to_owned).collect(),
            description: wish.description,
            scheme: String::new(),
            nonce: Vec::new(),
            sealed: Vec::new(),
            created_at: now,
            expires_at: wish.expires_at,
            revoked_at: None,
        };
        let Sealed { scheme, nonce, bytes: sealed } = self.seal.seal(&owner(&record), &secret).await?;
        (record.scheme, record.nonce, record.sealed) = (scheme, nonce, sealed);
        self.store.put_access_key(&record).await?;
        tracing::info!(id, account = record.account, policies = ?wish.policies, "access key made");
        self.take_in(record);
        let made = self.read(|keys| keys.get(&id).cloned()).ok_or(KeyError::Missing(id))?;
        Ok((made, secret))
    }

    /// Revokes a key: requests that begin after this are refused. Revoking it again changes nothing.
    ///
    /// Errors: `Missing`, `Store`.
    pub(crate) async fn revoke(&self, id: &str) -> Result<Arc<AccessKey>, KeyError> {
        let _turn = self.changes.lock().await;
        let found = self.read(|keys| keys.get(id).cloned());
        let found = found.ok_or_else(|| KeyError::Missing(id.to_owned()))?;
        if found.record.revoked_at.is_some() {
            return Ok(found);
        }
        let record = AccessKeyRecord { revoked_at: Some(SystemClock.now()), ..found.record.clone() };
        self.store.put_access_key(&record).await?;
        tracing::info!(id, "access key revoked");
        self.take_in(record);
        self.read(|keys| keys.get(id).cloned()).ok_or_else(|| KeyError::Missing(id.to_owned()))
    }

    fn check(&self, wish: &NewKey) -> Result<(), KeyError> {
        let invalid = |message: &str| Err(KeyError::Invalid(message.to_owned()));
        if !is_account(&wish.account) {
            return invalid("account: an account is exactly 12 digits");
        }
        if wish.description.chars().count() > limits::DESCRIPTION_CHARACTERS {
            return invalid("description: is longer than 256 characters");
        }
        if wish.expires_at.is_some_and(|expires_at| expires_at <= SystemClock.now()) {
            return invalid("expires: is in the past");
        }
        if self.read(BTreeMap::len) >= limits::ACCESS_KEYS {
            return invalid("there are too many access keys");
        }
        let is_first = !self.any();
        if is_first && (!wish.policies.allow(Policies::ADMIN) || wish.expires_at.is_some()) {
            return invalid(
                "policies: the first access key needs the policy admin and no end, because from now on only signed \
                 requests are answered, those that make other keys too",
            );
        }
        Ok(())
    }

    /// Keeps a key as it is stored.
    fn take_in(&self, record: AccessKeyRecord) {
        let secret = self.seal.open(&owner(&record), &record.scheme, &record.nonce, &record.sealed);
        if let (Err(error), None) = (&secret, record.revoked_at) {
            tracing::error!(id = record.id, %error, "the secret of an access key cannot be opened: it lets nobody in");
        }
        // What another release may have written: a policy that this one does not know allows nothing.
        let policies = Policies::parse(record.policies.iter().map(String::as_str));
        let secret = secret.ok().filter(|_| policies.is_some());
        self.accounts.add(&record.account);
        let key = AccessKey {
            policies: policies.unwrap_or(Policies::READ),
            secret,
            bucket: self.limit.map(Bucket::new),
            last_used: AtomicI64::new(0),
            record,
        };
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        keys.insert(key.record.id.clone(), Arc::new(key));
    }

    fn read<T>(&self, look: impl FnOnce(&BTreeMap<String, Arc<AccessKey>>) -> T) -> T {
        look(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What a sealed secret belongs to: it cannot be opened once somebody has changed this in the store.
fn owner(record: &AccessKeyRecord) -> String {
    let AccessKeyRecord { id, account, policies, expires_at, .. } = record;
    let expires_at = expires_at.map_or_else(|| "never".to_owned(), |at| at.0.to_string());
    format!("access-key:{id}:{account}:{}:{expires_at}", policies.join(","))
}

/// Whether a text is 12 digits.
pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn new_id() -> String {
    let mut random = [0_u8; ID_CHARACTERS];
    OsRng.fill_bytes(&mut random);
    let characters = random.iter().filter_map(|byte| ID_ALPHABET.get(usize::from(byte % 32)));
    ID_PREFIX.chars().chain(characters.map(|byte| char::from(*byte))).collect()
}

fn new_secret() -> String {
    let mut random = [0_u8; SECRET_BYTES];
    OsRng.fill_bytes(&mut random);
    STANDARD.encode(random)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use stepwell_store::MemoryBackend;

    use super::*;
    use crate::secrets::SecretKey;

    struct Kept {
        store: Store,
        seal: Seal,
    }

    impl Kept {
        fn new() -> Kept {
            let store = Store::new(Arc::new(MemoryBackend::new()));
            Kept { seal: Seal::new(store.clone(), SecretKey::in_memory()), store }
        }

        async fn open(&self) -> AccessKeys {
            let accounts = Accounts::default();
            AccessKeys::open(self.store.clone(), self.seal.clone(), accounts, None).await.unwrap()
        }
    }

    fn wish(policies: Policies) -> NewKey {
        NewKey { account: "111111111111".into(), policies, description: String::new(), expires_at: None }
    }

    #[tokio::test]
    async fn keys_outlive_the_server_and_their_revocation_too() {
        let kept = Kept::new();
        let keys = kept.open().await;
        assert!(!keys.any());
        let (key, secret) = keys.create(wish(Policies::ADMIN)).await.unwrap();
        assert_eq!(kept.open().await.find(key.id()).unwrap().secret(), Some(secret.as_str()));
        keys.revoke(key.id()).await.unwrap();
        let again = kept.open().await;
        assert!(again.find(key.id()).is_none() && again.any(), "a revoked key still closes the server");
        assert!(keys.find(key.id()).is_none() && keys.any());
        assert!(matches!(keys.revoke("AKIA").await, Err(KeyError::Missing(_))));
        assert!(!format!("{key:?}").contains(&secret));
        assert!(!format!("{:?}", kept.store.access_keys(None, 9).await.unwrap()).contains(&secret));
    }

    #[tokio::test]
    async fn the_first_key_must_be_able_to_make_others() {
        let keys = Kept::new().open().await;
        let ending = NewKey { expires_at: Some(SystemClock.now().plus_seconds(9)), ..wish(Policies::ADMIN) };
        for wrong in [wish(Policies::READ), wish(Policies::DEPLOY), ending] {
            assert!(matches!(keys.create(wrong).await, Err(KeyError::Invalid(_))));
        }
        keys.create(wish(Policies::ADMIN)).await.unwrap();
        keys.create(wish(Policies::READ)).await.unwrap();
        let past = NewKey { expires_at: Some(Timestamp(1)), ..wish(Policies::READ) };
        let account = NewKey { account: "1".into(), ..wish(Policies::READ) };
        for wrong in [past, account] {
            assert!(matches!(keys.create(wrong).await, Err(KeyError::Invalid(_))));
        }
    }

    #[tokio::test]
    async fn a_record_that_somebody_has_changed_lets_nobody_in() {
        let kept = Kept::new();
        let keys = kept.open().await;
        keys.create(wish(Policies::ADMIN)).await.unwrap();
        let (key, _) = keys.create(wish(Policies::READ)).await.unwrap();
        let record = key.record.clone();
        let admin = AccessKeyRecord { policies: vec!["admin".into()], ..record.clone() };
        let elsewhere = AccessKeyRecord { account: "222222222222".into(), ..record.clone() };
        let unknown = AccessKeyRecord { policies: vec!["root".into()], ..record };
        for changed in [admin, elsewhere, unknown] {
            kept.store.put_access_key(&changed).await.unwrap();
            let found = kept.open().await.find(key.id()).unwrap();
            assert_eq!(found.secret(), None, "{changed:?}");
        }
    }
}

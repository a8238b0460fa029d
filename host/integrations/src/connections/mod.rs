//! Connections of EventBridge: what HTTP tasks are let in with, by name and never by value.
//!
//! A connection is a record of the store (`stepwell-store`); its credentials are sealed by the server (a [`Sealing`]). Access
//! tokens of OAuth are in memory only (`tokens`). Nothing here may log, show or quote a credential.

mod additions;
mod auth_parameters;
mod operations;
#[cfg(test)]
pub(crate) mod tests;
mod tokens;

use crate::http_client::HttpClient;
use crate::service::{Service, ServiceCall, ServiceError};
use async_trait::async_trait;
use serde_json::Value;
use std::sync::Arc;
use stepwell_asl::StatesError;
use stepwell_executor::Clock;
use stepwell_store::{ConnectionRecord, Store, StoreError};

pub(crate) use additions::Additions;
use auth_parameters::AuthParameters;
use tokens::Tokens;

/// Seals texts so that only this server opens them, and only for the same owner. Errors: in words for people, without the text.
#[async_trait]
pub trait Sealing: Send + Sync {
    /// Seals a text that belongs to `owner`.
    async fn seal(&self, owner: &str, text: &str) -> Result<SealedText, String>;

    /// Opens what was sealed for `owner`.
    fn open(&self, owner: &str, sealed: &SealedText) -> Result<String, String>;
}

/// A sealed text, as records hold it.
#[derive(Clone, Debug)]
pub struct SealedText {
    /// How it is sealed.
    pub scheme: String,
    /// The number that was used once.
    pub nonce: Vec<u8>,
    /// The encrypted text.
    pub bytes: Vec<u8>,
}

/// The connections of all accounts.
#[derive(Clone)]
pub struct Connections {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    sealing: Arc<dyn Sealing>,
    client: Arc<HttpClient>,
    clock: Arc<dyn Clock>,
    tokens: Tokens,
    /// Whether a connection must be named as exactly as AWS wants it.
    strict: bool,
}

/// A connection that a task uses.
pub(crate) struct Used {
    record: ConnectionRecord,
    auth: AuthParameters,
}

/// The states of a connection (API: ConnectionState).
const AUTHORIZED: &str = "AUTHORIZED";
const AUTHORIZING: &str = "AUTHORIZING";
const DEAUTHORIZED: &str = "DEAUTHORIZED";

impl Connections {
    /// The connections of a store. `strict`: an ARN must end with the id of its connection.
    pub fn new(
        store: Store,
        sealing: Arc<dyn Sealing>,
        client: Arc<HttpClient>,
        clock: Arc<dyn Clock>,
        strict: bool,
    ) -> Connections {
        let tokens = Tokens::default();
        Connections { inner: Arc::new(Inner { store, sealing, client, clock, tokens, strict }) }
    }

    /// The connection of an ARN, for a task of this account and region.
    pub(crate) async fn find(&self, account: &str, region: &str, arn: &str) -> Result<Used, StatesError> {
        let (name, id) = self.named(account, region, arn)?;
        let found =
            self.inner.store.connection(account, region, name).await.map_err(|error| internal(&error))?;
        let found = found.map(|(record, _)| record);
        let Some(record) = found.filter(|record| id.is_none_or(|id| id == record.id)) else {
            let cause = format!("Connection '{name}' does not exist.");
            return Err(StatesError::new("Events.ConnectionResource.ResourceNotFound", cause));
        };
        if record.state == DEAUTHORIZED {
            let reason = record.state_reason.as_deref().unwrap_or("it was deauthorized");
            let cause = format!("Connection {name} is {DEAUTHORIZED}: {reason}");
            return Err(StatesError::new("Events.ConnectionResource.InvalidConnectionState", cause));
        }
        let auth = self.open(&record).map_err(|reason| {
            tracing::error!(connection = record.name, reason, "a connection's credentials cannot be opened");
            let cause = format!("The credentials of connection {name} cannot be opened: {reason}");
            StatesError::new("Events.ConnectionResource.InternalError", cause)
        })?;
        Ok(Used { record, auth })
    }

    /// Name and id in an ARN; the relaxed profile does without the id.
    fn named<'a>(
        &self,
        account: &str,
        region: &str,
        arn: &'a str,
    ) -> Result<(&'a str, Option<&'a str>), StatesError> {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let resource = match parts[..] {
            ["arn", _, "events", in_region, of_account, resource] => {
                if of_account != account {
                    let cause = format!("Connection {arn} belongs to another account");
                    return Err(StatesError::new("Events.ConnectionResource.AccessDenied", cause));
                }
                if in_region != region {
                    let cause = format!("Connection '{arn}' does not exist.");
                    return Err(StatesError::new("Events.ConnectionResource.ResourceNotFound", cause));
                }
                resource.strip_prefix("connection/")
            }
            _ => None,
        };
        let (name, id) = match resource.map(|resource| resource.split_once('/')) {
            Some(Some((name, id))) => (name, Some(id)),
            Some(None) if !self.inner.strict => (resource.unwrap_or_default(), None),
            Some(None) | None => {
                return Err(StatesError::runtime(format!("'{arn}' is not the ARN of a connection")));
            }
        };
        // An ARN that was made up, or one of the connection's predecessor, is good enough for tests.
        Ok((name, id.filter(|_| self.inner.strict)))
    }

    /// Opens the credentials of a connection.
    fn open(&self, record: &ConnectionRecord) -> Result<AuthParameters, String> {
        let sealed = SealedText {
            scheme: record.scheme.clone(),
            nonce: record.nonce.clone(),
            bytes: record.sealed.clone(),
        };
        let text = self.inner.sealing.open(&owner(&record.account, &record.region, &record.name), &sealed)?;
        serde_json::from_str(&text).map_err(|_| "they are of another release".to_owned())
    }

    /// What the connection adds to a request, its access token included. `refused`: a token that the API did not take.
    pub(crate) async fn additions(
        &self,
        used: &Used,
        refused: Option<&str>,
    ) -> Result<Additions, StatesError> {
        let token = match &used.auth.oauth {
            None => None,
            Some(oauth) => Some(self.token(&used.record, oauth, refused).await?),
        };
        Ok(Additions::of(&used.auth, token.as_deref()))
    }
}

impl Used {
    /// Whether its credential is a token, which can be fetched again.
    pub(crate) fn has_token(&self) -> bool {
        self.auth.oauth.is_some()
    }
}

/// What the credentials of a connection are sealed with, so that they cannot be put into another one.
fn owner(account: &str, region: &str, name: &str) -> String {
    format!("connection:{account}:{region}:{name}")
}

fn internal(error: &StoreError) -> StatesError {
    tracing::error!(%error, "a connection cannot be read");
    StatesError::new("Events.ConnectionResource.InternalError", "The connection cannot be read")
}

#[async_trait]
impl Service for Connections {
    fn offers(&self, operation: &str) -> bool {
        operations::NAMES.contains(&operation)
    }

    async fn call(&self, call: ServiceCall) -> Result<Value, ServiceError> {
        self.operation(&call).await
    }
}

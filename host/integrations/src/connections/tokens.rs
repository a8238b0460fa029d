//! Access tokens of connections with OAuth client credentials (RFC 6749, section 4.4): fetched when they are needed, kept in
//! memory until shortly before they expire, fetched again when an API refuses one.
//!
//! For each connection one fetch is under way at a time; who comes meanwhile waits for it. A token must never reach the
//! store, a log or an error.

use super::additions::basic_authorization;
use super::auth_parameters::{HttpParameters, OAuth};
use super::{AUTHORIZED, AUTHORIZING, Connections, DEAUTHORIZED};
use crate::http::encoding;
use crate::http_client::{Outgoing, Reply, Target};
use crate::limits;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use stepwell_asl::StatesError;
use stepwell_store::ConnectionRecord;
use tokio::sync::Mutex as FetchLock;
use tokio::time::Instant;

/// The tokens of all connections.
#[derive(Default)]
pub(super) struct Tokens {
    kept: Mutex<HashMap<Key, Arc<FetchLock<Option<Token>>>>>,
}

/// A connection as it was changed last: the token of its earlier credentials is not that of the new ones.
type Key = (String, i64);

#[derive(Clone)]
struct Token {
    text: String,
    until: Instant,
}

/// Why there is no token.
pub(super) enum Refusal {
    /// The authorization server does not know these credentials.
    Credentials(String),
    /// It cannot be asked now.
    Trouble(String),
}

impl Tokens {
    fn place(&self, record: &ConnectionRecord) -> Arc<FetchLock<Option<Token>>> {
        let key = (record.id.clone(), record.modified_at.0);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= limits::TOKENS && !kept.contains_key(&key) {
            // Those that nobody fetches at this moment.
            kept.retain(|_, place| Arc::strong_count(place) > 1);
        }
        Arc::clone(kept.entry(key).or_default())
    }
}

impl Connections {
    /// The token of a connection. `refused` is one that the API has not taken, which is not given out again.
    pub(super) async fn token(
        &self,
        record: &ConnectionRecord,
        oauth: &OAuth,
        refused: Option<&str>,
    ) -> Result<String, StatesError> {
        let place = self.inner.tokens.place(record);
        let mut kept = place.lock().await;
        if let Some(token) = &*kept
            && token.until > Instant::now()
            && refused != Some(&token.text)
        {
            return Ok(token.text.clone());
        }
        *kept = None;
        match self.fetch(oauth).await {
            Ok(token) => {
                let text = token.text.clone();
                *kept = Some(token);
                drop(kept);
                if record.state == AUTHORIZING {
                    self.authorized(record, AUTHORIZED, None).await;
                }
                Ok(text)
            }
            Err(Refusal::Credentials(reason)) => {
                let cause = format!("Connection {} got no access token: {reason}", record.name);
                Err(StatesError::new("Events.ConnectionResource.InvalidConnectionState", cause))
            }
            Err(Refusal::Trouble(reason)) => {
                let cause = format!("Connection {} got no access token: {reason}", record.name);
                Err(StatesError::new("Events.ConnectionResource.InternalError", cause))
            }
        }
    }

    /// Finds out whether the credentials of a connection are good, and writes it down.
    pub(super) async fn authorize(&self, record: ConnectionRecord) {
        let Ok(auth) = self.open(&record) else { return };
        let Some(oauth) = &auth.oauth else { return };
        let place = self.inner.tokens.place(&record);
        let mut kept = place.lock().await;
        let fetched = self.fetch(oauth).await;
        let (state, reason) = match fetched {
            Ok(token) => {
                *kept = Some(token);
                (AUTHORIZED, None)
            }
            Err(Refusal::Credentials(reason)) => (DEAUTHORIZED, Some(reason)),
            // The first task that uses it tries again.
            Err(Refusal::Trouble(reason)) => (AUTHORIZING, Some(reason)),
        };
        drop(kept);
        self.authorized(&record, state, reason).await;
    }

    /// Writes the state of a connection down, unless it was changed meanwhile.
    async fn authorized(&self, record: &ConnectionRecord, state: &str, reason: Option<String>) {
        let store = &self.inner.store;
        let Ok(Some((now, version))) = store.connection(&record.account, &record.region, &record.name).await
        else {
            return;
        };
        if now != *record {
            return;
        }
        let authorized_at = (state == AUTHORIZED).then(|| self.inner.clock.now()).or(now.authorized_at);
        let changed =
            ConnectionRecord { state: state.to_owned(), state_reason: reason, authorized_at, ..now };
        if let Err(error) = store.change_connection(&changed, version).await {
            tracing::debug!(%error, connection = record.name, "the state of a connection is not written down");
        }
    }

    /// Asks the authorization server: with the credentials in a header, and if that does not please it, in the body.
    async fn fetch(&self, oauth: &OAuth) -> Result<Token, Refusal> {
        let reply = self.ask(oauth, true).await?;
        let dislikes = matches!(reply.status, StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED);
        let reply = if dislikes { self.ask(oauth, false).await? } else { reply };
        let status = reply.status;
        if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS {
            return Err(Refusal::Credentials(format!("the authorization server answered {status}")));
        }
        if !status.is_success() {
            return Err(Refusal::Trouble(format!("the authorization server answered {status}")));
        }
        read(&reply).ok_or_else(|| {
            Refusal::Trouble("the authorization server's answer holds no access_token".to_owned())
        })
    }

    async fn ask(&self, oauth: &OAuth, in_header: bool) -> Result<Reply, Refusal> {
        let request = request(oauth, in_header).map_err(|reason| Refusal::Credentials(reason.to_owned()))?;
        let sent = self.inner.client.send(request, limits::TOKEN_TIME, limits::TOKEN_BYTES).await;
        sent.map_err(|error| Refusal::Trouble(format!("the authorization server: {error}")))
    }
}

/// The request for a token.
fn request(oauth: &OAuth, in_header: bool) -> Result<Outgoing, &'static str> {
    let no_parameters = HttpParameters::default();
    let parameters = oauth.http_parameters.as_ref().unwrap_or(&no_parameters);
    let mut target =
        Target::parse(&oauth.authorization_endpoint).map_err(|_| "the authorization endpoint is no URL")?;
    let mut form: Vec<(&str, &str)> = vec![("grant_type", "client_credentials")];
    if !in_header {
        form.push(("client_id", &oauth.client_parameters.id));
        form.push(("client_secret", &oauth.client_parameters.secret));
    }
    // What the connection says itself comes in the place of what is usual.
    form.retain(|(name, _)| !parameters.body.iter().any(|one| one.key == *name));
    form.extend(parameters.body.iter().map(|one| (one.key.as_str(), one.value.as_str())));
    let query: Vec<(&str, &str)> =
        parameters.query.iter().map(|one| (one.key.as_str(), one.value.as_str())).collect();
    target.add_query(&encoding::pairs(&query));
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    let wrong = "a header of the connection's OAuth parameters is none";
    for one in &parameters.headers {
        let name = HeaderName::try_from(&one.key).map_err(|_| wrong)?;
        headers.insert(name, HeaderValue::try_from(&one.value).map_err(|_| wrong)?);
    }
    if in_header {
        let client = &oauth.client_parameters;
        // RFC 6749, section 2.3.1: both are form-encoded first.
        let value = basic_authorization(&encoding::text(&client.id), &encoding::text(&client.secret));
        headers.insert(AUTHORIZATION, HeaderValue::try_from(value).map_err(|_| wrong)?);
    }
    let method = Method::try_from(oauth.http_method.as_str()).map_err(|_| "its method is none")?;
    let body = if method == Method::GET {
        target.add_query(&encoding::pairs(&form));
        None
    } else {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        Some(encoding::pairs(&form).into())
    };
    Ok(Outgoing { target, method, headers, body })
}

/// The token in an answer.
fn read(reply: &Reply) -> Option<Token> {
    let answer: Value = serde_json::from_slice(&reply.body).ok()?;
    let text = answer.get("access_token")?.as_str()?.to_owned();
    HeaderValue::try_from(format!("Bearer {text}")).ok()?;
    let told = answer.get("expires_in");
    // Some servers write the number as a text.
    let seconds = told.and_then(|told| told.as_u64().or_else(|| told.as_str()?.parse().ok()));
    let seconds = seconds.unwrap_or(limits::TOKEN_SECONDS).min(limits::TOKEN_MOST_SECONDS);
    let seconds = seconds.saturating_sub(limits::TOKEN_RESERVE_SECONDS);
    Some(Token { text, until: Instant::now() + Duration::from_secs(seconds) })
}

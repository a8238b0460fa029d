//! What was sent and what came back, for TestState at level TRACE (API: InspectionDataRequest, InspectionDataResponse).
//!
//! Only the exchanges of those tasks are kept that somebody watches, and only as long as they watch. What a connection adds is
//! not in it, unless it was asked for.

use super::request::Composed;
use crate::http_client::Reply;
use crate::limits;
use http::HeaderMap;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The exchanges that are watched, by the idempotency key of their task.
#[derive(Clone, Default)]
pub struct Exchanges {
    watched: Arc<Mutex<HashMap<String, Exchange>>>,
}

/// An exchange as far as it has come.
#[derive(Clone, Debug, Default)]
pub struct Exchange {
    /// `request` of the inspection data.
    pub request: Option<Value>,
    /// `response` of the inspection data.
    pub response: Option<Value>,
    reveals_secrets: bool,
}

/// Somebody who watches one task. Dropping it ends that.
pub struct Watch {
    exchanges: Exchanges,
    key: String,
}

impl Exchanges {
    /// Watches the task with this idempotency key. None: too many are watched.
    pub fn watch(&self, key: &str, reveals_secrets: bool) -> Option<Watch> {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if watched.len() >= limits::WATCHED_EXCHANGES {
            return None;
        }
        watched.insert(key.to_owned(), Exchange { reveals_secrets, ..Exchange::default() });
        Some(Watch { exchanges: self.clone(), key: key.to_owned() })
    }

    /// Whether what a connection adds is to be seen; none if nobody watches.
    pub(super) fn reveals(&self, key: &str) -> Option<bool> {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.get(key).map(|exchange| exchange.reveals_secrets)
    }

    pub(super) fn sent(&self, key: &str, request: &Composed) {
        let mut shown = json!({
            "protocol": protocol(request),
            "method": request.method.as_str(),
            "url": request.target.url(),
            "headers": listed(request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str().into()))),
        });
        if let Some(body) = &request.body {
            shown["body"] = json!(body);
        }
        self.change(key, |exchange| exchange.request = Some(shown));
    }

    pub(super) fn received(&self, key: &str, request: &Composed, reply: &Reply) {
        let shown = json!({
            "protocol": protocol(request),
            "statusCode": reply.status.as_str(),
            "statusMessage": reply.reason,
            "headers": all_listed(&reply.headers),
            "body": String::from_utf8_lossy(&reply.body),
        });
        self.change(key, |exchange| exchange.response = Some(shown));
    }

    fn change(&self, key: &str, change: impl FnOnce(&mut Exchange)) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(exchange) = watched.get_mut(key) {
            change(exchange);
        }
    }
}

impl Watch {
    /// What has been seen.
    pub fn seen(&self) -> Exchange {
        let watched = self.exchanges.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.get(&self.key).cloned().unwrap_or_default()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut watched = self.exchanges.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.remove(&self.key);
    }
}

fn protocol(request: &Composed) -> &'static str {
    if request.target.is_https { "https" } else { "http" }
}

/// Headers as AWS writes them there: `[a: 1, b: 2]`.
fn listed<'a>(headers: impl Iterator<Item = (&'a str, std::borrow::Cow<'a, str>)>) -> String {
    let headers: Vec<String> = headers.map(|(name, value)| format!("{name}: {value}")).collect();
    format!("[{}]", headers.join(", "))
}

fn all_listed(headers: &HeaderMap) -> String {
    listed(headers.iter().map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes()))))
}

//! The gate in front of every handler: who asks, whether the signature is theirs, and whether they may.
//!
//! It reads a body only for somebody whose access key exists, within its bounds, and hands it on once the signature is
//! right. It never answers whether something exists: that is asked for behind it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;
use stepwell_asl::Timestamp;
use stepwell_executor::{Clock as _, SystemClock};
use tokio::sync::Semaphore;

use super::caller::{AsCaller, Caller, not_authorized};
use super::operation::Operation;
use super::policy::Service;
use super::rate::{Bucket, RateLimit};
use super::sigv4::{Claim, sha256_hex};
use super::{AccessKey, AccessKeys, AuthError, foreign};
use crate::api::error::ApiError;
use crate::rest::RestError;
use crate::server::Server;
use crate::{api, body, json_services, lambda, limits, logs_api};

/// What a server asks of those who send requests.
pub(crate) struct Auth {
    /// None in tests that have no keys.
    pub(crate) keys: Option<AccessKeys>,
    /// Nobody is asked for a signature, whatever keys there are.
    off: bool,
    /// Whether pages of others are kept out while nobody is asked for a signature.
    keeps_pages_out: bool,
    /// All requests without a signature together.
    anyone: Option<Bucket>,
    /// Large bodies that are read before their signature can be known to be right.
    large_bodies: Semaphore,
}

impl Auth {
    /// Nobody is asked for anything.
    pub(crate) fn open() -> Auth {
        let large_bodies = Semaphore::new(limits::UNVERIFIED_BODIES);
        Auth { keys: None, off: false, keeps_pages_out: false, anyone: None, large_bodies }
    }

    /// Signatures are asked for once there are keys, unless `off`.
    pub(crate) fn new(keys: AccessKeys, off: bool, keeps_pages_out: bool, limit: Option<RateLimit>) -> Auth {
        Auth { keys: Some(keys), off, keeps_pages_out, anyone: limit.map(Bucket::new), ..Auth::open() }
    }

    /// Whether nobody is asked although there are keys.
    pub(crate) fn is_off(&self) -> bool {
        self.off
    }

    /// Whether requests must be signed.
    pub(crate) fn is_required(&self) -> bool {
        !self.off && self.keys.as_ref().is_some_and(AccessKeys::any)
    }
}

/// Lets a request in, or answers it here.
pub(crate) async fn let_in(server: &Arc<Server>, request: Request, next: Next) -> Response {
    let Some(operation) = Operation::of(&request) else {
        return next.run(seen_by_anyone(server, request)).await;
    };
    let is_required = server.auth.is_required();
    let checked =
        if is_required { signed(server, request, &operation).await } else { unsigned(server, request).await };
    match checked {
        Ok(request) => next.run(request).await,
        Err(error) => {
            let (action, code) = (operation.action(), error.code());
            tracing::info!(action, code, "a request was not let in");
            refusal(operation.service, error)
        }
    }
}

/// Somebody whom nobody asked for a signature.
async fn unsigned(server: &Arc<Server>, request: Request) -> Result<Request, ApiError> {
    let (parts, body) = request.into_parts();
    let allowed = if server.auth.keeps_pages_out { foreign::check(&parts) } else { Ok(()) };
    let allowed = allowed.and_then(|()| server.auth.anyone.as_ref().map_or(Ok(()), Bucket::take));
    if let Err(error) = allowed {
        drain(body).await;
        return Err(error.into());
    }
    Ok(seen_by_anyone(server, Request::from_parts(parts, body)))
}

/// What needs no signature, or a server that asks for none.
fn seen_by_anyone(server: &Arc<Server>, mut request: Request) -> Request {
    request.extensions_mut().insert(AsCaller(Arc::clone(server)));
    request
}

/// A request whose signature is right and whose key allows it.
async fn signed(server: &Arc<Server>, request: Request, operation: &Operation) -> Result<Request, ApiError> {
    let now = SystemClock.now();
    let (parts, body) = request.into_parts();
    let (claim, key) = match claimed(server, &parts, operation, now) {
        Ok(found) => found,
        Err(error) => {
            drain(body).await;
            return Err(error.into());
        }
    };
    let bytes = verified(server, &claim, &key, &parts, body).await?;
    key.used(now);
    allowed(server, &key, operation)?;
    let seen = server.seen_by(Caller::Key(key));
    let mut request = Request::from_parts(parts, Body::from(bytes));
    request.extensions_mut().insert(AsCaller(Arc::new(seen)));
    Ok(request)
}

/// What can be found out without the body.
fn claimed(
    server: &Server,
    parts: &Parts,
    operation: &Operation,
    now: Timestamp,
) -> Result<(Claim, Arc<AccessKey>), AuthError> {
    let claim = Claim::read(parts)?;
    let key = server.auth.keys.as_ref().and_then(|keys| keys.find(&claim.key_id));
    let key = key.filter(|key| key.secret().is_some()).ok_or(AuthError::UnknownKey)?;
    claim.check_scope(&server.identity.region, operation.service.name(), now)?;
    claim.payload_sha256()?;
    if key.is_expired(now) { Err(AuthError::Expired) } else { Ok((claim, key)) }
}

/// The body, once the signature over it is right. Errors: `Access`, `RequestTooLarge`, `RequestIncomplete`.
async fn verified(
    server: &Server,
    claim: &Claim,
    key: &AccessKey,
    parts: &Parts,
    body: Body,
) -> Result<Vec<u8>, ApiError> {
    let secret = key.secret().unwrap_or_default();
    let longest = if parts.uri.path() == "/" {
        limits::request_bytes(server.executor.quotas())
    } else {
        let code = limits::code_request_bytes(server.modules.max_bytes);
        code.max(limits::trial_request_bytes(server.executor.quotas())).max(limits::LAMBDA_PAYLOAD_BYTES)
    };
    // Who tells the digest is known before anything is read.
    if let Some(told) = claim.payload_sha256()? {
        if let Err(error) = claim.verify(secret, parts, told) {
            drain(body).await;
            return Err(error.into());
        }
        let bytes = body::read(body, &parts.headers, longest).await?;
        let told = told.to_ascii_lowercase();
        let (digest, bytes) = digested(bytes).await?;
        return if digest == told { Ok(bytes) } else { Err(AuthError::mismatch().into()) };
    }
    let is_small = body::announced(&parts.headers).is_some_and(|length| length <= limits::SMALL_BODY_BYTES);
    let room = if is_small { None } else { server.auth.large_bodies.acquire().await.ok() };
    let bytes = body::read(body, &parts.headers, longest).await?;
    let (digest, bytes) = digested(bytes).await?;
    claim.verify(secret, parts, &digest)?;
    drop(room);
    Ok(bytes)
}

/// The digest of a body, and the body; that of a long one is made away from the threads that serve requests.
async fn digested(bytes: Vec<u8>) -> Result<(String, Vec<u8>), ApiError> {
    if bytes.len() <= limits::SMALL_BODY_BYTES {
        return Ok((sha256_hex(&bytes), bytes));
    }
    let work = move || (sha256_hex(&bytes), bytes);
    tokio::task::spawn_blocking(work).await.map_err(|error| ApiError::internal(&error))
}

/// Whether the key may do that, and as often. Errors: `Access`.
fn allowed(server: &Server, key: &AccessKey, operation: &Operation) -> Result<(), AuthError> {
    key.bucket().map_or(Ok(()), Bucket::take)?;
    let (needs, action) = (operation.needs, operation.action());
    if !key.policies.allow(needs.policies) {
        let beginning = not_authorized(key, &action, "*");
        return Err(AuthError::Denied(format!(
            "{beginning} because no identity-based policy allows the {action} action"
        )));
    }
    if needs.whole_server && key.account() != server.identity.account {
        let beginning = not_authorized(key, &action, "*");
        return Err(AuthError::Denied(format!(
            "{beginning} because it concerns accounts other than the key's"
        )));
    }
    Ok(())
}

/// Reads away what a client is still sending: it would see a broken connection instead of the answer.
async fn drain(body: Body) {
    let mut stream = body.into_data_stream();
    let all = async {
        let mut total = 0;
        while let Some(Ok(piece)) = stream.next().await {
            total += piece.len();
            if total > limits::REFUSED_BYTES {
                break;
            }
        }
    };
    // Whoever is slower than that sees the broken connection.
    let _ = tokio::time::timeout(limits::REFUSED_TIME, all).await;
}

/// The answer in the form of the API that was asked.
fn refusal(service: Service, error: ApiError) -> Response {
    let retry_after = if let ApiError::Access(AuthError::RateExceeded { retry_after_milliseconds }) = &error {
        Some(*retry_after_milliseconds)
    } else {
        None
    };
    let mut response = match service {
        Service::States => api::refusal(error),
        Service::Logs => logs_api::refusal(error),
        Service::Events => json_services::refusal(service, error),
        Service::Lambda => lambda::refusal(error),
        Service::Stepwell => RestError::Api(error).into_response(),
    };
    if let Some(milliseconds) = retry_after {
        response.headers_mut().insert("x-amz-retry-after", HeaderValue::from(milliseconds));
    }
    response
}

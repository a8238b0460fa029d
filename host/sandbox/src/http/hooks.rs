//! What wasmtime's `wasi:http` asks its host: which headers are the host's own, and to send a request.
//!
//! One [`OutgoingHttp`] per call. It holds nothing but shared pointers until the guest sends its first request. What runs for a
//! request belongs to handles in the call's table: when the call is dropped, they are, and their connections close.
//! Neither query, header nor body may reach a log.

use super::exchange::{Times, exchange};
use super::failure::Failure;
use super::policy::{self, Target};
use crate::call::LogLevel;
use crate::grants::Grants;
use crate::limits;
use crate::output::CallLog;
use http::header::HOST;
use http::{HeaderName, HeaderValue, Method, Request, Response, Uri};
use std::sync::{Arc, LazyLock};
use stepwell_net::{Connector, Reach};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpCtx,
    WasiHttpHooks,
};

/// What [`WasiHttpHooks::send_request`] gives back.
type Exchange = Box<dyn Future<Output = Result<(Response<WasiBody>, Rest), Error>> + Send>;
/// What drives a connection after its response has begun.
type Rest = Box<dyn Future<Output = Result<(), Error>> + Send>;

/// Returns the part of a call's state that wasmtime keeps for itself, with the sandbox's bound on headers.
pub(crate) fn context() -> WasiHttpCtx {
    let mut context = WasiHttpCtx::new();
    context.set_field_size_limit(limits::MAX_HTTP_HEAD_BYTES);
    context
}

/// The outgoing HTTP of one call.
pub(crate) struct OutgoingHttp {
    grants: Arc<Grants>,
    log: Arc<CallLog>,
    connector: Arc<Connector>,
    max_requests: usize,
    /// One permit for each request that the call may still have under way; made when the first is sent.
    requests: Option<Arc<Semaphore>>,
}

impl OutgoingHttp {
    /// Prepares the outgoing HTTP of a call that may have so many requests under way at the same time. A request is under way
    /// until its response's body has ended or is dropped; one more fails with `connection-limit-reached`. It does not wait,
    /// since a guest that reads one response after the other would wait for itself.
    pub(crate) fn new(grants: Arc<Grants>, log: Arc<CallLog>, max_requests: usize) -> Self {
        Self::with(grants, log, max_requests, Connector::system())
    }

    /// The same on another network.
    pub(super) fn with(
        grants: Arc<Grants>,
        log: Arc<CallLog>,
        max_requests: usize,
        connector: Arc<Connector>,
    ) -> Self {
        Self { grants, log, connector, max_requests, requests: None }
    }

    /// Decides whether a request may be sent.
    fn admit(
        &mut self,
        request: &Request<WasiBody>,
    ) -> Result<(Target, Reach, OwnedSemaphorePermit), Failure> {
        let target = Target::of(request.uri())?;
        let reach = policy::reach(&self.grants.manifest.http, &target, request.method())?;
        let max_requests = self.max_requests.min(Semaphore::MAX_PERMITS);
        let requests = self.requests.get_or_insert_with(|| Arc::new(Semaphore::new(max_requests)));
        let permit = Arc::clone(requests).try_acquire_owned().map_err(|_| {
            let reason = format!("the call has {max_requests} requests under way, which is its limit");
            Failure::denied(Error::ConnectionLimitReached, reason)
        })?;
        Ok((target, reach, permit))
    }
}

impl WasiHttpHooks for OutgoingHttp {
    fn is_forbidden_header(&mut self, name: &HeaderName) -> bool {
        DEFAULT_FORBIDDEN_HEADERS.contains(name)
    }

    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        static FILTER: LazyLock<ForbiddenHeaderFilter> =
            LazyLock::new(|| Arc::new(|name| DEFAULT_FORBIDDEN_HEADERS.contains(name)));
        Arc::clone(&FILTER)
    }

    fn set_host_header(&mut self) -> bool {
        // `send_request` sets it, to the host that was checked.
        false
    }

    fn send_request(
        &mut self,
        mut request: Request<WasiBody>,
        options: Option<RequestOptions>,
        // wasmtime tells through this that reading a response failed: nothing here would act on it.
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Exchange {
        let times = Times::of(options);
        let (target, reach, permit) = match self.admit(&request) {
            Ok(admitted) => admitted,
            Err(failure) => {
                let error = told(&self.log, request.method(), &shown(request.uri()), failure);
                return Box::new(std::future::ready(Err(error)));
            }
        };
        let Ok(host) = HeaderValue::try_from(target.authority()) else {
            return Box::new(std::future::ready(Err(Error::HttpRequestUriInvalid)));
        };
        request.headers_mut().insert(HOST, host);
        let method = request.method().clone();
        let (log, connector) = (Arc::clone(&self.log), Arc::clone(&self.connector));
        Box::new(async move {
            match exchange(&connector, &target, &reach, request, times, permit).await {
                Ok((response, driver)) => {
                    let rest = async move {
                        driver.await;
                        Ok(())
                    };
                    Ok((response, Box::new(rest) as Rest))
                }
                Err(failure) => Err(told(&log, &method, &target.to_string(), failure)),
            }
        })
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        limits::HTTP_BODY_CHUNK_BYTES
    }
}

/// Tells the call's log why a request was denied, and returns what the guest gets.
fn told(log: &CallLog, method: &Method, target: &str, failure: Failure) -> Error {
    if let Some(reason) = failure.reason {
        let method = cut(method.as_str(), limits::MAX_SHOWN_METHOD_BYTES);
        log.message(LogLevel::Warn, &format!("an HTTP request was denied: {method} {target}: {reason}"));
    }
    failure.error
}

/// Returns scheme, host and port of a request that may be no proper one, without what a user name's place may hold.
fn shown(uri: &Uri) -> String {
    if let Ok(target) = Target::of(uri) {
        return target.to_string();
    }
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let scheme = uri.scheme_str().unwrap_or_default();
    format!("{}://{}", cut(scheme, limits::MAX_SHOWN_METHOD_BYTES), cut(host, limits::MAX_SHOWN_HOST_BYTES))
}

/// Cuts a text that a guest made.
fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

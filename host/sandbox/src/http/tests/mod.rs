//! Requests of a call against servers on this machine: what is let through, what is not, and what ends when.
//!
//! Names are looked up by a script, and what is dialled is recorded: no test reaches beyond this machine.

mod network;
mod requests;
mod server;
mod timing;
mod tls;

use super::hooks::OutgoingHttp;
use crate::bounds::Bounds;
use crate::call::{CallHost, LogLevel};
use crate::config::SandboxConfig;
use crate::grants::Grants;
use crate::manifest::{Limits, Manifest};
use crate::output::CallLog;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use network::Script;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wasmtime_wasi::runtime::{AbortOnDropJoinHandle, spawn};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

/// Remembers every line of a log.
#[derive(Default)]
pub(super) struct Lines(Mutex<Vec<String>>);

impl CallHost for Lines {
    fn log(&self, level: LogLevel, message: &str) {
        assert_eq!(level, LogLevel::Warn, "{message}");
        self.0.lock().unwrap().push(message.to_owned());
    }
    fn heartbeat(&self) {}
}

/// A call with rules, on a scripted network.
pub(super) struct TestCall {
    pub(super) http: OutgoingHttp,
    pub(super) network: Arc<Script>,
    lines: Arc<Lines>,
}

impl TestCall {
    /// Begins a call whose manifest has these rules.
    pub(super) fn new(rules: serde_json::Value, network: Script) -> Self {
        Self::with(rules, network, stepwell_net::Tls::system(), 64)
    }

    pub(super) fn with(
        rules: serde_json::Value,
        network: Script,
        tls: stepwell_net::Tls,
        max_requests: usize,
    ) -> Self {
        let manifest = Manifest { http: serde_json::from_value(rules).unwrap(), ..Manifest::default() };
        manifest.check().unwrap();
        let grants = Arc::new(Grants { manifest, ..Grants::default() });
        let lines = Arc::new(Lines::default());
        let bounds = Bounds::new(&SandboxConfig::new("unused"), &Limits::default(), Duration::MAX);
        let host = Arc::clone(&lines) as Arc<dyn CallHost>;
        let log = Arc::new(CallLog::new(host, Arc::clone(&grants), &bounds));
        let network = Arc::new(network);
        let connector = Arc::new(stepwell_net::Connector::new(Arc::clone(&network), tls));
        Self { http: OutgoingHttp::with(grants, log, max_requests, connector), network, lines }
    }

    /// Returns the log and empties it.
    pub(super) fn log(&self) -> Vec<String> {
        std::mem::take(&mut *self.lines.0.lock().unwrap())
    }

    /// Sends a request as wasmtime does: in a task that ends when its handle is dropped.
    pub(super) fn send(&mut self, request: Request<WasiBody>, options: Option<RequestOptions>) -> Pending {
        let sent = self.http.send_request(request, options, Box::new(std::future::ready(Ok(()))));
        Pending(spawn(async move {
            let (response, rest) = Box::into_pin(sent).await?;
            let rest = spawn(async move {
                Box::into_pin(rest).await.unwrap();
            });
            Ok((response, rest))
        }))
    }

    /// Sends a GET and reads the whole response: its status and its body.
    pub(super) async fn get(&mut self, uri: &str) -> Result<(u16, String), Error> {
        self.send(request("GET", uri, ""), None).text().await
    }

    /// Sends a GET that must fail and returns the error's name.
    pub(super) async fn refusal(&mut self, uri: &str) -> String {
        format!("{:?}", self.get(uri).await.unwrap_err())
    }
}

type Answered = Result<(Response<WasiBody>, AbortOnDropJoinHandle<()>), Error>;

/// A request under way.
pub(super) struct Pending(AbortOnDropJoinHandle<Answered>);

impl Pending {
    /// Waits for the response's head. The handle keeps the connection alive.
    pub(super) async fn head(self) -> Answered {
        self.0.await
    }

    /// Waits for all of the response.
    pub(super) async fn text(self) -> Result<(u16, String), Error> {
        let (response, _rest) = self.head().await?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await?.to_bytes();
        Ok((status, String::from_utf8(body.to_vec()).unwrap()))
    }
}

/// A request with a body of a known length.
pub(super) fn request(method: &str, uri: &str, body: &'static str) -> Request<WasiBody> {
    let body = Full::new(Bytes::from_static(body.as_bytes())).map_err(|never| match never {});
    Request::builder().method(method).uri(uri).body(body.boxed_unsync()).unwrap()
}

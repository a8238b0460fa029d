//! The HTTP client of the command line: AWS JSON 1.0 (`POST /` with `X-Amz-Target`) and Stepwell's own endpoints.
//!
//! It never retries a request, since only the caller knows whether repeating one is harmless, and never prints
//! anything but the `--verbose` trace.

use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use stepwell_executor::{Clock as _, SystemClock};
use ureq::Agent;
use ureq::tls::{PemItem, RootCerts, TlsConfig};

use super::exit::Failure;
use crate::auth::sigv4::{Credentials, Unsigned, authorization, sha256_hex};

/// Longest wait for an answer. Uploading compiles the module before it answers, so this is generous.
const REQUEST_SECONDS: u64 = 300;

/// Longest wait for a connection.
const CONNECT_SECONDS: u64 = 5;

/// Largest answer that is read, in bytes: a page of history whose events all carry 256 KiB.
const ANSWER_BYTES: u64 = 256 << 20;

/// Items asked for in one page of a list.
const PAGE_ITEMS: usize = 500;

/// Most pages that one list reads, so that a token that never ends cannot loop the client.
const PAGES: usize = 1_000;

/// Longest piece of an unexpected answer that is shown, in characters.
const EXCERPT_CHARACTERS: usize = 200;

/// A server, as the commands see it.
pub(crate) struct Client {
    agent: Agent,
    endpoint: String,
    timeout_seconds: u64,
    verbose: bool,
    credentials: Option<Credentials>,
    roots: Option<RootCerts>,
}

/// The items of a list, read to its end or to a limit.
pub(crate) struct Listing {
    /// The items of all pages, in the server's order.
    pub(crate) items: Vec<Value>,
    /// Whether the server has more than were asked for.
    pub(crate) more: bool,
}

/// A request body and its content type; `None` for requests without one.
type Body<'a> = Option<(&'static str, &'a [u8])>;

impl Client {
    /// A client of the server at `endpoint` (see [`parse_endpoint`]).
    pub(crate) fn new(endpoint: &str, verbose: bool) -> Self {
        Self::with_timeout(endpoint, verbose, REQUEST_SECONDS, None)
    }

    /// The same client, signing its requests if there is something to sign with.
    pub(crate) fn signing(self, credentials: Option<Credentials>) -> Self {
        Self { credentials, ..self }
    }

    /// The same client, trusting the certificates in a PEM file and no others. Errors: `Usage`.
    pub(crate) fn trusting(self, file: &Path) -> Result<Self, Failure> {
        let wrong = |reason: String| Failure::Usage(format!("--ca-file {}: {reason}", file.display()));
        let pem = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
        let mut certificates = Vec::new();
        for item in ureq::tls::parse_pem(&pem) {
            if let PemItem::Certificate(certificate) = item.map_err(|error| wrong(error.to_string()))? {
                certificates.push(certificate);
            }
        }
        if certificates.is_empty() {
            return Err(wrong("it holds no certificate in PEM form".to_owned()));
        }
        let roots = Some(RootCerts::from(certificates));
        let trusting = Self::with_timeout(&self.endpoint, self.verbose, self.timeout_seconds, roots);
        Ok(trusting.signing(self.credentials))
    }

    fn with_timeout(endpoint: &str, verbose: bool, timeout_seconds: u64, roots: Option<RootCerts>) -> Self {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("stepwell-cli/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(Duration::from_secs(CONNECT_SECONDS)))
            .timeout_global(Some(Duration::from_secs(timeout_seconds)));
        // A proxy from the environment would be asked for *its own* loopback address.
        if is_loopback(endpoint) {
            config = config.proxy(None);
        }
        if let Some(roots) = roots.clone() {
            config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
        }
        Self {
            agent: config.build().into(),
            endpoint: endpoint.to_owned(),
            timeout_seconds,
            verbose,
            credentials: None,
            roots,
        }
    }

    /// The same server with another longest wait for an answer.
    pub(crate) fn waiting(&self, timeout_seconds: u64) -> Self {
        let waiting = Self::with_timeout(&self.endpoint, self.verbose, timeout_seconds, self.roots.clone());
        waiting.signing(self.credentials.clone())
    }

    /// Calls one operation of the Step Functions API.
    pub(crate) fn call(&self, operation: &str, input: &Value) -> Result<Value, Failure> {
        let body = input.to_string();
        let request = ureq::http::Request::builder()
            .method("POST")
            .uri(format!("{}/", self.endpoint))
            .header("x-amz-target", format!("AWSStepFunctions.{operation}"));
        self.send(request, Some(("application/x-amz-json-1.0", body.as_bytes())), operation)
    }

    /// Reads a list to its end, or to `limit` items: `member` is what the operation calls its items.
    pub(crate) fn list(
        &self,
        operation: &str,
        member: &str,
        mut input: Map<String, Value>,
        limit: usize,
    ) -> Result<Listing, Failure> {
        let mut items = Vec::new();
        for _ in 0..PAGES {
            input.insert("maxResults".into(), json!(PAGE_ITEMS.min(limit - items.len())));
            let mut page = self.call(operation, &Value::Object(input.clone()))?;
            if let Some(Value::Array(found)) = page.get_mut(member).map(Value::take) {
                items.extend(found);
            }
            let token = page.get_mut("nextToken").map_or(Value::Null, Value::take);
            let more = !token.is_null();
            if !more || items.len() >= limit {
                items.truncate(limit);
                return Ok(Listing { items, more });
            }
            input.insert("nextToken".into(), token);
        }
        Ok(Listing { items, more: true })
    }

    /// Asks one of Stepwell's own endpoints; `path` are its segments, not yet encoded.
    pub(crate) fn get(&self, path: &[&str]) -> Result<Value, Failure> {
        self.own("GET", path, &[], None)
    }

    /// The same with names and values behind the path, not yet encoded.
    pub(crate) fn get_where(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Value, Failure> {
        self.own("GET", path, query, None)
    }

    /// Uploads `bytes` to one of Stepwell's own endpoints.
    pub(crate) fn put(
        &self,
        path: &[&str],
        content_type: &'static str,
        bytes: &[u8],
    ) -> Result<Value, Failure> {
        self.put_where(path, &[], content_type, bytes)
    }

    /// The same with names and values behind the path, not yet encoded.
    pub(crate) fn put_where(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        content_type: &'static str,
        bytes: &[u8],
    ) -> Result<Value, Failure> {
        self.own("PUT", path, query, Some((content_type, bytes)))
    }

    /// Sends JSON text to one of Stepwell's own endpoints that answers and keeps nothing.
    pub(crate) fn post(&self, path: &[&str], json: &str) -> Result<Value, Failure> {
        self.own("POST", path, &[], Some(("application/json", json.as_bytes())))
    }

    /// Deletes what one of Stepwell's own endpoints names.
    pub(crate) fn delete(&self, path: &[&str]) -> Result<Value, Failure> {
        self.own("DELETE", path, &[], None)
    }

    fn own(
        &self,
        method: &str,
        path: &[&str],
        query: &[(&str, &str)],
        body: Body<'_>,
    ) -> Result<Value, Failure> {
        let mut path: String =
            path.iter().flat_map(|segment| ["/".to_owned(), encode_segment(segment)]).collect();
        for (index, (name, value)) in query.iter().enumerate() {
            let mark = if index == 0 { '?' } else { '&' };
            path.extend([mark.to_string(), encode_segment(name), "=".to_owned(), encode_segment(value)]);
        }
        let request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.endpoint));
        self.send(request, body, &format!("{method} {path}"))
    }

    fn send(
        &self,
        request: ureq::http::request::Builder,
        body: Body<'_>,
        label: &str,
    ) -> Result<Value, Failure> {
        let started = Instant::now();
        let request = request.header("accept", "application/json");
        let request = self.signed(request, body);
        let invalid = |error| Failure::Usage(format!("{}: {error}", self.endpoint));
        let answer = match body {
            Some((content_type, bytes)) => {
                self.agent.run(request.header("content-type", content_type).body(bytes).map_err(invalid)?)
            }
            None => self.agent.run(request.body(()).map_err(invalid)?),
        };
        let mut answer = answer.map_err(|error| self.transport_failure(&error))?;
        let status = answer.status().as_u16();
        let bytes = answer
            .body_mut()
            .with_config()
            .limit(ANSWER_BYTES)
            .read_to_vec()
            .map_err(|error| self.transport_failure(&error))?;
        if self.verbose {
            // Nothing can be done about a standard error that is closed.
            let _ = writeln!(
                io::stderr(),
                "{label}: HTTP {status}, {} bytes, {} ms",
                bytes.len(),
                started.elapsed().as_millis()
            );
        }
        decode(&self.endpoint, status, &bytes)
    }

    /// The request with a signature, if there is something to sign with.
    fn signed(
        &self,
        mut request: ureq::http::request::Builder,
        body: Body<'_>,
    ) -> ureq::http::request::Builder {
        let Some(credentials) = &self.credentials else { return request };
        let (Some(method), Some(uri), Some(headers)) =
            (request.method_ref(), request.uri_ref(), request.headers_ref())
        else {
            // It is refused when it is sent.
            return request;
        };
        let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        let payload_sha256 = sha256_hex(body.map_or(&[][..], |(_, bytes)| bytes));
        let unsigned = Unsigned {
            method: method.as_str(),
            path: uri.path(),
            query: uri.query().unwrap_or_default(),
            host: &host(uri),
            target,
            payload_sha256: &payload_sha256,
        };
        let service = if target.is_some() { "states" } else { "stepwell" };
        let headers = authorization(credentials, service, &unsigned, SystemClock.now());
        let host = unsigned.host.to_owned();
        request = request.header("host", host);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request
    }

    fn transport_failure(&self, error: &ureq::Error) -> Failure {
        if matches!(error, ureq::Error::Timeout(ureq::Timeout::Global)) {
            return Failure::NoAnswer { endpoint: self.endpoint.clone(), seconds: self.timeout_seconds };
        }
        let refused =
            matches!(error, ureq::Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused);
        let reason =
            if refused { "nothing listens there (connection refused)".to_owned() } else { error.to_string() };
        Failure::Unreachable { endpoint: self.endpoint.clone(), reason }
    }
}

/// Turns a complete answer into its JSON or into the error that it carries.
fn decode(endpoint: &str, status: u16, bytes: &[u8]) -> Result<Value, Failure> {
    let value = if bytes.is_empty() { Ok(json!({})) } else { serde_json::from_slice::<Value>(bytes) };
    let success = (200..300).contains(&status);
    match value {
        Ok(value) if success => Ok(value),
        Ok(value) if value.get("__type").is_some() => {
            let text = |names: [&str; 2]| names.iter().find_map(|name| value.get(*name)?.as_str());
            let code = text(["__type", "code"]).unwrap_or_default();
            Err(Failure::Refused {
                code: code.rsplit('#').next().unwrap_or(code).to_owned(),
                message: text(["message", "Message"]).unwrap_or("(no message)").to_owned(),
            })
        }
        Ok(_) | Err(_) => {
            let excerpt: String = String::from_utf8_lossy(bytes).chars().take(EXCERPT_CHARACTERS).collect();
            Err(Failure::Refused {
                code: format!("HTTP {status}"),
                message: format!("this is no answer of a Stepwell server (is {endpoint} one?): {excerpt}"),
            })
        }
    }
}

/// Host and port as a request names them: without the port that the scheme has anyway.
fn host(uri: &ureq::http::Uri) -> String {
    let host = uri.host().unwrap_or_default();
    let usual = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    match uri.port_u16() {
        Some(port) if port != usual => format!("{host}:{port}"),
        Some(_) | None => host.to_owned(),
    }
}

/// Checks `--endpoint`: a URL that begins with `http://` or `https://` and names a host. Returns it without a trailing
/// slash.
pub(crate) fn parse_endpoint(text: &str) -> Result<String, String> {
    let uri: ureq::http::Uri = text.parse().map_err(|error| format!("{error}"))?;
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    if !is_http || uri.host().is_none_or(str::is_empty) {
        return Err("give http://HOST:PORT or https://HOST:PORT".to_owned());
    }
    if uri.query().is_some() {
        return Err("a query is not possible here".to_owned());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

fn is_loopback(endpoint: &str) -> bool {
    let uri: Option<ureq::http::Uri> = endpoint.parse().ok();
    let host = uri.as_ref().and_then(ureq::http::Uri::host).unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Percent-encodes one path segment: everything but the unreserved characters of RFC 3986, section 2.3.
fn encode_segment(segment: &str) -> String {
    let mut encoded = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.extend(
                [byte >> 4, byte & 15].map(|digit| char::from(b"0123456789ABCDEF"[usize::from(digit)])),
            );
        }
    }
    encoded
}

#[cfg(test)]
mod tests;

//! Outgoing HTTP of real guests: what a manifest allows gets through, everything else is an error by its `wasi:http` name.
//!
//! The guest `fetch` follows redirects itself, so each hop is a request of its own.

use crate::guests::{Fixture, Recorder, call_for, call_with, guest};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use stepwell_sandbox::{Call, CallError, Grants, Manifest};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// A server on this machine that answers by path, and tells the request line of each connection, and when it is closed.
struct Server {
    address: SocketAddr,
    events: mpsc::UnboundedReceiver<String>,
}

impl Server {
    /// `/redirect` leads to `location`, `/slow` never answers, everything else says hello.
    async fn start(location: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, events) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, location.clone(), sender.clone()));
            }
        });
        Self { address, events }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Returns the next event.
    async fn event(&mut self) -> String {
        tokio::time::timeout(Duration::from_secs(10), self.events.recv()).await.unwrap().unwrap()
    }
}

async fn serve(mut stream: TcpStream, location: String, events: mpsc::UnboundedSender<String>) {
    // All of the request is read: closing a connection with something unread in it would reset it.
    let mut head = Vec::new();
    let whole = |read: &[u8]| {
        let chunked = read[..read.len().min(1_024)].windows(10).any(|part| part == b": chunked\r");
        if chunked { read.ends_with(b"\r\n0\r\n\r\n") } else { read.ends_with(b"\r\n\r\n") }
    };
    while !whole(&head) {
        let mut piece = [0; 16_384];
        match stream.read(&mut piece).await {
            Ok(length) if length > 0 => head.extend_from_slice(&piece[..length]),
            _ => return,
        }
    }
    let line = String::from_utf8(head).unwrap().lines().next().unwrap_or_default().to_owned();
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let _ = events.send(line);
    let answer = match path.as_str() {
        "/slow" => {
            let _ = stream.read(&mut [0; 1]).await;
            let _ = events.send("closed".to_owned());
            return;
        }
        "/redirect" => {
            format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n")
        }
        _ => "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello".to_owned(),
    };
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// A manifest that allows plain HTTP to one port of 127.0.0.1, and bounds the requests.
fn manifest(port: u16) -> Manifest {
    let manifest = json!({
        "http": [{"scheme": "http", "host": "127.0.0.1", "port": port, "methods": ["GET", "POST"]}],
        "limits": {"httpRequests": 2},
    });
    Manifest::parse(manifest.to_string().as_bytes()).unwrap()
}

/// The guest and what it may do.
struct Fetcher {
    fixture: Fixture,
    digest: String,
    manifest: Manifest,
}

impl Fetcher {
    async fn new(manifest: Manifest) -> Self {
        let fixture = Fixture::new();
        let digest = fixture.sandbox.install(guest("fetch"), &manifest).await.unwrap().digest;
        Self { fixture, digest, manifest }
    }

    /// Fetches, and returns status and body.
    async fn fetch(&self, input: Value) -> Result<Value, CallError> {
        let call = call_with(&input.to_string(), self.manifest.clone());
        let output = self.fixture.sandbox.invoke(&self.digest, call).await?;
        Ok(serde_json::from_str(&output.result).unwrap())
    }

    /// Fetches in vain, and returns the error's name.
    async fn refusal(&self, input: Value) -> String {
        self.fetch(input).await.unwrap_err().name().to_owned()
    }
}

#[tokio::test]
async fn what_the_manifest_names_gets_through() {
    let mut server = Server::start(String::new()).await;
    let fetcher = Fetcher::new(manifest(server.address.port())).await;
    let expected = json!({"status": 200, "body": "hello"});
    assert_eq!(fetcher.fetch(json!({"url": server.url("/a?b")})).await, Ok(expected.clone()));
    assert_eq!(server.event().await, "GET /a?b HTTP/1.1");
    let post = json!({"url": server.url("/"), "method": "POST", "body": "x".repeat(1_000_000)});
    assert_eq!(fetcher.fetch(post).await, Ok(expected));
    assert_eq!(server.event().await, "POST / HTTP/1.1");
}

#[tokio::test]
async fn nothing_gets_through_without_a_manifest() {
    let refused = Fixture::new().install(guest("fetch")).await.unwrap_err().to_string();
    assert!(refused.contains("wasi:http/outgoing-handler"), "{refused}");
    // And should a call ever have less than its module was installed with:
    let server = Server::start(String::new()).await;
    let fetcher = Fetcher::new(manifest(server.address.port())).await;
    let fetcher = Fetcher { manifest: Manifest::default(), ..fetcher };
    for url in [server.url("/"), "https://example.com/".into(), "http://169.254.169.254/latest/".into()] {
        assert_eq!(fetcher.refusal(json!({ "url": url })).await, "HTTP-request-denied", "{url}");
    }
}

#[tokio::test]
async fn other_writings_of_an_address_are_refused() {
    let mut server = Server::start(String::new()).await;
    let port = server.address.port();
    let fetcher = Fetcher::new(manifest(port)).await;
    for host in [
        "127.1",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "017700000001",
        "0177.0.0.1",
        "localhost",
        "127.0.0.2",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "user@127.0.0.1",
        "user:pw@127.0.0.1",
    ] {
        let url = format!("http://{host}:{port}/");
        assert_eq!(fetcher.refusal(json!({ "url": url })).await, "HTTP-request-denied", "{url}");
    }
    for (method, path) in [("DELETE", "/"), ("CONNECT", "/"), ("get", "/")] {
        let input = json!({"url": server.url(path), "method": method});
        assert_eq!(fetcher.refusal(input).await, "HTTP-request-denied", "{method}");
    }
    assert!(server.events.try_recv().is_err());
}

#[tokio::test]
async fn a_name_that_is_allowed_may_still_not_lead_inside() {
    let mut server = Server::start(String::new()).await;
    let port = server.address.port();
    let rule = |networks: Value| {
        let rule =
            json!({"http": [{"scheme": "http", "host": "localhost", "port": port, "networks": networks}]});
        Manifest::parse(rule.to_string().as_bytes()).unwrap()
    };
    let input = json!({ "url": format!("http://localhost:{port}/") });
    let fetcher = Fetcher::new(rule(json!([]))).await;
    assert_eq!(fetcher.refusal(input.clone()).await, "destination-IP-prohibited");
    assert!(server.events.try_recv().is_err());
    let fetcher = Fetcher { manifest: rule(json!(["127.0.0.0/8"])), ..fetcher };
    assert_eq!(fetcher.fetch(input).await.unwrap()["status"], 200);
}

#[tokio::test]
async fn every_hop_of_a_redirect_is_checked() {
    let mut inside = Server::start(String::new()).await;
    let mut outside = Server::start(inside.url("/admin")).await;
    let fetcher = Fetcher::new(manifest(outside.address.port())).await;
    let input = |follow: bool| json!({"url": outside.url("/redirect"), "follow": follow});
    assert_eq!(fetcher.fetch(input(false)).await.unwrap()["status"], 307);
    assert_eq!(fetcher.refusal(input(true)).await, "HTTP-request-denied");
    assert_eq!(outside.event().await, "GET /redirect HTTP/1.1");
    assert!(inside.events.try_recv().is_err());
    // A hop that is allowed is followed.
    let both = Manifest {
        http: [manifest(outside.address.port()).http, manifest(inside.address.port()).http].concat(),
        ..Manifest::default()
    };
    let fetcher = Fetcher { manifest: both, ..fetcher };
    let input = json!({"url": outside.url("/redirect"), "follow": true});
    assert_eq!(fetcher.fetch(input).await, Ok(json!({"status": 200, "body": "hello"})));
    assert_eq!(inside.event().await, "GET /admin HTTP/1.1");
}

#[tokio::test]
async fn the_log_says_why_a_request_was_denied() {
    let fetcher = Fetcher::new(manifest(80)).await;
    let host = Arc::new(Recorder::default());
    let grants = Arc::new(Grants { manifest: fetcher.manifest.clone(), ..Grants::default() });
    let input = json!({"url": "https://other.example/secret?secret=1", "body": "secret"}).to_string();
    let call = Call { grants, ..call_for(&input, Arc::clone(&host)) };
    fetcher.fixture.sandbox.invoke(&fetcher.digest, call).await.unwrap_err();
    let lines = host.lines.lock().unwrap();
    let expected =
        "an HTTP request was denied: GET https://other.example:443: no rule of the manifest names this host";
    assert!(lines.iter().any(|(_, line)| line == expected), "{lines:?}");
    assert!(!lines.iter().any(|(_, line)| line.contains("secret")), "{lines:?}");
}

#[tokio::test]
async fn slow_servers_meet_the_guests_time_out() {
    let mut server = Server::start(String::new()).await;
    let fetcher = Fetcher::new(manifest(server.address.port())).await;
    let started = Instant::now();
    let input = json!({"url": server.url("/slow"), "timeoutMilliseconds": 100});
    assert_eq!(fetcher.refusal(input).await, "connection-read-timeout");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!(
        (server.event().await.as_str(), server.event().await.as_str()),
        ("GET /slow HTTP/1.1", "closed")
    );
}

#[tokio::test]
async fn a_call_that_ends_takes_its_connections_with_it() {
    let mut server = Server::start(String::new()).await;
    let fetcher = Fetcher::new(manifest(server.address.port())).await;
    let input = json!({ "url": server.url("/slow") }).to_string();
    let call = Call { timeout: Duration::from_millis(200), ..call_with(&input, fetcher.manifest.clone()) };
    let error = fetcher.fixture.sandbox.invoke(&fetcher.digest, call).await.unwrap_err();
    assert_eq!(error.name(), "Sandbox.Timeout");
    assert_eq!(
        (server.event().await.as_str(), server.event().await.as_str()),
        ("GET /slow HTTP/1.1", "closed")
    );
}

#[tokio::test]
async fn requests_under_way_are_bounded() {
    let server = Server::start(String::new()).await;
    let fetcher = Fetcher::new(manifest(server.address.port())).await;
    let input = |hold: usize| json!({"url": server.url("/"), "hold": hold});
    assert_eq!(fetcher.fetch(input(2)).await.unwrap()["status"], 200);
    assert_eq!(fetcher.refusal(input(3)).await, "connection-limit-reached");
}

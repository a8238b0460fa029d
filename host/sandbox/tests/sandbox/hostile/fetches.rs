//! Requests to where no module may go: the Rust guest `fetch`, on the host's real network.
//!
//! A server on the loopback interface stands for everything that a host has beside it. It counts who connects: nobody may.
//! Another one, which the manifest does grant, sends those who follow it there.

use super::{Arena, Case, Expected};
use crate::guests::guest;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use stepwell_sandbox::{Limits, Manifest};

const DENIED: Expected = Expected::Ends(&["HTTP-request-denied"]);
const PROHIBITED: Expected = Expected::Ends(&["destination-IP-prohibited"]);
/// Refused by one of several checks: what is no URL is not even a request.
const NOWHERE: Expected = Expected::Ends(&[
    "HTTP-request-denied",
    "HTTP-request-URI-invalid",
    "RequestRefused",
    "HTTP-protocol-error",
    "NotAUrl",
]);

/// A server that answers each request with a redirect, or does nothing but count.
struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Server {
    /// Starts it; `location` makes the redirect of a request's path.
    fn start(location: impl Fn(&str) -> Option<String> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                counted.fetch_add(1, Ordering::SeqCst);
                // A client that goes away early is none of this server's business.
                let _ = stream.and_then(|stream| answer(stream, &location));
            }
        });
        Self { address, connections }
    }

    fn port(&self) -> u16 {
        self.address.port()
    }
}

/// Reads the first line of a request and answers it.
fn answer(mut stream: TcpStream, location: &impl Fn(&str) -> Option<String>) -> std::io::Result<()> {
    let mut head = [0; 4_096];
    let length = stream.read(&mut head)?;
    let text = String::from_utf8_lossy(&head[..length]);
    let path = text.split(' ').nth(1).unwrap_or("/");
    let answer = match location(path) {
        Some(location) => format!(
            "HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        ),
        None => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nin".to_owned(),
    };
    stream.write_all(answer.as_bytes())
}

fn fetch(name: String, url: &str, rules: &str, expected: Expected) -> Case {
    let manifest = Manifest::parse(format!(r#"{{"http":[{rules}]}}"#).as_bytes()).unwrap();
    let input = serde_json::json!({ "url": url, "follow": true }).to_string();
    Case::new(name, guest("fetch"), expected).input(input).manifest(manifest)
}

/// Every way to write the address of this host, or of what only this host reaches.
const HOSTS: [&str; 34] = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "0x7f000001",
    "0x7f.0.0.1",
    "0x7F.1",
    "0177.0.0.1",
    "017700000001",
    "2130706433",
    "127.0.0.1.",
    "127.255.255.254",
    "0",
    "0.0.0.0",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[fe80::1]",
    "[fd00:ec2::254]",
    "169.254.169.254",
    "[::ffff:169.254.169.254]",
    "0xa9fea9fe",
    "2852039166",
    "10.0.0.1",
    "192.168.1.1",
    "172.16.0.1",
    "100.100.100.200",
    "metadata.google.internal",
    "localhost",
    "LOCALHOST.",
];

/// Other texts that some parsers take for a host that is allowed.
fn confusions(port: u16) -> Vec<String> {
    vec![
        format!("http://example.com@127.0.0.1:{port}/"),
        format!("http://example.com:80@127.0.0.1:{port}/"),
        format!("http://127.0.0.1:{port}#@example.com/"),
        format!("http://127.0.0.1:{port}?@example.com/"),
        format!("http://example.com%2f@127.0.0.1:{port}/"),
        format!("http://127.0.0.1:{port}\\@example.com/"),
        format!("http://127.0.0.1%00.example.com:{port}/"),
        format!("http://1\u{2460}27.0.0.1:{port}/"),
        format!("http://\u{ff11}\u{ff12}\u{ff17}.0.0.1:{port}/"),
        format!("http://127\u{3002}0\u{3002}0\u{3002}1:{port}/"),
        format!("http:///127.0.0.1:{port}/"),
        format!("http:// 127.0.0.1:{port}/"),
        format!("http://example.com\r\nHost: 127.0.0.1:{port}/"),
        format!("http://[::1%25lo]:{port}/"),
        format!("http://[127.0.0.1]:{port}/"),
        "file:///etc/passwd".to_owned(),
        "gopher://127.0.0.1:70/".to_owned(),
        "ftp://127.0.0.1/".to_owned(),
        "unix:///var/run/docker.sock".to_owned(),
        "http://example.com:99999/".to_owned(),
        "http://example.com:-1/".to_owned(),
        "http://".to_owned(),
        String::new(),
    ]
}

fn cases(forbidden: &Server, redirecting: &Server) -> Vec<Case> {
    let (port, other) = (forbidden.port(), redirecting.port());
    let elsewhere = r#"{"scheme":"http","host":"example.com"},{"scheme":"http","host":"*.example.com"}"#;
    let granted = format!(r#"{{"scheme":"http","host":"127.0.0.1","port":{other}}}"#);
    let mut cases = Vec::new();
    for host in HOSTS {
        let url = format!("http://{host}:{port}/");
        cases.push(fetch(format!("fetch {host}"), &url, elsewhere, DENIED));
        let redirect = format!("http://127.0.0.1:{other}/{host}");
        cases.push(fetch(format!("a redirect to {host}"), &redirect, &granted, DENIED));
    }
    for (number, url) in confusions(port).iter().enumerate() {
        cases.push(fetch(format!("fetch {url:?}"), url, elsewhere, NOWHERE));
        let redirect = format!("http://127.0.0.1:{other}/confused/{number}");
        let headers = Expected::Ends(&[
            "HTTP-request-denied",
            "HTTP-request-URI-invalid",
            "RequestRefused",
            "HTTP-protocol-error",
            "NotAUrl",
        ]);
        // What is no header's value is no redirect.
        let expected = if url.is_ascii() && !url.contains('\r') && !url.is_empty() {
            headers
        } else {
            Expected::Bounded
        };
        cases.push(fetch(format!("a redirect to {url:?}"), &redirect, &granted, expected));
    }
    // A name that is allowed, and resolves to this host.
    for name in ["localhost", "LocalHost"] {
        let rule = format!(r#"{{"scheme":"http","host":"localhost","port":{port}}}"#);
        cases.push(fetch(
            format!("{name}, which a rule names"),
            &format!("http://{name}:{port}/"),
            &rule,
            PROHIBITED,
        ));
    }
    let redirects = format!("http://127.0.0.1:{other}/again");
    cases.push(fetch(
        "redirects without end".to_owned(),
        &redirects,
        &granted,
        Expected::Ends(&["TooManyRedirects"]),
    ));
    for (method, url) in
        [("CONNECT", format!("http://127.0.0.1:{other}/")), ("POST", format!("http://127.0.0.1:{other}/"))]
    {
        let mut case = fetch(
            format!("{method} where GET is allowed"),
            &url,
            &format!(r#"{{"scheme":"http","host":"127.0.0.1","port":{other},"methods":["GET"]}}"#),
            DENIED,
        );
        case.input = serde_json::json!({ "url": url, "method": method }).to_string();
        cases.push(case);
    }
    let mut flood = fetch(
        "more requests at a time than allowed".to_owned(),
        &redirects,
        &granted,
        Expected::Ends(&["connection-limit-reached"]),
    );
    flood.input = serde_json::json!({ "url": redirects, "hold": 5 }).to_string();
    cases.push(flood.limits(Limits { http_requests: Some(4), ..Limits::default() }));
    cases
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_end() {
    let forbidden = Server::start(|_| None);
    let port = forbidden.port();
    let redirecting = Server::start(move |path| {
        let rest = path.strip_prefix('/').unwrap_or(path);
        Some(match rest.strip_prefix("confused/") {
            Some(number) => {
                confusions(port).get(number.parse::<usize>().unwrap_or(0)).cloned().unwrap_or_default()
            }
            None if rest == "again" => "/again".to_owned(),
            None => format!("http://{rest}:{port}/"),
        })
    });
    let cases = cases(&forbidden, &redirecting);
    assert!(cases.len() > 100);
    Arena::open().await.run_all(cases).await;
    assert_eq!(forbidden.connections.load(Ordering::SeqCst), 0, "somebody got through");
    assert!(redirecting.connections.load(Ordering::SeqCst) > 40);
}

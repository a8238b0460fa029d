//! Servers that are slow, endless or no servers at all, and connections that end with their call.

use super::network::Script;
use super::server::{Answer, Server};
use super::{TestCall, request};
use http_body_util::BodyExt;
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::time::timeout;
use wasmtime_wasi_http::RequestOptions;

/// Longest time that anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);

fn options(milliseconds: u64) -> RequestOptions {
    let time = Some(Duration::from_millis(milliseconds));
    RequestOptions { connect_timeout: time, first_byte_timeout: time, between_bytes_timeout: time }
}

/// Sends a GET to a server with such an answer; returns the error's name.
async fn failure(answer: Answer, options: Option<RequestOptions>) -> String {
    let server = Server::start(answer).await;
    let rule = json!([{"scheme":"http","host":"127.0.0.1","port":server.address.port()}]);
    let mut call = TestCall::new(rule, Script::default());
    let sent = call.send(request("GET", &server.url("/"), ""), options).text();
    format!("{:?}", timeout(PATIENCE, sent).await.unwrap().unwrap_err())
}

fn open(bytes: &[u8]) -> Answer {
    Answer::Open(bytes.to_vec())
}

#[tokio::test]
async fn silence_meets_its_time_outs() {
    let started = Instant::now();
    // Before the first byte, within the head, within the body.
    assert_eq!(failure(open(b""), Some(options(100))).await, "ConnectionReadTimeout");
    assert_eq!(failure(open(b"HTTP/1.1 200 OK\r\nx: y"), Some(options(100))).await, "ConnectionReadTimeout");
    let begun = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello";
    assert_eq!(failure(open(begun), Some(options(100))).await, "ConnectionReadTimeout");
    // A head that never ends is no sign of life.
    let drip = Answer::Endless(b"HTTP/1.1 200 OK\r\n".to_vec(), b"a: b\r\n".to_vec());
    let refusal = failure(drip, Some(options(50))).await;
    assert_eq!(refusal, "ConnectionReadTimeout");
    let hints = Answer::Endless(Vec::new(), b"HTTP/1.1 103 Early Hints\r\n\r\n".to_vec());
    assert_eq!(failure(hints, Some(options(100))).await, "ConnectionReadTimeout");
    assert!(started.elapsed() >= Duration::from_millis(450), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_body_that_comes_slowly_is_read_to_its_end() {
    let chunk = b"5\r\nhello\r\n".to_vec();
    let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let server = Server::start(Answer::Endless(head, chunk)).await;
    let rule = json!([{"scheme":"http","host":"127.0.0.1","port":server.address.port()}]);
    let mut call = TestCall::new(rule, Script::default());
    let sent = call.send(request("GET", &server.url("/"), ""), Some(options(5_000))).head().await;
    let (response, _rest) = sent.unwrap();
    let mut body = response.into_body();
    for _ in 0..20 {
        assert!(body.frame().await.unwrap().unwrap().is_data());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn what_a_guest_takes_for_itself_is_not_the_servers_pause() {
    let server = Server::start(Answer::text("200 OK", "hello")).await;
    let rule = json!([{"scheme":"http","host":"127.0.0.1","port":server.address.port()}]);
    let mut call = TestCall::new(rule, Script::default());
    let options = RequestOptions {
        between_bytes_timeout: Some(Duration::from_millis(20)),
        ..RequestOptions::default()
    };
    let get = request("GET", &server.url("/"), "");
    let (response, _rest) = call.send(get, Some(options)).head().await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hello");
}

#[tokio::test]
async fn nonsense_and_endless_heads_are_failures() {
    let bytes = |text: &str| Answer::Bytes(text.as_bytes().to_vec());
    for (case, (answer, expected)) in [
        (bytes("SSH-2.0-OpenSSH_9.6\r\n"), "HttpProtocolError"),
        (bytes("HTTP/1.1 200 OK\r\nno colon\r\n\r\n"), "HttpProtocolError"),
        (bytes("HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n"), "HttpProtocolError"),
        (Answer::Bytes(vec![0; 100_000]), "HttpProtocolError"),
        (bytes(""), "HttpResponseIncomplete"),
        (bytes("HTTP/1.1 200 OK\r\ncontent-le"), "HttpResponseIncomplete"),
        (
            Answer::Endless(b"HTTP/1.1 200 OK\r\n".to_vec(), b"a: b\r\n".repeat(100)),
            "HttpResponseHeaderSectionSize(None)",
        ),
        (
            Answer::Endless(b"HTTP/1.1 200 OK\r\na: ".to_vec(), vec![b'b'; 10_000]),
            "HttpResponseHeaderSectionSize(None)",
        ),
        // In the body.
        (bytes("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello"), "HttpResponseIncomplete"),
        (bytes("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"), "HttpProtocolError"),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(failure(answer, None).await, expected, "case {case}");
    }
}

#[tokio::test]
async fn lookups_and_connections_have_their_time() {
    // A listener whose queue is full does not answer. Filling it takes two connections that are not accepted.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener: TcpListener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut kept = Vec::new();
    while let Ok(Ok(stream)) =
        timeout(Duration::from_millis(200), tokio::net::TcpStream::connect(address)).await
    {
        kept.push(stream);
        assert!(kept.len() < 100, "the queue does not fill");
    }
    let rules = json!([
        {"scheme":"http","host":"127.0.0.1","port":address.port()},
        {"scheme":"http","host":"never.example"},
    ]);
    let mut call = TestCall::new(rules, Script::default());
    for (uri, expected) in
        [(format!("http://{address}/"), "ConnectionTimeout"), ("http://never.example/".into(), "DnsTimeout")]
    {
        let sent = call.send(request("GET", &uri, ""), Some(options(100))).text();
        assert_eq!(format!("{:?}", timeout(PATIENCE, sent).await.unwrap().unwrap_err()), expected);
    }
}

#[tokio::test]
async fn a_connection_ends_when_its_call_does() {
    // While the response is awaited, and while its body is.
    for bytes in [&b""[..], b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello"] {
        let mut server = Server::start(open(bytes)).await;
        let rule = json!([{"scheme":"http","host":"127.0.0.1","port":server.address.port()}]);
        let mut call = TestCall::new(rule, Script::default());
        let pending = call.send(request("GET", &server.url("/"), ""), None);
        if bytes.is_empty() {
            while server.heads().is_empty() {
                tokio::task::yield_now().await;
            }
            drop((call, pending));
        } else {
            let answered = pending.head().await.unwrap();
            drop((call, answered));
        }
        timeout(PATIENCE, server.closed.recv()).await.unwrap().unwrap();
    }
}

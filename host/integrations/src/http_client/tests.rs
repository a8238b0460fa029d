//! Only allowed addresses are reached, within time and size, and nothing outlives its future.

use super::test_server::{Say, TestServer, loopback, response};
use super::*;
use async_trait::async_trait;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use stepwell_net::{Network, Tls};
use tokio::net::TcpStream;

const TIME: Duration = Duration::from_secs(30);

fn get(url: &str) -> Outgoing {
    let target = Target::parse(url).unwrap();
    Outgoing { target, method: Method::GET, headers: HeaderMap::new(), body: None }
}

async fn fetch(client: &HttpClient, url: &str) -> Result<Reply, ClientError> {
    client.send(get(url), TIME, 1_000).await
}

#[tokio::test]
async fn a_request_is_sent_and_its_answer_read() {
    let server = TestServer::start(|_| response("299 Quite Well", &["x-a: 1", "x-a: 2"], "hello")).await;
    let client = HttpClient::new(loopback());
    let mut request = get(&server.url("/path?q=1"));
    request.method = Method::POST;
    request.headers.insert("x-b", HeaderValue::from_static("b"));
    request.body = Some("body".into());
    let reply = client.send(request, TIME, 5).await.unwrap();
    assert_eq!(
        (reply.status.as_u16(), reply.reason.as_str(), &reply.body[..]),
        (299, "Quite Well", &b"hello"[..])
    );
    assert_eq!(reply.headers.get_all("x-a").iter().count(), 2);
    let seen = &server.seen()[0];
    assert_eq!((seen.line.as_str(), seen.body.as_str()), ("POST /path?q=1 HTTP/1.1", "body"));
    assert_eq!(seen.header("host"), Some(server.address.to_string().as_str()));
    assert_eq!(seen.header("x-b"), Some("b"));
}

#[tokio::test]
async fn this_machine_and_its_network_are_out_of_reach_unless_named() {
    let server = TestServer::start(|_| response("200 OK", &[], "")).await;
    let client = HttpClient::new(Vec::new());
    let port = server.address.port();
    for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"] {
        let refused = fetch(&client, &format!("http://{host}:{port}/")).await;
        let Err(error @ ClientError::NotPublic(_)) = refused else { panic!("{host}") };
        assert!(error.to_string().contains("--allow-network"), "{error}");
    }
    let refused = fetch(&client, "http://169.254.169.254/latest/meta-data/").await;
    assert!(matches!(refused, Err(ClientError::NotPublic(_))));
    assert_eq!(server.seen(), []);
}

/// A name that resolves to a public address first, and to this machine afterwards.
struct Rebinding {
    answers: Mutex<Vec<Vec<IpAddr>>>,
    server: SocketAddr,
    dialled: Mutex<Vec<IpAddr>>,
}

#[async_trait]
impl Network for Rebinding {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        Ok(self.answers.lock().unwrap().remove(0))
    }

    async fn dial(&self, address: SocketAddr) -> io::Result<TcpStream> {
        self.dialled.lock().unwrap().push(address.ip());
        TcpStream::connect(self.server).await
    }
}

#[tokio::test]
async fn what_is_connected_to_is_the_address_that_was_checked() {
    let server = TestServer::start(|_| response("200 OK", &[], "")).await;
    let (public, own): (IpAddr, IpAddr) = ("1.1.1.1".parse().unwrap(), "127.0.0.1".parse().unwrap());
    let answers = Mutex::new(vec![vec![own, public], vec![own]]);
    let network = Arc::new(Rebinding { answers, server: server.address, dialled: Mutex::default() });
    let connector = Arc::new(Connector::new(Arc::clone(&network), Tls::system()));
    let client = HttpClient::with(connector, Vec::new());
    assert!(fetch(&client, "http://rebinding.example/").await.is_ok());
    assert!(matches!(fetch(&client, "http://rebinding.example/").await, Err(ClientError::NotPublic(_))));
    assert_eq!(*network.dialled.lock().unwrap(), [public]);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let server = TestServer::start(|_| response("302 Found", &["location: /elsewhere"], "")).await;
    let reply = fetch(&HttpClient::new(loopback()), &server.url("/")).await.unwrap();
    assert_eq!(reply.status, StatusCode::FOUND);
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn long_slow_and_broken_answers_are_failures() {
    let client = HttpClient::new(loopback());
    let long = TestServer::start(|_| response("200 OK", &[], "x".repeat(1_001))).await;
    assert!(matches!(fetch(&client, &long.url("/")).await, Err(ClientError::TooLarge(1_000))));
    let endless = TestServer::start(|_| {
        Say::Bytes([b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'x'; 1 << 20]].concat())
    });
    assert!(matches!(fetch(&client, &endless.await.url("/")).await, Err(ClientError::TooLarge(1_000))));
    for broken in ["", "nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx"] {
        let server = TestServer::start(|_| Say::Bytes(broken.into())).await;
        let failure = fetch(&client, &server.url("/secret-path")).await;
        let Err(ClientError::Connection(text)) = failure else { panic!("{broken:?}") };
        assert!(!text.contains("secret-path"), "{text}");
    }
    let head = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(4 * limits::OUTGOING_HEAD_BYTES));
    let server = TestServer::start(move |_| Say::Bytes(head.clone().into())).await;
    assert!(matches!(fetch(&client, &server.url("/")).await, Err(ClientError::Connection(_))));
    for stall in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx"] {
        let server = TestServer::start(|_| Say::Stall(stall.into())).await;
        let time = Duration::from_millis(300);
        let failure = client.send(get(&server.url("/")), time, 1_000).await;
        assert!(matches!(failure, Err(ClientError::Timeout(_))), "{stall:?}");
        server.closed().await;
    }
    // A server that says everything at once and goes away without reading more is fine.
    let nobody = TestServer::start(|_| response("200 OK", &[], "")).await.url("/");
    assert!(fetch(&client, &nobody).await.is_ok());
}

#[tokio::test]
async fn dropping_a_request_closes_its_connection() {
    let server = TestServer::start(|_| Say::Stall(Vec::new())).await;
    let url = server.url("/");
    let asking = tokio::spawn(async move { fetch(&HttpClient::new(loopback()), &url).await.map(|_| ()) });
    while server.seen().is_empty() {
        tokio::task::yield_now().await;
    }
    asking.abort();
    server.closed().await;
}

//! A server on this machine for tests: it reads whole requests and answers with whatever bytes the test says.

use ipnet::IpNet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A request as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Such as `GET /x?y=z HTTP/1.1`.
    pub(crate) line: String,
    /// Names in lower case, in order.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

/// What a test answers with.
pub(crate) enum Say {
    /// These bytes, then the end of the connection.
    Bytes(Vec<u8>),
    /// These bytes, and then nothing for a long time.
    Stall(Vec<u8>),
}

/// A server that goes away with its test's runtime.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    /// Connections that the other side has closed while the server stalled.
    closed: Arc<tokio::sync::Semaphore>,
}

impl TestServer {
    pub(crate) async fn start(answer: impl Fn(&Seen) -> Say + Send + Sync + 'static) -> TestServer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, answer) = (Arc::new(Mutex::new(Vec::new())), Arc::new(answer));
        let closed = Arc::new(tokio::sync::Semaphore::new(0));
        let server = TestServer { address, seen: Arc::clone(&seen), closed: Arc::clone(&closed) };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, answer, closed) = (Arc::clone(&seen), Arc::clone(&answer), Arc::clone(&closed));
                tokio::spawn(async move {
                    let _ = serve(stream, &seen, &*answer, &closed).await;
                });
            }
        });
        server
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Waits until the other side has closed a connection on which the server stalls.
    pub(crate) async fn closed(&self) {
        let wait = tokio::time::timeout(Duration::from_secs(30), self.closed.acquire());
        wait.await.expect("the connection is closed").unwrap().forget();
    }
}

/// This machine.
pub(crate) fn loopback() -> Vec<IpNet> {
    vec!["127.0.0.0/8".parse().unwrap()]
}

/// A response with a body.
pub(crate) fn response(status: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Say {
    let body = body.as_ref();
    let mut head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n", body.len());
    for header in headers {
        head.extend([header, "\r\n"]);
    }
    Say::Bytes([head.as_bytes(), b"\r\n", body].concat())
}

pub(crate) fn json(body: &serde_json::Value) -> Say {
    response("200 OK", &["content-type: application/json"], body.to_string())
}

async fn serve(
    mut stream: TcpStream,
    all: &Mutex<Vec<Seen>>,
    answer: &(dyn Fn(&Seen) -> Say + Send + Sync),
    closed: &tokio::sync::Semaphore,
) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
    };
    let mut body = bytes.split_off(end + 4);
    let head = String::from_utf8(bytes).unwrap();
    let mut lines = head.trim_end().split("\r\n");
    let line = lines.next().unwrap().to_owned();
    let headers = lines.map(|line| line.split_once(": ").unwrap());
    let headers: Vec<_> = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    let mut seen = Seen { line, headers, body: String::new() };
    let length = seen.header("content-length").map_or(0, |length| length.parse().unwrap());
    while body.len() < length && stream.read_buf(&mut body).await? > 0 {}
    seen.body = String::from_utf8(body).unwrap();
    let say = answer(&seen);
    all.lock().unwrap().push(seen);
    match say {
        Say::Bytes(bytes) => {
            stream.write_all(&bytes).await?;
            stream.shutdown().await
        }
        Say::Stall(bytes) => {
            stream.write_all(&bytes).await?;
            // Ends when the other side does.
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
            closed.add_permits(1);
            Ok(())
        }
    }
}

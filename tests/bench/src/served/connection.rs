//! One keep-alive connection to a server: hyper's own, without a pool, redirects or retries around it. One that the
//! server has closed meanwhile, because it was idle, is made anew.
//!
//! It must be cheap: the clients share the machine with the server that they measure.

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{HOST, HeaderMap, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;

/// Longest wait for an answer; an upload compiles the module before it answers.
const ANSWER_LIMIT: Duration = Duration::from_mins(2);

/// One connection, one request at a time.
pub struct Connection {
    address: SocketAddr,
    sender: SendRequest<Full<Bytes>>,
    host: HeaderValue,
    driver: AbortHandle,
}

/// A complete answer, whatever its status.
#[derive(Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> anyhow::Result<Connection> {
        let stream = TcpStream::connect(address).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // It ends with the sender; what breaks it breaks the request that waits for it.
        let driver = tokio::spawn(connection).abort_handle();
        let host = HeaderValue::from_str(&address.to_string())?;
        Ok(Connection { address, sender, host, driver })
    }

    /// Sends a request and reads the whole answer.
    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&'static str, &'static str)],
        body: Bytes,
    ) -> anyhow::Result<Reply> {
        if self.sender.is_closed() {
            *self = Connection::open(self.address).await?;
        }
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = path.parse()?;
        request.headers_mut().insert(HOST, self.host.clone());
        for (name, value) in headers {
            request.headers_mut().insert(*name, HeaderValue::from_static(value));
        }
        let answer = async {
            self.sender.ready().await?;
            let (head, body) = self.sender.send_request(request).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok::<_, hyper::Error>(Reply { status: head.status, headers: head.headers, body })
        };
        let answer = tokio::time::timeout(ANSWER_LIMIT, answer).await;
        answer.map_err(|_| anyhow!("no answer in {ANSWER_LIMIT:?}"))?.context("the connection broke")
    }

    /// Sends `body` to an operation of the API (AWS JSON 1.0), named with its prefix.
    pub async fn post(&mut self, target: &'static str, body: Bytes) -> anyhow::Result<Reply> {
        let headers = [("x-amz-target", target), ("content-type", "application/x-amz-json-1.0")];
        self.send(Method::POST, "/", &headers, body).await
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

//! The HTTP client of the server itself: one request on a connection of its own, within a time and a size.
//!
//! A request reaches public addresses and the networks that the operator has named, nothing else; what is connected to is the
//! address that was checked (`stepwell-net`). Redirects are not followed: whoever asks sees them. Nothing outlives the
//! future: dropping it closes the connection. Neither query, header nor body may reach a log or an error.

mod target;
#[cfg(test)]
pub(crate) mod test_server;
#[cfg(test)]
mod tests;

use crate::limits;
use bytes::Bytes;
use http::header::HOST;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use ipnet::IpNet;
use std::sync::Arc;
use std::time::Duration;
use stepwell_net::{ConnectError, Connector, Reach};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio::time::timeout;

pub(crate) use target::Target;

/// Sends requests.
pub struct HttpClient {
    connector: Arc<Connector>,
    reach: Reach,
    connections: Semaphore,
}

/// A request.
#[derive(Clone)]
pub(crate) struct Outgoing {
    pub(crate) target: Target,
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Bytes>,
}

/// An answer, whole.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    /// What follows the status in its line; the usual words where it is empty.
    pub(crate) reason: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// The URL is none that can be asked.
    #[error("{0}")]
    Url(&'static str),
    /// No address of the host may be reached.
    #[error("{0}. The operator of the server can allow it (--allow-network)")]
    NotPublic(ConnectError),
    /// The connection could not be made, or broke.
    #[error("{0}")]
    Connection(String),
    /// It took too long.
    #[error("the request was not answered within {} seconds", .0.as_secs_f32())]
    Timeout(Duration),
    /// The answer's body is longer than was wanted.
    #[error("the response is longer than {0} bytes")]
    TooLarge(usize),
}

impl HttpClient {
    /// A client that reaches these networks beside the public internet.
    pub fn new(networks: Vec<IpNet>) -> HttpClient {
        HttpClient::with(Connector::system(), networks)
    }

    fn with(connector: Arc<Connector>, networks: Vec<IpNet>) -> HttpClient {
        let reach = Reach { address: None, networks };
        HttpClient { connector, reach, connections: Semaphore::new(limits::OUTGOING_CONNECTIONS) }
    }

    /// Sends a request and reads its answer, which may have `longest` bytes.
    pub(crate) async fn send(
        &self,
        request: Outgoing,
        time: Duration,
        longest: usize,
    ) -> Result<Reply, ClientError> {
        let answered = timeout(time, async {
            let _permit = self.connections.acquire().await;
            self.exchange(request, time, longest).await
        });
        answered.await.unwrap_or(Err(ClientError::Timeout(time)))
    }

    async fn exchange(
        &self,
        request: Outgoing,
        time: Duration,
        longest: usize,
    ) -> Result<Reply, ClientError> {
        let target = request.target.clone();
        let request = request.into_http()?;
        let connected = self.connector.connect((&target.host, target.port), &self.reach, time).await;
        let stream = connected.map_err(of_connect)?;
        if target.is_https {
            let stream = self.connector.tls.connect(&target.host, stream).await.map_err(of_connect)?;
            on_connection(stream, request, longest).await
        } else {
            on_connection(stream, request, longest).await
        }
    }
}

impl Outgoing {
    fn into_http(self) -> Result<Request<Full<Bytes>>, ClientError> {
        let no_url = |_| ClientError::Url("the URL's path or query holds what none can hold");
        let authority = HeaderValue::try_from(self.target.authority())
            .map_err(|_| ClientError::Url("the URL's host is none"))?;
        let mut request = Request::new(Full::new(self.body.unwrap_or_default()));
        *request.method_mut() = self.method;
        *request.uri_mut() = self.target.path_and_query().parse().map_err(no_url)?;
        *request.headers_mut() = self.headers;
        request.headers_mut().insert(HOST, authority);
        Ok(request)
    }
}

/// Sends a request on a connection that is made for it.
async fn on_connection<S>(
    stream: S,
    request: Request<Full<Bytes>>,
    longest: usize,
) -> Result<Reply, ClientError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http1::Builder::new();
    builder.max_buf_size(limits::OUTGOING_HEAD_BYTES);
    let (mut sender, connection) =
        builder.handshake(TokioIo::new(stream)).await.map_err(|error| of_hyper(&error))?;
    let mut answered = std::pin::pin!(async move {
        let response = sender.send_request(request).await.map_err(|error| of_hyper(&error))?;
        read(response, longest).await
    });
    tokio::select! {
        biased;
        reply = &mut answered => return reply,
        // What goes wrong with it is told to whoever waits for the response.
        _ = connection => {}
    }
    answered.await
}

async fn read(response: Response<Incoming>, longest: usize) -> Result<Reply, ClientError> {
    let (parts, body) = response.into_parts();
    let told = parts.extensions.get::<hyper::ext::ReasonPhrase>();
    let told = told.map(|reason| String::from_utf8_lossy(reason.as_bytes()).into_owned());
    let usual = || parts.status.canonical_reason().unwrap_or_default().to_owned();
    let reason = told.filter(|reason| !reason.is_empty()).unwrap_or_else(usual);
    let body = Limited::new(body, longest).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            return ClientError::TooLarge(longest);
        }
        error.downcast_ref().map_or_else(|| broken("the response broke off"), of_hyper)
    })?;
    Ok(Reply { status: parts.status, reason, headers: parts.headers, body: body.to_bytes() })
}

fn of_connect(error: ConnectError) -> ClientError {
    if matches!(error, ConnectError::NotPublic(_)) {
        ClientError::NotPublic(error)
    } else {
        ClientError::Connection(error.to_string())
    }
}

fn broken(text: &str) -> ClientError {
    ClientError::Connection(text.to_owned())
}

/// The words for a failure of hyper: its own and those of the connection below it, which quote nothing.
fn of_hyper(error: &hyper::Error) -> ClientError {
    let below = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
    ClientError::Connection(format!("{error}{below}"))
}

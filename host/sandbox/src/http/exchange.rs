//! One request and its response on a connection of its own, within the times that the guest and the sandbox allow.
//!
//! HTTP/1.1. Redirects are the guest's own business. Nothing here may outlive the future or the body that the guest holds.

use super::failure::{self, Failure};
use super::permits;
use super::policy::Target;
use crate::limits;
use crate::manifest::HttpScheme;
use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use stepwell_net::{Connector, Reach};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, timeout};
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

/// What drives a connection after its response has begun.
pub(super) type Driver = Pin<Box<dyn Future<Output = ()> + Send>>;

/// How long the parts of an exchange may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    /// Until the connection stands: lookup, TCP, TLS, and waiting for a free connection before all that.
    connect: Duration,
    /// From the first byte sent to the end of the response's headers.
    first_byte: Duration,
    /// How long a response may pause.
    between_bytes: Duration,
}

impl Times {
    /// Takes the guest's wishes, up to the sandbox's bounds, which are also the defaults.
    pub(super) fn of(options: Option<RequestOptions>) -> Self {
        let options = options.unwrap_or_default();
        let time = |wish: Option<Duration>, bound: Duration| wish.map_or(bound, |wish| wish.min(bound));
        Self {
            connect: time(options.connect_timeout, limits::HTTP_CONNECT_TIMEOUT),
            first_byte: time(options.first_byte_timeout, limits::HTTP_READ_TIMEOUT),
            between_bytes: time(options.between_bytes_timeout, limits::HTTP_READ_TIMEOUT),
        }
    }
}

/// Sends a request to its target and returns the response and what drives its connection. `request_permit` is held until the
/// response's body has ended or is dropped.
///
/// # Errors
/// The code that the guest gets. The reason is set when the target's addresses are denied.
pub(super) async fn exchange(
    connector: &Connector,
    target: &Target,
    reach: &Reach,
    mut request: Request<WasiBody>,
    times: Times,
    request_permit: OwnedSemaphorePermit,
) -> Result<(Response<WasiBody>, Driver), Failure> {
    let deadline = Instant::now() + times.connect;
    let connection_permit =
        timeout(times.connect, permits::connection()).await.map_err(|_| Error::ConnectionLimitReached)?;
    let left = deadline.saturating_duration_since(Instant::now());
    let connected = timeout(left, connect(connector, target, reach, left));
    let (mut sender, connection) = connected.await.map_err(|_| Error::ConnectionTimeout)??;
    let mut driver: Driver = Box::pin(async move {
        connection.await;
        drop(connection_permit);
    });

    // What is sent begins with a path: only proxies get scheme and authority.
    *request.uri_mut() = request.uri().path_and_query().cloned().map_or_else(Uri::default, Uri::from);
    let response = timeout(times.first_byte, async {
        let mut response = std::pin::pin!(sender.send_request(request));
        tokio::select! {
            biased;
            response = &mut response => return response,
            () = &mut driver => driver = Box::pin(std::future::ready(())),
        }
        // The connection has ended, and with it the response, as an error or in hyper's buffer.
        response.await
    });
    let response = response.await.map_err(|_| Error::ConnectionReadTimeout)?;
    let response = response.map_err(|error| failure::of_hyper(&error))?;
    let body = |incoming| {
        let body = ResponseBody {
            incoming,
            pause: times.between_bytes,
            alarm: None,
            request_permit: Some(request_permit),
        };
        body.boxed_unsync()
    };
    Ok((response.map(body), driver))
}

/// Connects and begins to speak HTTP.
async fn connect(
    connector: &Connector,
    target: &Target,
    reach: &Reach,
    time: Duration,
) -> Result<(http1::SendRequest<WasiBody>, Driver), Failure> {
    let stream = connector.connect((&target.host, target.port), reach, time).await?;
    Ok(match target.scheme {
        HttpScheme::Http => handshake(stream).await?,
        HttpScheme::Https => {
            handshake(connector.tls.connect(&target.host, stream).await.map_err(Failure::from)?).await?
        }
    })
}

/// Begins to speak HTTP on a connection.
async fn handshake<S>(stream: S) -> Result<(http1::SendRequest<WasiBody>, Driver), Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http1::Builder::new();
    builder.max_buf_size(limits::MAX_HTTP_HEAD_BYTES);
    let handshake = builder.handshake(TokioIo::new(stream)).await;
    let (sender, connection) = handshake.map_err(|error| failure::of_hyper(&error))?;
    // What goes wrong later reaches the guest through the response or its body.
    let driver = async move {
        let _ = connection.await;
    };
    Ok((sender, Box::pin(driver)))
}

/// A response's body that may not pause for too long.
struct ResponseBody {
    incoming: Incoming,
    pause: Duration,
    /// Runs while the guest waits: what the guest takes to come back for more is not the server's pause.
    alarm: Option<Pin<Box<Sleep>>>,
    /// Given back at the body's end, however long the guest keeps its handle.
    request_permit: Option<OwnedSemaphorePermit>,
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = match Pin::new(&mut self.incoming).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                self.alarm = None;
                return Poll::Ready(Some(Ok(frame)));
            }
            Poll::Ready(Some(Err(error))) => Some(Err(failure::of_hyper(&error))),
            Poll::Ready(None) => None,
            Poll::Pending => {
                let pause = self.pause;
                let alarm = self.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep(pause)));
                std::task::ready!(alarm.as_mut().poll(context));
                Some(Err(Error::ConnectionReadTimeout))
            }
        };
        self.request_permit = None;
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_hold_up_to_the_bounds() {
        let default = Times::of(None);
        assert_eq!(default.connect, limits::HTTP_CONNECT_TIMEOUT);
        let options = RequestOptions {
            connect_timeout: Some(Duration::from_hours(1_000)),
            first_byte_timeout: Some(Duration::from_millis(1)),
            between_bytes_timeout: Some(Duration::ZERO),
        };
        let expected =
            Times { first_byte: Duration::from_millis(1), between_bytes: Duration::ZERO, ..default };
        assert_eq!(Times::of(Some(options)), expected);
    }
}

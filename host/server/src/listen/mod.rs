//! Accepts connections and serves them: bounded in number, with time-outs for handshakes and headers, HTTP/1.1 or, inside
//! TLS, HTTP/2.
//!
//! axum's own loop has none of these bounds. Nothing of one connection may end the loop or hold up another connection.

mod tls;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;

use crate::limits;

pub(crate) use tls::tls;

/// Where to listen, and how.
pub(crate) struct Listening {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    max_connections: usize,
    header_time: Duration,
}

impl Listening {
    /// HTTP without TLS, and as many connections as there are descriptors.
    pub(crate) fn plain(listener: TcpListener) -> Listening {
        Listening::new(listener, None, Semaphore::MAX_PERMITS)
    }

    /// With bounds.
    pub(crate) fn new(listener: TcpListener, tls: Option<TlsAcceptor>, max_connections: usize) -> Listening {
        let max_connections = max_connections.clamp(1, Semaphore::MAX_PERMITS);
        Listening { listener, tls, max_connections, header_time: limits::HEADER_TIME }
    }
}

/// Serves until `stop` is ready; then accepts no more and waits for the open requests.
pub(crate) async fn serve(listening: Listening, router: Router, stop: impl Future<Output = ()>) {
    let Listening { listener, tls, max_connections, header_time } = listening;
    let places = Arc::new(Semaphore::new(max_connections));
    let graceful = GracefulShutdown::new();
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = next(&listener, &places) => accepted,
            () = &mut stop => break,
        };
        let Some((socket, place)) = accepted else { break };
        let (tls, router, watcher) = (tls.clone(), router.clone(), graceful.watcher());
        tokio::spawn(async move {
            connection(socket, tls, Requests { router, watcher, header_time }).await;
            drop(place);
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

/// The next connection, once there is a place for it.
async fn next(listener: &TcpListener, places: &Arc<Semaphore>) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((socket, _)) => return Some((socket, place)),
            // That one connection is gone.
            Err(error) if is_of_the_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections for a moment");
                tokio::time::sleep(limits::ACCEPT_PAUSE).await;
            }
        }
    }
}

fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    [ConnectionAborted, ConnectionRefused, ConnectionReset].contains(&error.kind())
}

/// What serves the requests of one connection.
struct Requests {
    router: Router,
    watcher: Watcher,
    header_time: Duration,
}

async fn connection(socket: TcpStream, tls: Option<TlsAcceptor>, requests: Requests) {
    // Answers are small and written at once: waiting for more to send would only delay them.
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "a connection keeps its delay");
    }
    let Some(acceptor) = tls else { return requests.serve(socket, false).await };
    match tokio::time::timeout(limits::HANDSHAKE_TIME, acceptor.accept(socket)).await {
        Ok(Ok(stream)) => {
            let is_http2 = stream.get_ref().1.alpn_protocol() == Some(tls::HTTP2);
            requests.serve(stream, is_http2).await;
        }
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
}

impl Requests {
    async fn serve<S>(self, stream: S, is_http2: bool)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.header_time)
            .max_headers(limits::HEADERS)
            .max_buf_size(limits::HEADER_BYTES);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(self.header_time)
            .max_concurrent_streams(limits::STREAMS)
            .max_header_list_size(u32::try_from(limits::HEADER_BYTES).unwrap_or(u32::MAX));
        // Which protocol it is was said in the handshake: nobody is waited for to show it.
        let builder = if is_http2 { builder.http2_only() } else { builder.http1_only() };
        let connection =
            builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(self.router));
        if let Err(error) = self.watcher.watch(connection).await {
            tracing::debug!(error, "a connection broke off");
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::oneshot;
    use tokio::task::JoinHandle;

    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    /// Longest wait for anything to happen.
    const PATIENCE: Duration = Duration::from_secs(20);

    struct Served {
        address: std::net::SocketAddr,
        stop: oneshot::Sender<()>,
        ended: JoinHandle<()>,
    }

    /// Serves `ok` on `/`.
    async fn served(max_connections: usize, header_time: Duration) -> Served {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let listening = Listening { header_time, ..Listening::new(listener, None, max_connections) };
        let (stop, stopped) = oneshot::channel();
        let router = Router::new().route("/", get(|| async { "ok" }));
        let ended = tokio::spawn(serve(listening, router, async move { drop(stopped.await) }));
        Served { address, stop, ended }
    }

    impl Served {
        /// A connection on which something was sent.
        async fn sent(&self, bytes: &[u8]) -> TcpStream {
            let mut connection = TcpStream::connect(self.address).await.unwrap();
            connection.write_all(bytes).await.unwrap();
            connection
        }
    }

    /// What comes until the server closes the connection.
    async fn all(mut connection: TcpStream) -> String {
        let mut text = Vec::new();
        // A reset is an end as well.
        let _ =
            tokio::time::timeout(PATIENCE, connection.read_to_end(&mut text)).await.expect("it is closed");
        String::from_utf8(text).unwrap()
    }

    async fn answer(connection: &mut TcpStream) -> String {
        let mut text = vec![0; 1_000];
        let read = tokio::time::timeout(PATIENCE, connection.read(&mut text)).await;
        text.truncate(read.expect("there is an answer").unwrap());
        String::from_utf8(text).unwrap()
    }

    #[tokio::test]
    async fn connections_that_say_nothing_end() {
        let served = served(9, Duration::from_millis(50)).await;
        assert_eq!(all(served.sent(b"").await).await, "");
        let slow = all(served.sent(b"GET / HTTP/1.1\r\nHost: ").await).await;
        assert!(!slow.contains("200 OK"), "{slow}");
        // Also after a request.
        assert!(all(served.sent(REQUEST).await).await.ends_with("ok"));
    }

    #[tokio::test]
    async fn connections_over_the_bound_wait_for_a_place() {
        let served = served(1, PATIENCE * 2).await;
        let mut first = served.sent(REQUEST).await;
        assert!(answer(&mut first).await.ends_with("ok"));
        let mut second = served.sent(REQUEST).await;
        let mut nothing = [0];
        assert!(second.try_read(&mut nothing).is_err(), "nobody serves it yet");
        first.write_all(REQUEST).await.unwrap();
        assert!(answer(&mut first).await.ends_with("ok"), "the first one goes on");
        assert!(second.try_read(&mut nothing).is_err(), "and still nobody serves the second");
        drop(first);
        assert!(answer(&mut second).await.ends_with("ok"));
    }

    #[tokio::test]
    async fn headers_are_bounded() {
        let served = served(9, PATIENCE).await;
        let many = "A: b\r\n".repeat(limits::HEADERS + 1);
        let long = format!("A: {}\r\n", "b".repeat(2 * limits::HEADER_BYTES));
        for headers in [many, long] {
            let request = format!("GET / HTTP/1.1\r\n{headers}\r\n");
            let text = answer(&mut served.sent(request.as_bytes()).await).await;
            assert!(text.starts_with("HTTP/1.1 431 "), "{text}");
        }
    }

    #[tokio::test]
    async fn idle_connections_do_not_keep_a_server_from_stopping() {
        let served = served(9, PATIENCE * 2).await;
        let mut idle = served.sent(REQUEST).await;
        answer(&mut idle).await;
        served.stop.send(()).unwrap();
        tokio::time::timeout(PATIENCE, served.ended).await.expect("it stops").unwrap();
        assert_eq!(all(idle).await, "");
    }
}

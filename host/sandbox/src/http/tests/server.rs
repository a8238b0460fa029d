//! A server that answers every connection with the same bytes, and tells what it got.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// What a connection does after it has read a request's head.
#[derive(Clone)]
pub(super) enum Answer {
    /// Sends these bytes and closes.
    Bytes(Vec<u8>),
    /// Sends these bytes and keeps the connection open.
    Open(Vec<u8>),
    /// Sends these bytes and then the others for ever, one piece every millisecond.
    Endless(Vec<u8>, Vec<u8>),
}

impl Answer {
    /// A whole response.
    pub(super) fn text(head: &str, body: &str) -> Self {
        Self::Bytes(format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes())
    }
}

/// A server on this machine. It ends with the test.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    /// The heads of the requests.
    pub(super) heads: Arc<Mutex<Vec<String>>>,
    /// One message for each connection that the client has closed.
    pub(super) closed: mpsc::UnboundedReceiver<()>,
    task: JoinHandle<()>,
}

impl Server {
    /// Starts a server on a free port of 127.0.0.1.
    pub(super) async fn start(answer: Answer) -> Self {
        Self::on("127.0.0.1:0", answer).await
    }

    pub(super) async fn on(address: &str, answer: Answer) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let (closing, closed) = mpsc::unbounded_channel();
        let seen = Arc::clone(&heads);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (answer, seen, closing) = (answer.clone(), Arc::clone(&seen), closing.clone());
                tokio::spawn(async move {
                    serve(stream, answer, &seen).await;
                    let _ = closing.send(());
                });
            }
        });
        Self { address, heads, closed, task }
    }

    /// Returns an address of the server's with a path.
    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Returns the heads of the requests so far.
    pub(super) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves one connection until the answer is given or the client has gone.
pub(super) async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: Answer,
    heads: &Mutex<Vec<String>>,
) {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut piece = [0; 1_024];
        match stream.read(&mut piece).await {
            Ok(length) if length > 0 => head.extend_from_slice(&piece[..length]),
            _ => return,
        }
    }
    heads.lock().unwrap().push(String::from_utf8(head).unwrap());
    let (bytes, more) = match answer {
        Answer::Bytes(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
            // Closing with something unread would reset the connection.
            while matches!(stream.read(&mut [0; 1_024]).await, Ok(length) if length > 0) {}
            return;
        }
        Answer::Open(bytes) => (bytes, None),
        Answer::Endless(bytes, more) => (bytes, Some(more)),
    };
    if stream.write_all(&bytes).await.is_err() {
        return;
    }
    let Some(more) = more else {
        // Ends when the client closes.
        let _ = stream.read(&mut [0; 1]).await;
        return;
    };
    let mut ticks = tokio::time::interval(std::time::Duration::from_millis(1));
    loop {
        ticks.tick().await;
        if stream.write_all(&more).await.is_err() {
            return;
        }
    }
}

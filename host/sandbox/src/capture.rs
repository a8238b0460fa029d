//! The standard output of a program, kept as its result within the result's bound.

use bytes::Bytes;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{Pollable, StreamError, StreamResult};

/// Collects what is written. Cloning gives another end of the same collection.
#[derive(Clone)]
pub(crate) struct Capture {
    bytes: Arc<Mutex<Vec<u8>>>,
    limit_bytes: u64,
}

/// What ends a call whose result grows too long. It travels through wasmtime and comes out in `failure.rs`.
#[derive(Debug, thiserror::Error)]
#[error("a result of more than {limit_bytes} bytes")]
pub(crate) struct ResultExceeded {
    pub(crate) limit_bytes: u64,
}

impl Capture {
    /// Starts empty.
    pub(crate) fn new(limit_bytes: u64) -> Self {
        Self { bytes: Arc::default(), limit_bytes }
    }

    /// Takes what was written.
    pub(crate) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.bytes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn add(&self, bytes: &[u8]) -> Result<(), ResultExceeded> {
        let mut kept = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        if (kept.len() + bytes.len()) as u64 > self.limit_bytes {
            return Err(ResultExceeded { limit_bytes: self.limit_bytes });
        }
        kept.extend_from_slice(bytes);
        Ok(())
    }
}

impl IsTerminal for Capture {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Capture {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn wasmtime_wasi::p2::OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for Capture {
    async fn ready(&mut self) {}
}

impl wasmtime_wasi::p2::OutputStream for Capture {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.add(&bytes).map_err(|exceeded| StreamError::Trap(exceeded.into()))
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(crate::limits::MAX_LINE_BYTES)
    }
}

impl tokio::io::AsyncWrite for Capture {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Poll::Ready(self.add(bytes).map(|()| bytes.len()).map_err(std::io::Error::other))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmtime_wasi::p2::OutputStream as _;

    #[test]
    fn keeps_what_is_written_until_it_is_too_much() {
        let capture = Capture::new(5);
        let mut stream = capture.clone();
        stream.write(Bytes::from_static(b"123")).unwrap();
        stream.write(Bytes::from_static(b"45")).unwrap();
        assert!(matches!(stream.write(Bytes::from_static(b"6")), Err(StreamError::Trap(_))));
        assert_eq!(capture.take(), b"12345");
    }
}

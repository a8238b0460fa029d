//! An output stream of a file in the scratch directory: bytes are charged before they are written.
//!
//! wasmtime's stream writes in the background, one write at a time. A write is under way from `write` until the stream
//! is ready again, and so long the file's charge is not lowered. wasmtime awaits `cancel` before it drops a stream, so
//! no write outlives its account but at the end of the call.

use super::ledger::{Growth, Ledger};
use bytes::Bytes;
use std::fs::File;
use std::sync::Arc;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::{DynOutputStream, OutputStream, Pollable, StreamError, StreamResult};

/// wasmtime's stream and where it writes.
pub(super) struct ChargedStream {
    inner: DynOutputStream,
    ledger: Arc<Ledger>,
    file: Arc<File>,
    /// Where the next byte goes; nothing when that is the file's end.
    position: Option<u64>,
    under_way: bool,
}

impl ChargedStream {
    /// Stands before a stream that has written nothing yet.
    pub(super) fn new(
        inner: DynOutputStream,
        ledger: Arc<Ledger>,
        file: Arc<File>,
        position: Option<u64>,
    ) -> Self {
        Self { inner, ledger, file, position, under_way: false }
    }

    /// Charges for a write.
    fn begin(&mut self, bytes: u64) -> StreamResult<()> {
        let growth = match &mut self.position {
            // Nothing is written beyond the end when there is nothing to write.
            _ if bytes == 0 => Growth::By(0),
            None => Growth::By(bytes),
            // After a write that fails, wasmtime's stream is closed: the position is never too low.
            Some(position) => {
                *position = position.saturating_add(bytes);
                Growth::To(*position)
            }
        };
        let charged = self.ledger.write_begins(&self.file, growth);
        match charged.map_err(|error| StreamError::LastOperationFailed(error.into()))? {
            Ok(()) => {
                self.under_way = true;
                Ok(())
            }
            Err(exceeded) => Err(StreamError::Trap(exceeded.into())),
        }
    }

    /// Takes note that no write is under way any more.
    fn end(&mut self) {
        if std::mem::take(&mut self.under_way) {
            self.ledger.write_ended(&self.file);
        }
    }
}

#[async_trait]
impl OutputStream for ChargedStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        // While a write is under way, wasmtime's stream refuses another one with a trap.
        if !self.under_way {
            self.begin(bytes.len() as u64)?;
        }
        self.inner.write(bytes)
    }

    async fn blocking_write_and_flush(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.ready().await;
        self.begin(bytes.len() as u64)?;
        let written = self.inner.blocking_write_and_flush(bytes).await;
        self.end();
        written
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.inner.flush()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.inner.check_write()
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
        self.end();
    }
}

#[async_trait]
impl Pollable for ChargedStream {
    async fn ready(&mut self) {
        self.inner.ready().await;
        self.end();
    }
}

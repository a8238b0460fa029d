//! The log of one call: what the module writes through `log`, standard output and standard error, within one bound.
//!
//! Standard output and error become log lines. Text beyond what is kept is dropped, once with a notice: a guest must
//! neither fill the host's memory nor be stopped by a full pipe. One that goes on writing without end is ended. The values
//! of the call's secrets never reach the host's log.

use crate::bounds::Bounds;
use crate::call::{CallHost, LogLevel};
use crate::grants::Grants;
use crate::limits;
use bytes::Bytes;
use std::borrow::Cow;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{Pollable, StreamError, StreamResult};

/// One of the two outputs that every program has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    Standard,
    Error,
}

impl Output {
    fn level(self) -> LogLevel {
        match self {
            Self::Standard => LogLevel::Info,
            Self::Error => LogLevel::Warn,
        }
    }
}

/// What ends a call that writes without end. It travels through wasmtime and comes out in `failure.rs`.
#[derive(Debug, thiserror::Error)]
#[error("more than {limit_bytes} bytes of output")]
pub(crate) struct OutputExceeded {
    pub(crate) limit_bytes: u64,
}

/// The line on standard error with which a program that knows no other way gives a sign of life.
const HEARTBEAT_LINE: &str = "::heartbeat::";

/// Collects a call's log and hands complete lines to its host.
pub(crate) struct CallLog {
    host: Arc<dyn CallHost>,
    grants: Arc<Grants>,
    limit_bytes: u64,
    output_bytes: u64,
    state: Mutex<LogState>,
}

struct LogState {
    remaining_bytes: u64,
    /// What may be written at all, kept or dropped.
    remaining_output_bytes: u64,
    notice_given: bool,
    /// Text of each output that has no newline yet.
    standard_line: Vec<u8>,
    error_line: Vec<u8>,
    /// The end of standard error, kept apart from the bound: it says why a guest panicked.
    error_tail: Vec<u8>,
}

impl CallLog {
    /// Starts an empty log.
    pub(crate) fn new(host: Arc<dyn CallHost>, grants: Arc<Grants>, bounds: &Bounds) -> Self {
        let state = LogState {
            remaining_bytes: bounds.log_bytes,
            remaining_output_bytes: bounds.output_bytes,
            notice_given: false,
            standard_line: Vec::new(),
            error_line: Vec::new(),
            error_tail: Vec::new(),
        };
        let (limit_bytes, output_bytes) = (bounds.log_bytes, bounds.output_bytes);
        Self { host, grants, limit_bytes, output_bytes, state: Mutex::new(state) }
    }

    /// Takes one message of the host's own.
    pub(crate) fn message(&self, level: LogLevel, message: &str) {
        self.write(&mut self.state(), level, message);
    }

    /// Takes one message of the guest.
    pub(crate) fn guest_message(&self, level: LogLevel, message: &str) -> Result<(), OutputExceeded> {
        let mut state = self.state();
        self.spend(&mut state, message.len())?;
        self.write(&mut state, level, message);
        Ok(())
    }

    /// Takes bytes of an output and logs the lines that they complete.
    fn bytes(&self, output: Output, bytes: &[u8]) -> Result<(), OutputExceeded> {
        let mut state = self.state();
        self.spend(&mut state, bytes.len())?;
        if output == Output::Error {
            keep_tail(&mut state.error_tail, bytes);
        }
        if state.notice_given && output == Output::Standard {
            return Ok(());
        }
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            for part in piece.chunks(limits::MAX_LINE_BYTES) {
                state.line(output).extend_from_slice(part);
                if part.ends_with(b"\n") || state.line(output).len() >= limits::MAX_LINE_BYTES {
                    self.flush_line(&mut state, output);
                }
            }
        }
        Ok(())
    }

    /// Counts what the guest writes.
    fn spend(&self, state: &mut LogState, bytes: usize) -> Result<(), OutputExceeded> {
        let exceeded = OutputExceeded { limit_bytes: self.output_bytes };
        // As in `write`: an empty message costs something, too.
        let cost_bytes = bytes as u64 + 1;
        state.remaining_output_bytes =
            state.remaining_output_bytes.checked_sub(cost_bytes).ok_or(exceeded)?;
        Ok(())
    }

    /// Logs what is left without a newline. Called once, when the call has ended.
    pub(crate) fn finish(&self) {
        let mut state = self.state();
        self.flush_line(&mut state, Output::Standard);
        self.flush_line(&mut state, Output::Error);
    }

    /// Returns the end of standard error, without blanks around it.
    pub(crate) fn error_tail(&self) -> String {
        self.masked(String::from_utf8_lossy(&self.state().error_tail).trim()).into_owned()
    }

    /// Hands the collected line of one output to the host.
    fn flush_line(&self, state: &mut LogState, output: Output) {
        let line = std::mem::take(state.line(output));
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\n', '\r']);
        if output == Output::Error && text == HEARTBEAT_LINE {
            self.host.heartbeat();
        } else if !text.is_empty() {
            self.write(state, output.level(), text);
        }
    }

    /// Hands as much of a message to the host as the bound allows, and tells once that the rest is gone.
    fn write(&self, state: &mut LogState, level: LogLevel, message: &str) {
        if state.notice_given {
            return;
        }
        let message = &*self.masked(message);
        // Every line costs a byte more than its text, as in a file: empty lines are bounded, too.
        let cost_bytes = message.len() as u64 + 1;
        if let Some(remaining_bytes) = state.remaining_bytes.checked_sub(cost_bytes) {
            state.remaining_bytes = remaining_bytes;
            self.host.log(level, message);
            return;
        }
        let allowed = usize::try_from(std::mem::take(&mut state.remaining_bytes)).unwrap_or(usize::MAX);
        state.notice_given = true;
        if allowed > 0 {
            self.host.log(level, &message[..message.floor_char_boundary(allowed)]);
        }
        let notice =
            format!("the log of this call is limited to {} bytes; the rest is dropped", self.limit_bytes);
        self.host.log(LogLevel::Warn, &notice);
    }

    /// Puts asterisks where a text holds the value of one of the call's secrets.
    pub(crate) fn masked<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut masked = Cow::Borrowed(text);
        for secret in self.grants.secrets.values() {
            if secret.len() >= limits::MIN_MASKED_SECRET_BYTES && masked.contains(secret.as_str()) {
                masked = Cow::Owned(masked.replace(secret.as_str(), "***"));
            }
        }
        masked
    }

    fn state(&self) -> MutexGuard<'_, LogState> {
        // Nothing under the lock can panic half-way but the host's own `log`, after which the text is still text.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogState {
    fn line(&mut self, output: Output) -> &mut Vec<u8> {
        match output {
            Output::Standard => &mut self.standard_line,
            Output::Error => &mut self.error_line,
        }
    }
}

/// Appends bytes and keeps the last ones.
fn keep_tail(tail: &mut Vec<u8>, bytes: &[u8]) {
    let bytes = &bytes[bytes.len().saturating_sub(limits::STDERR_TAIL_BYTES)..];
    let excess = (tail.len() + bytes.len()).saturating_sub(limits::STDERR_TAIL_BYTES);
    tail.drain(..excess);
    tail.extend_from_slice(bytes);
}

/// One output as WASI sees it. It is always ready and never full.
#[derive(Clone)]
pub(crate) struct OutputStream {
    log: Arc<CallLog>,
    output: Output,
}

impl OutputStream {
    /// Connects an output to a log.
    pub(crate) fn new(log: Arc<CallLog>, output: Output) -> Self {
        Self { log, output }
    }
}

impl IsTerminal for OutputStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for OutputStream {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn wasmtime_wasi::p2::OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for OutputStream {
    async fn ready(&mut self) {}
}

impl wasmtime_wasi::p2::OutputStream for OutputStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.log.bytes(self.output, &bytes).map_err(|exceeded| StreamError::Trap(exceeded.into()))
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(limits::MAX_LINE_BYTES)
    }
}

impl tokio::io::AsyncWrite for OutputStream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        let written = self.log.bytes(self.output, bytes).map_err(std::io::Error::other);
        Poll::Ready(written.map(|()| bytes.len()))
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

    /// Remembers every line.
    #[derive(Default)]
    struct Lines(Mutex<Vec<(LogLevel, String)>>);

    impl CallHost for Lines {
        fn log(&self, level: LogLevel, message: &str) {
            self.0.lock().unwrap().push((level, message.to_owned()));
        }
        fn heartbeat(&self) {}
    }

    /// Runs an action on a log with a bound and returns what the host got.
    fn lines(limit_bytes: u64, action: impl FnOnce(&CallLog)) -> Vec<(LogLevel, String)> {
        lines_of(&Bounds { log_bytes: limit_bytes, ..bounds() }, Grants::default(), action)
    }

    fn bounds() -> Bounds {
        Bounds::new(&crate::SandboxConfig::new("unused"), &crate::Limits::default(), std::time::Duration::MAX)
    }

    fn lines_of(bounds: &Bounds, grants: Grants, action: impl FnOnce(&CallLog)) -> Vec<(LogLevel, String)> {
        let host = Arc::new(Lines::default());
        action(&CallLog::new(Arc::clone(&host) as Arc<dyn CallHost>, Arc::new(grants), bounds));
        host.0.lock().unwrap().clone()
    }

    #[test]
    fn a_flood_ends() {
        let bounds = Bounds { output_bytes: 20, ..bounds() };
        let got = lines_of(&bounds, Grants::default(), |log| {
            assert!(log.bytes(Output::Standard, b"0123456789\n").is_ok());
            assert_eq!(log.guest_message(LogLevel::Info, "12345678").unwrap_err().limit_bytes, 20);
        });
        assert_eq!(got.len(), 1);
    }

    #[test]
    fn secrets_are_masked_everywhere() {
        let secrets = [("KEY".to_owned(), "hunter22".to_owned()), ("SHORT".to_owned(), "x".to_owned())];
        let grants = Grants { secrets: secrets.into(), ..Grants::default() };
        let got = lines_of(&bounds(), grants, |log| {
            log.guest_message(LogLevel::Info, "key hunter22 and x").unwrap();
            log.bytes(Output::Error, b"hunt").unwrap();
            log.bytes(Output::Error, b"er22!\n").unwrap();
            assert_eq!(log.error_tail(), "***!");
        });
        assert_eq!(got, [(LogLevel::Info, "key *** and x".to_owned()), (LogLevel::Warn, "***!".to_owned())]);
    }

    #[test]
    fn outputs_become_lines() {
        let got = lines(1_000, |log| {
            log.bytes(Output::Standard, b"one\ntw").unwrap();
            log.bytes(Output::Error, b"oops\r\n\n").unwrap();
            log.bytes(Output::Standard, b"o\nrest").unwrap();
            log.finish();
        });
        let expected = [
            (LogLevel::Info, "one"),
            (LogLevel::Warn, "oops"),
            (LogLevel::Info, "two"),
            (LogLevel::Info, "rest"),
        ];
        assert_eq!(got, expected.map(|(level, text)| (level, text.to_owned())));
    }

    #[test]
    fn the_bound_holds_and_is_announced_once() {
        let got = lines(6, |log| {
            log.message(LogLevel::Error, "abc");
            log.message(LogLevel::Error, "dé!");
            log.message(LogLevel::Error, "");
            log.message(LogLevel::Error, "more");
            log.bytes(Output::Error, &vec![b'x'; 100_000]).unwrap();
            log.finish();
            assert_eq!(log.error_tail().len(), limits::STDERR_TAIL_BYTES);
        });
        let texts: Vec<_> = got.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["abc", "d", "the log of this call is limited to 6 bytes; the rest is dropped"]);
    }

    #[test]
    fn a_line_without_an_end_is_cut() {
        let got = lines(1 << 20, |log| {
            log.bytes(Output::Standard, &vec![b'x'; limits::MAX_LINE_BYTES * 2 + 1]).unwrap();
        });
        assert_eq!(got.len(), 2);
    }
}

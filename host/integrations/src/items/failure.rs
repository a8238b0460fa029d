//! Why items cannot be read: for ever, or now.
//!
//! Decoders and parsers wrap what they get from below in errors of their own. So the bytes themselves are watched: where
//! they were cut off, whatever is said above is no fault of the file.

use std::io::{self, Read};
use std::sync::{Arc, OnceLock};
use stepwell_asl::StatesError;
use stepwell_executor::SourceError;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Failure {
    /// The data are not what they should be: the cause.
    Wrong(String),
    /// They cannot be had now.
    Unavailable(String),
}

/// What cut the bytes off, if anything did.
pub(super) type Mark = Arc<OnceLock<String>>;

impl Failure {
    pub(super) fn wrong(cause: impl Into<String>) -> Failure {
        Failure::Wrong(cause.into())
    }

    /// The failure as it is, once it is known whether the bytes were cut off.
    pub(super) fn judged(self, mark: &Mark) -> Failure {
        match mark.get() {
            Some(reason) => Failure::Unavailable(reason.clone()),
            None => self,
        }
    }
}

impl From<io::Error> for Failure {
    /// Whether the bytes were cut off is judged where they are watched.
    fn from(error: io::Error) -> Failure {
        Failure::Wrong(format!("The file cannot be read: {error}"))
    }
}

impl From<Failure> for SourceError {
    fn from(failure: Failure) -> SourceError {
        match failure {
            Failure::Wrong(cause) => SourceError::Failed(StatesError::new("States.ItemReaderFailed", cause)),
            Failure::Unavailable(reason) => SourceError::Unavailable(reason),
        }
    }
}

/// Bytes that are watched.
pub(super) struct Watched<R> {
    inner: R,
    mark: Mark,
}

impl<R> Watched<R> {
    pub(super) fn new(inner: R) -> Watched<R> {
        Watched { inner, mark: Mark::default() }
    }

    pub(super) fn mark(&self) -> Mark {
        Arc::clone(&self.mark)
    }
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into);
        if let Err(error) = &read
            && error.kind() != io::ErrorKind::Interrupted
        {
            let _ = self.mark.set(error.to_string());
        }
        read
    }
}

//! The bytes of an object while they are read.
//!
//! Readers of formats are plain [`Read`]ers on a thread that may wait; who wants a short text asks for it.

use super::ObjectError;
use bytes::{Buf as _, Bytes};
use std::fs::File;
use std::io::{self, Read};
use tokio::sync::mpsc;

/// Bytes that come from somewhere. Reading waits: it belongs on a thread for that.
#[derive(Debug)]
pub enum Body {
    /// An open file: it stays readable when another takes its name.
    File(File),
    /// Pieces that somebody fetches; dropping the receiver tells them to stop.
    Pieces(Bytes, mpsc::Receiver<io::Result<Bytes>>),
}

impl Body {
    /// Pieces from a channel.
    pub fn pieces(receiver: mpsc::Receiver<io::Result<Bytes>>) -> Body {
        Body::Pieces(Bytes::new(), receiver)
    }

    /// All of it, at most `most` bytes.
    pub async fn read_all(self, most: usize) -> Result<Vec<u8>, ObjectError> {
        let read = tokio::task::spawn_blocking(move || {
            let mut bytes = Vec::new();
            self.take(most as u64 + 1).read_to_end(&mut bytes).map(|_| bytes)
        });
        let bytes = read.await.map_err(|error| ObjectError::Unavailable(error.to_string()))?;
        let bytes = bytes.map_err(|error| ObjectError::Unavailable(error.to_string()))?;
        if bytes.len() > most {
            return Err(ObjectError::Invalid(format!("The object has more than {most} bytes.")));
        }
        Ok(bytes)
    }
}

impl Read for Body {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Body::File(file) => file.read(into),
            Body::Pieces(piece, receiver) => {
                while piece.is_empty() && !into.is_empty() {
                    match receiver.blocking_recv() {
                        Some(next) => *piece = next?,
                        None => return Ok(0),
                    }
                }
                let bytes = piece.len().min(into.len());
                into[..bytes].copy_from_slice(&piece[..bytes]);
                piece.advance(bytes);
                Ok(bytes)
            }
        }
    }
}

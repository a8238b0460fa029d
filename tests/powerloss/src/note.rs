//! What the program under test tells its client, one line of JSON each: the journal.
//!
//! The journal stands for another machine: it survives every cut. A note must be written with one system call.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Length and hash of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Print(pub u32, pub u64);

/// A stored key (the byte of its space, then the key) and what its value looks like.
pub type Entry = (Vec<u8>, Print);

/// One note of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Note {
    /// The store is about to be opened.
    Opening,
    /// It is open.
    Opened,
    /// All that it holds.
    Found(Vec<Entry>),
    /// A task is about to do a step.
    Begun(u8, u32),
    /// A task's step was acknowledged.
    Acknowledged(u8, u32),
    /// The store is about to be closed in good order.
    Closing,
    /// The store could not be opened: the message for the operator.
    Refused(String),
    /// A call failed that must not fail.
    Failed(String),
    /// All is done.
    Done,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found(entries) => write!(f, "Found {} entries", entries.len()),
            Self::Opening
            | Self::Opened
            | Self::Begun(..)
            | Self::Acknowledged(..)
            | Self::Closing
            | Self::Refused(_)
            | Self::Failed(_)
            | Self::Done => write!(f, "{self:?}"),
        }
    }
}

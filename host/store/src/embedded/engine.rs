//! The seam between what all embedded backends do and the engine under one of them.
//!
//! An engine is one ordered map of bytes with a single writer. It knows neither envelopes nor spaces nor commits,
//! and it must never answer [`Engine::sync`] before everything applied would survive a power cut. What it is given is in
//! the write-ahead log already.

use std::io;

use super::{Broken, ReadError};

/// One ordered map of bytes on disk. Only the committer writes, so writes never overlap.
pub trait Engine: Send + Sync + Sized + 'static {
    /// Name and version.
    const NAME: &'static str;

    /// Bytes of records that are collected before it is given them, and that it may be given between two syncs.
    const APPLY_BYTES: u64;
    /// See [`Engine::APPLY_BYTES`].
    const LAG_BYTES: u64;

    /// Bytes on disk that one changed key may cost beside its own, for the check of free space.
    const BYTES_PER_KEY: u64;

    /// A consistent state of the map.
    type View<'a>: View
    where
        Self: 'a;

    /// Opens a view; waits while a group is being applied, if the engine must.
    fn view(&self) -> Result<Self::View<'_>, Broken>;

    /// The same without waiting: `None` if it would have to.
    fn try_view(&self) -> Result<Option<Self::View<'_>>, Broken>;

    /// Applies a group, all or nothing, also in a crash: no view ever shows half of it. Groups that were not synced
    /// may be lost in a power cut, the last ones first.
    fn apply(&self, writes: &[Write]) -> Result<(), Broken>;

    /// Makes everything applied durable.
    fn sync(&self) -> Result<(), Broken>;

    /// Gives free space inside the files back; [`Compaction::Unsupported`] if the engine cannot.
    fn compact(&mut self) -> Result<Compaction, Broken>;

    /// Bytes of all files on disk.
    fn file_bytes(&self) -> io::Result<u64>;
}

/// What [`Engine::compact`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compaction {
    /// Files are as small as they get.
    Done,
    /// The engine cannot; the text says what to do instead.
    Unsupported(&'static str),
}

/// A consistent state of an engine's map.
pub trait View {
    /// Longest payload of one record; longer values are cut into chunks.
    const PAYLOAD_BYTES: usize;

    /// Reads one record.
    fn get<T>(&self, key: &[u8], read: impl FnOnce(&[u8]) -> T) -> Result<Option<T>, Broken>;

    /// Reads records from `start` (included) to `end` (excluded, not before `start`) in order, or from the end
    /// backwards, until `visit` returns false.
    fn scan(&self, start: &[u8], end: &[u8], reverse: bool, visit: &mut Visit<'_>) -> Result<(), ReadError>;
}

/// Is shown key and content of a record; says whether to go on.
pub(crate) type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<bool, ReadError> + 'a;

/// The change of one record.
#[derive(Debug, PartialEq, Eq)]
pub struct Write {
    /// The key in the map.
    pub(super) key: Vec<u8>,
    /// The new record; none to remove it.
    pub(super) record: Option<Vec<u8>>,
    /// What it adds to the digest, modulo 2^64.
    pub(super) delta: u64,
}

impl Write {
    /// The key in the map.
    pub(crate) fn key(&self) -> &[u8] {
        &self.key
    }

    /// Bytes of key and record.
    pub(crate) fn bytes(&self) -> u64 {
        (self.key.len() + self.record.as_ref().map_or(0, Vec::len)) as u64
    }

    /// The new record; none to remove it.
    pub(crate) fn record(&self) -> Option<&[u8]> {
        self.record.as_deref()
    }
}

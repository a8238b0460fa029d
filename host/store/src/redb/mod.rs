//! The embedded backend on redb 4: one table in one file, each commit synced by redb itself.
//!
//! No redb type leaves this folder. What it must never do is said in `engine`.

mod engine;
mod file;
mod open;

use std::{path::PathBuf, sync::Arc, time::Duration};

use self::engine::RedbEngine;
use crate::{
    embedded::{Disk, Embedded},
    error::OpenError,
    location::{OpenOptions, VerifyOnOpen},
};

/// Where and how to open a store.
#[derive(Clone)]
pub struct RedbOptions {
    /// The file; created if missing. `FILE.lock`, `FILE.wal` and `FILE.watermark` lie beside it.
    pub file: PathBuf,
    /// Free bytes to keep on its volume: below, commits are refused as `Full`.
    pub reserve_bytes: u64,
    /// Memory for redb's page cache, in bytes.
    pub cache_bytes: u64,
    /// How long opening and checking may take before the store counts as damaged.
    pub open_limit: Duration,
    /// When every record is read and compared with the digest.
    pub verify: VerifyOnOpen,
    /// The system calls that durability rests on; tests replace them.
    pub disk: Arc<dyn Disk>,
}

impl RedbOptions {
    /// The defaults of [`crate::limits`] for a file.
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Self::with(file, OpenOptions::default())
    }

    /// These options for a file.
    pub fn with(file: impl Into<PathBuf>, options: OpenOptions) -> Self {
        let OpenOptions { reserve_bytes, cache_bytes, open_limit, verify, disk } = options;
        Self { file: file.into(), reserve_bytes, cache_bytes, open_limit, verify, disk }
    }

    fn split(self) -> (PathBuf, OpenOptions) {
        let Self { file, reserve_bytes, cache_bytes, open_limit, verify, disk } = self;
        (file, OpenOptions { reserve_bytes, cache_bytes, open_limit, verify, disk })
    }
}

/// A durable store in one file of this machine. Dropping it without `close` keeps all that was acknowledged, but
/// the lock may be held a moment longer.
pub type RedbBackend = Embedded<RedbEngine>;

impl RedbBackend {
    /// Opens or creates a store. Blocks, if only for a moment: after a crash too.
    pub fn open(options: RedbOptions) -> Result<Self, OpenError> {
        Self::start(open::open(options)?)
    }
}

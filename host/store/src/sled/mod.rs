//! The embedded backend on sled 0.34.7: one tree, and an fdatasync of our own.
//!
//! No sled type leaves this folder. What it must never do is said in `engine`.

mod blobs;
mod engine;
mod open;

use std::{path::PathBuf, sync::Arc, time::Duration};

use self::engine::SledEngine;
use crate::{
    embedded::{Disk, Embedded},
    error::OpenError,
    location::{OpenOptions, VerifyOnOpen},
};

/// Where and how to open a store.
#[derive(Clone)]
pub struct SledOptions {
    /// The data directory; created if missing. It holds `lock`, `wal`, `watermark` and sled's own folder `sled`.
    pub directory: PathBuf,
    /// Free bytes to keep on its volume: below, commits are refused as `Full`.
    pub reserve_bytes: u64,
    /// Memory for sled's page cache, in bytes.
    pub cache_bytes: u64,
    /// How long opening and checking may take before the store counts as damaged.
    pub open_limit: Duration,
    /// When every record is read and compared with the digest: that is what finds a page that sled has silently
    /// dropped or rolled back.
    pub verify: VerifyOnOpen,
    /// The system calls that durability rests on; tests replace them.
    pub disk: Arc<dyn Disk>,
}

impl SledOptions {
    /// The defaults of [`crate::limits`] for a directory.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self::with(directory, OpenOptions::default())
    }

    /// These options for a directory.
    pub fn with(directory: impl Into<PathBuf>, options: OpenOptions) -> Self {
        let OpenOptions { reserve_bytes, cache_bytes, open_limit, verify, disk } = options;
        Self { directory: directory.into(), reserve_bytes, cache_bytes, open_limit, verify, disk }
    }

    fn split(self) -> (PathBuf, OpenOptions) {
        let Self { directory, reserve_bytes, cache_bytes, open_limit, verify, disk } = self;
        (directory, OpenOptions { reserve_bytes, cache_bytes, open_limit, verify, disk })
    }
}

/// A durable store in a directory of this machine. Dropping it without `close` keeps all that was
/// acknowledged, but the lock may be held a moment longer.
pub type SledBackend = Embedded<SledEngine>;

impl SledBackend {
    /// Opens or creates a store. Blocks, for seconds if the last run did not end in good order.
    pub fn open(options: SledOptions) -> Result<Self, OpenError> {
        Self::start(open::open(options)?)
    }
}

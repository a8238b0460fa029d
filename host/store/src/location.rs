//! Where a store is, as it is written on the command line: `sled:DIR`, `redb:FILE` or `memory:`.
//!
//! The only place that turns such a text into an open backend. It must never guess a kind from a path.

use std::{fmt, path::PathBuf, str::FromStr, sync::Arc, time::Duration};

use crate::{
    backend::Backend,
    embedded::{Disk, RealDisk},
    error::OpenError,
    limits,
    memory::MemoryBackend,
    redb::{RedbBackend, RedbOptions},
    sled::{SledBackend, SledOptions},
};

/// The kind of a store and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreLocation {
    /// A sled database in this directory, made if it is missing.
    Sled(PathBuf),
    /// A redb database in this file, made if it is missing, with `FILE.lock` and `FILE.watermark` beside it.
    Redb(PathBuf),
    /// The memory of the process: gone when it ends.
    Memory,
}

/// Why a text names no store; the message says how one is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// sled without a directory.
    #[error("`sled:` needs a directory, like sled:./stepwell-data")]
    NoDirectory,
    /// redb without a file.
    #[error("`redb:` needs a file, like redb:./stepwell-data/store.redb")]
    NoFile,
    /// No kind that there is.
    #[error("give sled:DIR, redb:FILE or memory:")]
    Unknown,
}

impl FromStr for StoreLocation {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, LocationError> {
        match text.split_once(':') {
            Some(("sled", "")) => Err(LocationError::NoDirectory),
            Some(("sled", directory)) => Ok(Self::Sled(directory.into())),
            Some(("redb", "")) => Err(LocationError::NoFile),
            Some(("redb", file)) => Ok(Self::Redb(file.into())),
            Some(("memory", "")) => Ok(Self::Memory),
            Some(_) | None => Err(LocationError::Unknown),
        }
    }
}

impl fmt::Display for StoreLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sled(directory) => write!(f, "sled:{}", directory.display()),
            Self::Redb(file) => write!(f, "redb:{}", file.display()),
            Self::Memory => f.write_str("memory:"),
        }
    }
}

/// When the opening of a store reads every record and compares the digest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum VerifyOnOpen {
    /// Always: about a second per gigabyte.
    Always,
    /// While the files are smaller than [`limits::VERIFY_BYTES`]; larger stores are checked slowly in the
    /// background after the opening.
    #[default]
    WhenSmall,
    /// Never, not in the background either.
    Never,
}

/// How to open a store, whatever its engine.
#[derive(Clone)]
pub struct OpenOptions {
    /// Free bytes to keep on its volume: below, commits are refused as `Full`.
    pub reserve_bytes: u64,
    /// Memory for the engine's page cache, in bytes.
    pub cache_bytes: u64,
    /// How long opening and checking may take before the store counts as damaged.
    pub open_limit: Duration,
    /// When every record is read.
    pub verify: VerifyOnOpen,
    /// The system calls that durability rests on; tests replace them.
    pub disk: Arc<dyn Disk>,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            reserve_bytes: limits::RESERVE_BYTES,
            cache_bytes: limits::CACHE_BYTES,
            open_limit: limits::OPEN_LIMIT,
            verify: VerifyOnOpen::default(),
            disk: Arc::new(RealDisk),
        }
    }
}

/// Opens or creates a store. Blocks, for seconds if the last run did not end in good order.
pub fn open(location: &StoreLocation, options: OpenOptions) -> Result<Arc<dyn Backend>, OpenError> {
    Ok(match location {
        StoreLocation::Sled(directory) => Arc::new(SledBackend::open(SledOptions::with(directory, options))?),
        StoreLocation::Redb(file) => Arc::new(RedbBackend::open(RedbOptions::with(file, options))?),
        StoreLocation::Memory => Arc::new(MemoryBackend::new()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_are_named_by_kind_and_place() {
        for (text, location) in [
            ("sled:./a:b", StoreLocation::Sled("./a:b".into())),
            ("redb:/var/lib/stepwell/store.redb", StoreLocation::Redb("/var/lib/stepwell/store.redb".into())),
            ("memory:", StoreLocation::Memory),
        ] {
            assert_eq!(text.parse(), Ok(location.clone()));
            assert_eq!(location.to_string(), text);
        }
        for wrong in ["", "sled", "sled:", "redb:", "memory", "memory:x", "postgres:x", "./stepwell-data"] {
            let refused = wrong.parse::<StoreLocation>().unwrap_err().to_string();
            assert!(refused.contains(':'), "{wrong}: {refused}");
        }
    }
}

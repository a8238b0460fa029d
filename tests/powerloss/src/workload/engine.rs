//! The engines under test, and a disk whose syncs do nothing: with it the rig must find losses.

use std::{fmt, fs::File, io, path::Path, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use stepwell_store::{
    Backend, Disk, OpenError, OpenOptions, RealDisk, RedbBackend, RedbOptions, SledBackend, SledOptions,
    VerifyOnOpen,
};

/// How long opening may take; far beyond what these small stores need, within the time that the rig allows a run.
const OPEN_LIMIT: Duration = Duration::from_secs(20);

/// An engine under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
pub enum Engine {
    /// sled with an fdatasync of our own.
    Sled,
    /// redb, which syncs its file itself, through the same seam.
    Redb,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sled => f.write_str("sled"),
            Self::Redb => f.write_str("redb"),
        }
    }
}

/// What the store's own syncs do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Syncs {
    /// What they should.
    Real,
    /// Nothing, for files: this is how the rig itself is tested.
    Skipped,
}

/// Opens or creates the store in a directory.
pub fn open(
    engine: Engine,
    directory: &Path,
    cache_bytes: u64,
    syncs: Syncs,
) -> Result<Arc<dyn Backend>, OpenError> {
    let disk: Arc<dyn Disk> = match syncs {
        Syncs::Real => Arc::new(RealDisk),
        Syncs::Skipped => Arc::new(NoSync),
    };
    let verify = VerifyOnOpen::Always;
    let options = OpenOptions { cache_bytes, open_limit: OPEN_LIMIT, verify, disk, ..OpenOptions::default() };
    Ok(match engine {
        Engine::Sled => Arc::new(SledBackend::open(SledOptions::with(directory.join("store"), options))?),
        Engine::Redb => {
            Arc::new(RedbBackend::open(RedbOptions::with(directory.join("store.redb"), options))?)
        }
    })
}

/// A disk that pretends to have synced files.
struct NoSync;

impl Disk for NoSync {
    fn sync_data(&self, _file: &File, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        RealDisk.sync_directory(path)
    }

    fn free_bytes(&self, directory: &Path) -> io::Result<u64> {
        RealDisk.free_bytes(directory)
    }
}

//! The system calls that durability rests on, behind a seam: tests count, order and fail them.
//!
//! It must never do anything but the call itself.

use std::{
    fs::File,
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Sync calls and the free space of a volume.
pub trait Disk: Send + Sync {
    /// Makes the content of an open file durable (`fdatasync`). `path` only names it.
    fn sync_data(&self, file: &File, path: &Path) -> io::Result<()>;

    /// Makes the entries of a directory durable: names, creations, removals.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;

    /// Bytes that this process may still write on the volume of a directory.
    fn free_bytes(&self, directory: &Path) -> io::Result<u64>;
}

/// The real system calls.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn sync_data(&self, file: &File, _path: &Path) -> io::Result<()> {
        file.sync_data()
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn free_bytes(&self, directory: &Path) -> io::Result<u64> {
        let volume = rustix::fs::statvfs(directory)?;
        Ok(volume.f_bavail.saturating_mul(volume.f_frsize))
    }
}

/// A disk that remembers how long its syncs of files took.
pub(crate) struct TimedDisk {
    inner: Arc<dyn Disk>,
    spent_nanos: AtomicU64,
}

impl TimedDisk {
    pub(crate) fn new(inner: Arc<dyn Disk>) -> Self {
        Self { inner, spent_nanos: AtomicU64::new(0) }
    }

    /// The time of all syncs so far.
    pub(crate) fn spent(&self) -> Duration {
        Duration::from_nanos(self.spent_nanos.load(Ordering::Relaxed))
    }
}

impl Disk for TimedDisk {
    fn sync_data(&self, file: &File, path: &Path) -> io::Result<()> {
        let begun = Instant::now();
        let synced = self.inner.sync_data(file, path);
        let nanos = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.spent_nanos.fetch_add(nanos, Ordering::Relaxed);
        synced
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.inner.sync_directory(path)
    }

    fn free_bytes(&self, directory: &Path) -> io::Result<u64> {
        self.inner.free_bytes(directory)
    }
}

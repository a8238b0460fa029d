//! The system calls that durability rests on, behind a seam: tests count, order and fail them.
//!
//! It must never do anything but the call itself.

use std::{fs::File, io, path::Path};

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

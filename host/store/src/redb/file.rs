//! redb's file with its syncs going through [`Disk`], so that tests can count, order and fail them.
//!
//! It must never change what is read, written or locked.

use std::{fs::File, io, ops::Bound, path::PathBuf, sync::Arc};

use redb::{BackendError, StorageBackend, backends::FileBackend};

use crate::embedded::{Disk, TimedDisk};

/// One open database file.
pub(super) struct DiskFile {
    inner: FileBackend,
    /// The same open file, for syncing.
    file: File,
    path: PathBuf,
    disk: Arc<TimedDisk>,
}

impl DiskFile {
    pub(super) fn new(file: File, path: PathBuf, disk: Arc<TimedDisk>) -> Result<Self, redb::DatabaseError> {
        let own = file.try_clone().map_err(redb::StorageError::from)?;
        Ok(Self { inner: FileBackend::new(file)?, file: own, path, disk })
    }
}

impl std::fmt::Debug for DiskFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.fmt(f)
    }
}

impl StorageBackend for DiskFile {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.inner.read(offset, out)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.inner.set_len(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.sync_data(&self.file, &self.path)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.inner.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.inner.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.query_lock_range(start, end)
    }
}

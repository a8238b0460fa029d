//! The free space of the volume: below the reserve, work is refused before the engine is touched.
//!
//! Every group measures: it takes a microsecond or two, and whoever else writes to the volume fills it without asking.

use std::{path::PathBuf, sync::Arc};

use super::{Broken, Disk, ReadError, disk::TimedDisk};
use crate::error::StoreError;

/// Watches the free space.
pub(super) struct Room {
    disk: Arc<TimedDisk>,
    directory: PathBuf,
    reserve_bytes: u64,
    /// What was let through since the engine's last sync: the volume may not show it yet.
    owed_bytes: u64,
}

impl Room {
    pub(super) fn new(disk: Arc<TimedDisk>, directory: PathBuf, reserve_bytes: u64) -> Self {
        Self { disk, directory, reserve_bytes, owed_bytes: 0 }
    }

    pub(super) fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    /// Work of so many bytes was let through.
    pub(super) fn owe(&mut self, bytes: u64) {
        self.owed_bytes = self.owed_bytes.saturating_add(bytes);
    }

    /// The engine has synced: the volume shows all that was let through.
    pub(super) fn settled(&mut self) {
        self.owed_bytes = 0;
    }

    /// Whether there is space for so many bytes above the reserve.
    pub(super) fn has(&self, bytes: u64) -> Result<bool, ReadError> {
        let wanted = self.reserve_bytes.saturating_add(self.owed_bytes).saturating_add(bytes);
        Ok(self.free()? >= wanted)
    }

    /// Refuses work of so many bytes while the free space is below the reserve.
    pub(super) fn check(&self, bytes: u64) -> Result<(), ReadError> {
        if self.has(bytes)? {
            return Ok(());
        }
        let (free, reserve) = (self.free()?, self.reserve_bytes);
        tracing::warn!(free, reserve, "the disk is nearly full: a commit was refused");
        Err(ReadError::Refused(StoreError::Full))
    }

    fn free(&self) -> Result<u64, ReadError> {
        self.disk
            .free_bytes(&self.directory)
            .map_err(|error| ReadError::Broken(Broken(format!("the free space cannot be read: {error}"))))
    }
}

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
}

impl Room {
    pub(super) fn new(disk: Arc<TimedDisk>, directory: PathBuf, reserve_bytes: u64) -> Self {
        Self { disk, directory, reserve_bytes }
    }

    pub(super) fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    /// Refuses work of so many bytes while the free space is below the reserve.
    pub(super) fn check(&self, bytes: u64) -> Result<(), ReadError> {
        let free = self
            .disk
            .free_bytes(&self.directory)
            .map_err(|error| ReadError::Broken(Broken(format!("the free space cannot be read: {error}"))))?;
        let reserve = self.reserve_bytes;
        if free < reserve.saturating_add(bytes) {
            tracing::warn!(free, reserve, "the disk is nearly full: a commit was refused");
            return Err(ReadError::Refused(StoreError::Full));
        }
        Ok(())
    }
}

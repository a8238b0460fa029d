//! The free space of the volume: below the reserve, work is refused before the engine is touched.
//!
//! It must never let so much be written between two measurements that the reserve could be used up.

use std::{path::PathBuf, sync::Arc, time::Instant};

use super::{Broken, Disk, ReadError, disk::TimedDisk};
use crate::{error::StoreError, limits};

/// Watches the free space.
pub(super) struct Room {
    disk: Arc<TimedDisk>,
    directory: PathBuf,
    reserve_bytes: u64,
    /// When there was enough the last time, and the bytes that were let through since.
    measured: Option<(Instant, u64)>,
}

impl Room {
    pub(super) fn new(disk: Arc<TimedDisk>, directory: PathBuf, reserve_bytes: u64) -> Self {
        Self { disk, directory, reserve_bytes, measured: None }
    }

    pub(super) fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    /// Refuses work of so many bytes while the free space is below the reserve.
    pub(super) fn check(&mut self, bytes: u64) -> Result<(), ReadError> {
        if let Some((at, through)) = &mut self.measured {
            *through = through.saturating_add(bytes);
            let unmeasured = limits::ROOM_BYTES.min(self.reserve_bytes / 4);
            if *through <= unmeasured && at.elapsed() < limits::ROOM_EVERY {
                return Ok(());
            }
        }
        self.measured = None;
        let free = self
            .disk
            .free_bytes(&self.directory)
            .map_err(|error| ReadError::Broken(Broken(format!("the free space cannot be read: {error}"))))?;
        let reserve = self.reserve_bytes;
        if free < reserve.saturating_add(bytes) {
            tracing::warn!(free, reserve, "the disk is nearly full: a commit was refused");
            return Err(ReadError::Refused(StoreError::Full));
        }
        self.measured = Some((Instant::now(), 0));
        Ok(())
    }
}

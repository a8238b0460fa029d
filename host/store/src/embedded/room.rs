//! The free space of the volume: below the reserve, work is refused before the engine is touched.
//!
//! Every group measures: it takes a microsecond or two, and whoever else writes to the volume fills it without asking.

use std::{path::PathBuf, sync::Arc};

use super::{Broken, Disk, ReadError, disk::TimedDisk};
use crate::error::StoreError;

/// A piece of work, for the check of free space.
#[derive(Clone, Copy)]
pub(super) struct Work {
    /// What it may cost on disk.
    pub(super) bytes: u64,
    /// Whether it does nothing but remove records.
    pub(super) removes: bool,
}

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

    /// Whether so much is owed that the engine should sync: the reserve covers it whoever else writes meanwhile. Without
    /// a reserve nobody has asked for that, and a sync for each commit would be its price.
    pub(super) fn owes_much(&self) -> bool {
        self.reserve_bytes > 0 && self.owed_bytes > 0 && self.owed_bytes >= self.reserve_bytes / 2
    }

    /// Whether the engine may write what is owed.
    pub(super) fn covers_owed(&self) -> Result<bool, ReadError> {
        Ok(self.owed_bytes == 0 || self.free()? >= self.owed_bytes)
    }

    /// Whether work of so many bytes leaves the reserve free.
    pub(super) fn has(&self, work: Work) -> Result<bool, ReadError> {
        let wanted = self.reserve(work).saturating_add(self.owed_bytes).saturating_add(work.bytes);
        Ok(self.free()? >= wanted)
    }

    /// Refuses work that would not.
    pub(super) fn check(&self, work: Work) -> Result<(), ReadError> {
        if self.has(work)? {
            return Ok(());
        }
        let (free, reserve) = (self.free()?, self.reserve(work));
        tracing::warn!(free, reserve, "the disk is nearly full: a commit was refused");
        Err(ReadError::Refused(StoreError::Full))
    }

    /// What only removes may take most of the reserve: it is how space comes back.
    fn reserve(&self, work: Work) -> u64 {
        if work.removes { self.reserve_bytes / 4 } else { self.reserve_bytes }
    }

    fn free(&self) -> Result<u64, ReadError> {
        self.disk
            .free_bytes(&self.directory)
            .map_err(|error| ReadError::Broken(Broken(format!("the free space cannot be read: {error}"))))
    }
}

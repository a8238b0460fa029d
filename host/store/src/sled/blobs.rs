//! The files that sled puts beside its log for pages over 128 KiB, and never syncs.
//!
//! With records of [`crate::limits::SLED_RECORD_BYTES`] none should appear; if one does, it is made durable before
//! the log that points to it. It must never delete or rename anything there.

use std::{collections::HashSet, ffi::OsString, fs, io, path::PathBuf};

use crate::embedded::Disk;

/// The blob folder of an open store.
#[derive(Debug)]
pub(super) struct Blobs {
    directory: PathBuf,
    /// Files already durable: sled writes each once.
    synced: HashSet<OsString>,
}

impl Blobs {
    pub(super) fn new(directory: PathBuf) -> Self {
        Self { directory, synced: HashSet::new() }
    }

    /// Makes new blob files durable, if there are any.
    pub(super) fn sync(&mut self, disk: &dyn Disk) -> io::Result<()> {
        let mut present = HashSet::new();
        let mut fresh = 0;
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let name = entry.file_name();
            if !self.synced.contains(&name) {
                match fs::File::open(entry.path()) {
                    Ok(file) => disk.sync_data(&file, &entry.path())?,
                    // sled has just dropped it.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(error) => return Err(error),
                }
                fresh += 1;
            }
            present.insert(name);
        }
        if fresh > 0 {
            disk.sync_directory(&self.directory)?;
            tracing::warn!(
                fresh,
                directory = %self.directory.display(),
                "sled wrote pages over 128 KiB as separate files; they were synced, at the cost of slower commits"
            );
        }
        self.synced = present;
        Ok(())
    }
}

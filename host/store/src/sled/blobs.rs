//! The files that sled puts beside its log for pages over 128 KiB, and never syncs.
//!
//! With records of [`crate::limits::SLED_RECORD_BYTES`] none should appear; if one does, it is made durable before
//! the log that points to it. It must never delete or rename anything there.

use std::{
    collections::HashSet,
    ffi::CString,
    fs::File,
    io,
    mem::MaybeUninit,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use rustix::fs::{Mode, OFlags, RawDir, SeekFrom, openat, seek};

use crate::embedded::Disk;

/// Room for what one look at the folder reads, in bytes: it should be empty.
const LOOK_BYTES: usize = 4096;

/// The blob folder of an open store.
#[derive(Debug)]
pub(super) struct Blobs {
    directory: PathBuf,
    /// Kept open: every commit looks, also while no descriptor is left.
    folder: File,
    /// Files already durable: sled writes each once.
    synced: HashSet<CString>,
}

impl Blobs {
    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        let folder = File::open(directory)?;
        Ok(Self { directory: directory.to_owned(), folder, synced: HashSet::new() })
    }

    /// Makes new blob files durable, if there are any.
    pub(super) fn sync(&mut self, disk: &dyn Disk) -> io::Result<()> {
        let present = self.names()?;
        let mut fresh = 0;
        for name in present.difference(&self.synced) {
            match openat(&self.folder, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
                Ok(file) => {
                    let path = self.directory.join(std::ffi::OsStr::from_bytes(name.as_bytes()));
                    disk.sync_data(&File::from(file), &path)?;
                    fresh += 1;
                }
                // sled has just dropped it.
                Err(rustix::io::Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
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

    fn names(&self) -> io::Result<HashSet<CString>> {
        seek(&self.folder, SeekFrom::Start(0))?;
        let (mut names, mut room) = (HashSet::new(), [MaybeUninit::uninit(); LOOK_BYTES]);
        let mut entries = RawDir::new(&self.folder, &mut room);
        while let Some(entry) = entries.next() {
            let name = entry?.file_name().to_owned();
            if !matches!(name.as_bytes(), b"." | b"..") {
                names.insert(name);
            }
        }
        Ok(names)
    }
}

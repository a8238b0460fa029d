//! The mark beside a store that is being created: while it is there nothing has been acknowledged, so a creation that
//! was cut short is begun anew instead of being read.
//!
//! It must be durable before the engine writes, and gone before anything is acknowledged.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use super::{Disk, open::io_error};
use crate::error::OpenError;

/// The mark of one place.
pub(crate) struct Creation {
    mark: PathBuf,
    /// What the engine makes: a file or a folder.
    engine: PathBuf,
}

impl Creation {
    pub(crate) fn new(mark: PathBuf, engine: PathBuf) -> Self {
        Self { mark, engine }
    }

    /// Removes what a creation that was cut short has left, with files beside the engine's; there is nothing of anyone
    /// in it.
    pub(super) fn clear(&self, beside: [&Path; 2], disk: &dyn Disk) -> Result<(), OpenError> {
        if !self.mark.exists() {
            return Ok(());
        }
        tracing::info!(engine = %self.engine.display(), "its creation was cut short: it is created anew");
        for path in beside.into_iter().chain([&*self.engine]) {
            gone(path).map_err(io_error("remove", path))?;
        }
        self.sync(disk)
    }

    /// Marks that a creation begins.
    pub(super) fn begin(&self, disk: &dyn Disk) -> Result<(), OpenError> {
        File::create(&self.mark).map_err(io_error("create", &self.mark))?;
        self.sync(disk)
    }

    /// Takes the mark away, if there is one: from now on commits may be acknowledged.
    pub(super) fn end(&self, disk: &dyn Disk) -> Result<(), OpenError> {
        match fs::remove_file(&self.mark) {
            Ok(()) => self.sync(disk),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(io_error("remove", &self.mark)(error)),
        }
    }

    fn sync(&self, disk: &dyn Disk) -> Result<(), OpenError> {
        let directory = self.mark.parent().unwrap_or(&self.mark);
        disk.sync_directory(directory).map_err(io_error("sync", directory))
    }
}

fn gone(path: &Path) -> io::Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    removed.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

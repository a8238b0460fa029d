//! Opening a redb store: what redb needs beside the steps that all engines share.
//!
//! It must never create a file where a store should be.

use std::{
    ffi::OsString,
    fs::OpenOptions,
    path::{Path, PathBuf},
    sync::Arc,
};

use redb::{Database, DatabaseError, StorageError};

use super::{RedbOptions, engine::RedbEngine, file::DiskFile};
use crate::{
    embedded::{Creation, Opened, Place, Refusal, TimedDisk, io_error, sync_left_over},
    error::OpenError,
};

/// Opens or creates the store of a file.
pub(super) fn open(options: RedbOptions) -> Result<Opened<RedbEngine>, OpenError> {
    let (file, options) = options.split();
    let file = std::path::absolute(&file).map_err(io_error("find", &file))?;
    let directory = file.parent().unwrap_or(&file).to_owned();
    let (lock, wal, watermark) = (beside(&file, ".lock"), beside(&file, ".wal"), beside(&file, ".watermark"));
    let creation = Creation::new(beside(&file, ".creating"), file.clone());
    let place = Place { shown: file.clone(), data: file.clone(), lock, watermark, wal, creation, directory };
    let cache_bytes = usize::try_from(options.cache_bytes).unwrap_or(usize::MAX);
    let locked = place.take(options, || 0)?;
    // The engine would report a directory or a missing right as damage.
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&file);
    let file_bytes = opened.and_then(|file| file.metadata()).map_err(io_error("open", &file))?.len();
    sync_left_over(&file, &*locked.disk)?;

    let (path, disk) = (file.clone(), Arc::clone(&locked.disk));
    let engine = move || Ok(RedbEngine::new(database(&path, cache_bytes, disk)?, &path)?);
    // redb syncs its file itself; the name of the file is synced with that of the watermark.
    locked.open(file_bytes, engine, |_| Ok(()))
}

fn database(path: &Path, cache_bytes: usize, disk: Arc<TimedDisk>) -> Result<Database, Refusal> {
    let file = OpenOptions::new().read(true).write(true).open(path);
    let file = file.map_err(|error| Refusal::damaged(format!("its file cannot be opened: {error}")))?;
    let file = DiskFile::new(file, path.to_owned(), disk).map_err(refusal)?;
    Database::builder().set_cache_size(cache_bytes).create_with_backend(file).map_err(refusal)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "redb may add variants")]
fn refusal(error: DatabaseError) -> Refusal {
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => Refusal::Locked,
        DatabaseError::Storage(StorageError::Io(error))
            if error.kind() == std::io::ErrorKind::InvalidData =>
        {
            Refusal::Damaged(format!("it is not a redb database, or its first bytes are damaged ({error})"))
        }
        other => Refusal::damaged(format!("redb says: {other}")),
    }
}

/// The path of a file with something appended to its name.
fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(ending);
    name.into()
}

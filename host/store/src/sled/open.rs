//! Opening a store: lock, watermark, recovery under a time limit, and the syncs that creation needs.
//!
//! It must never start with less than what was acknowledged.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use sled::Db;

use super::{
    Disk, SledOptions,
    blobs::Blobs,
    lock::Lock,
    meta::{self, State},
    recover::{Recovered, Refusal, recover, refusal},
    shared::Shared,
    watermark::{self, Mark, Watermark},
};
use crate::{error::OpenError, limits};

/// What the committer starts from.
pub(super) struct Opened {
    pub(super) shared: Arc<Shared>,
    pub(super) state: State,
    pub(super) watermark: Watermark,
    pub(super) blobs: Blobs,
    /// Our own descriptor of sled's file, for syncing.
    pub(super) log: File,
    pub(super) log_path: PathBuf,
    pub(super) options: SledOptions,
}

/// The files of a store.
pub(super) struct Files {
    directory: PathBuf,
    pub(super) sled: PathBuf,
    log: PathBuf,
    blobs: PathBuf,
    watermark: PathBuf,
}

impl Files {
    fn of(directory: PathBuf) -> Self {
        let sled = directory.join("sled");
        let (log, blobs) = (sled.join("db"), sled.join("blobs"));
        Self { watermark: directory.join("watermark"), directory, sled, log, blobs }
    }

    fn refused(&self, refusal: Refusal, acknowledged: u64) -> OpenError {
        let path = self.directory.clone();
        match refusal {
            Refusal::Older(found) => {
                let (oldest, supported) = (limits::OLDEST_FORMAT, limits::FORMAT);
                OpenError::OlderFormat { path, found, oldest, supported }
            }
            Refusal::Newer(found) => OpenError::NewerFormat { path, found, supported: limits::FORMAT },
            Refusal::Behind(found) => self.behind(found, acknowledged),
            Refusal::Locked => OpenError::Locked { path: self.log.clone(), holder: String::new() },
            Refusal::NoSpace => OpenError::NoSpace { path },
            Refusal::Damaged(detail) => self.damaged(detail),
        }
    }

    fn behind(&self, found: u64, watermark: u64) -> OpenError {
        OpenError::Behind { path: self.directory.clone(), found, watermark }
    }

    fn damaged(&self, detail: String) -> OpenError {
        OpenError::Damaged { path: self.directory.clone(), detail }
    }
}

/// Opens or creates the store of a directory.
pub(super) fn open(mut options: SledOptions) -> Result<Opened, OpenError> {
    options.directory = make_directory(&options)?;
    let files = Files::of(options.directory.clone());
    let lock = Lock::take(&files.directory.join("lock"))?;
    let acknowledged = acknowledged(&files)?;
    check_room(&files, &*options.disk)?;
    sync_left_over(&files, &*options.disk).map_err(io_error("sync", &files.sled))?;

    let (recovered, lock) = recover(&files.sled, &options, acknowledged, lock)
        .map_err(|refusal| files.refused(refusal, acknowledged))?;
    let Recovered { db, state } = recovered;
    let state = match state {
        Some(state) => state,
        None => create(&db).map_err(|error| files.refused(refusal(&error.to_string()), acknowledged))?,
    };
    finish(&files, options, db, state, lock)
}

/// Refuses to open on a full disk before sled is touched: a recovery that runs out of space leaves a torn snapshot
/// behind, and sled then refuses its own intact log.
fn check_room(files: &Files, disk: &dyn Disk) -> Result<(), OpenError> {
    let snapshots = fs::read_dir(&files.sled).into_iter().flatten().flatten();
    let snapshots = snapshots.filter(|entry| entry.file_name().to_string_lossy().starts_with("snap."));
    let snapshot_bytes: u64 =
        snapshots.filter_map(|entry| entry.metadata().ok()).map(|file| file.len()).sum();
    let free = disk.free_bytes(&files.directory).map_err(io_error("measure", &files.directory))?;
    if free < limits::OPEN_FREE_BYTES.saturating_add(snapshot_bytes.saturating_mul(2)) {
        return Err(OpenError::NoSpace { path: files.directory.clone() });
    }
    Ok(())
}

/// The last commit that is known to have been acknowledged.
fn acknowledged(files: &Files) -> Result<u64, OpenError> {
    let log_bytes = fs::metadata(&files.log).map_or(0, |log| log.len());
    match watermark::read(&files.watermark).map_err(io_error("read", &files.watermark))? {
        Mark::At(commit) if log_bytes == 0 => Err(files.behind(0, commit)),
        Mark::At(commit) => Ok(commit),
        // Without a log the creation was cut short: there was nothing to acknowledge.
        Mark::Unreadable if log_bytes == 0 => Ok(0),
        Mark::Unreadable => Err(files.damaged("its watermark file is unreadable".to_owned())),
        Mark::Missing => {
            if log_bytes > 0 {
                tracing::warn!(directory = %files.directory.display(), "no watermark file: it is made anew");
            }
            Ok(0)
        }
    }
}

/// Creates the directory, and makes the names of all that were created durable.
fn make_directory(options: &SledOptions) -> Result<PathBuf, OpenError> {
    let wanted = std::path::absolute(&options.directory).map_err(io_error("find", &options.directory))?;
    let missing: Vec<_> = wanted.ancestors().skip(1).take_while(|path| !path.exists()).collect();
    fs::create_dir_all(&wanted).map_err(io_error("create", &wanted))?;
    // The parent always: an earlier creation may have been cut short before its sync.
    for path in missing.into_iter().rev().chain([&*wanted]) {
        let parent = path.parent().unwrap_or(path);
        options.disk.sync_directory(parent).map_err(io_error("sync", parent))?;
    }
    Ok(wanted)
}

/// Makes durable what a killed process wrote without syncing it: sled's recovery reads it and stores a synced
/// snapshot that counts on it.
fn sync_left_over(files: &Files, disk: &dyn Disk) -> io::Result<()> {
    if !files.log.exists() {
        return Ok(());
    }
    if files.blobs.exists() {
        Blobs::new(files.blobs.clone()).sync(disk)?;
    }
    disk.sync_data(&File::open(&files.log)?, &files.log)
}

/// Writes the first records of a new store.
fn create(db: &Db) -> sled::Result<State> {
    let state = State { commit: 1, digest: 0 };
    let mut first = sled::Batch::default();
    for (key, record) in [meta::format_record(limits::FORMAT), state.record()] {
        first.insert(key, record);
    }
    db.apply_batch(first)?;
    db.flush()?;
    Ok(state)
}

/// Makes what recovery or creation wrote durable, files before names, and only then the watermark.
fn finish(
    files: &Files,
    options: SledOptions,
    db: Db,
    state: State,
    lock: Lock,
) -> Result<Opened, OpenError> {
    let disk = Arc::clone(&options.disk);
    let opened = |path: &Path| File::open(path).map_err(io_error("open", path));
    let log = opened(&files.log)?;
    let configuration = files.sled.join("conf");
    for (file, path) in [(&log, &files.log), (&opened(&configuration)?, &configuration)] {
        disk.sync_data(file, path).map_err(io_error("sync", path))?;
    }
    let mut watermark = Watermark::open(&files.watermark).map_err(io_error("open", &files.watermark))?;
    for directory in [&files.sled, &files.directory] {
        disk.sync_directory(directory).map_err(io_error("sync", directory))?;
    }
    watermark.set(state.commit, &*disk).map_err(io_error("write", &files.watermark))?;

    let shared = Arc::new(Shared::new(files.directory.clone(), db, lock, state.commit));
    let blobs = Blobs::new(files.blobs.clone());
    Ok(Opened { shared, state, watermark, blobs, log, log_path: files.log.clone(), options })
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    move |source| OpenError::Io { action, path: path.to_owned(), source }
}

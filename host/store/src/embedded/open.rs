//! The steps of opening a store that all engines share: directory, lock, watermark, free space, log, creation.
//!
//! It must never start with less than what was acknowledged.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Broken, Disk,
    creation::Creation,
    disk::TimedDisk,
    engine::Engine,
    lock::Lock,
    meta::{self, State},
    pace::Pace,
    recover::{Checks, Recovered, Refusal, recover},
    room::Room,
    scrub,
    shared::Shared,
    wal::Wal,
    watermark::{self, Mark, Watermark},
};
use crate::{
    error::OpenError,
    limits,
    location::{OpenOptions, VerifyOnOpen},
    stats::Scrub,
};

/// What the committer starts from.
pub(crate) struct Opened<E> {
    pub(super) shared: Arc<Shared<E>>,
    pub(super) state: State,
    pub(super) wal: Wal,
    pub(super) watermark: Watermark,
    pub(super) room: Room,
    pub(super) pace: Pace,
}

/// The files of a store, absolute.
pub(crate) struct Place {
    /// What messages name: the directory or the file of the user.
    pub(crate) shown: PathBuf,
    /// The directory that holds lock, log and watermark; its volume is the one that can be full.
    pub(crate) directory: PathBuf,
    /// The engine's main file: without it there was nothing to acknowledge.
    pub(crate) data: PathBuf,
    pub(crate) lock: PathBuf,
    pub(crate) watermark: PathBuf,
    pub(crate) wal: PathBuf,
    pub(crate) creation: Creation,
}

/// A place that is locked by this handle, before the engine is opened.
pub(crate) struct Locked {
    pub(crate) place: Place,
    pub(crate) disk: Arc<TimedDisk>,
    options: OpenOptions,
    lock: Lock,
    acknowledged: u64,
}

impl Place {
    /// Makes the directory, takes the lock, and checks the watermark and the free space. `writes_bytes` is what the
    /// engine's recovery may write.
    pub(crate) fn take(
        self,
        options: OpenOptions,
        writes_bytes: impl FnOnce() -> u64,
    ) -> Result<Locked, OpenError> {
        let disk = Arc::new(TimedDisk::new(Arc::clone(&options.disk)));
        self.make_directory(&*disk)?;
        let lock = Lock::take(&self.lock)?;
        self.creation.clear([&self.watermark, &self.wal], &*disk)?;
        let acknowledged = self.acknowledged()?;
        // A recovery that runs out of space may leave a half-written file behind and refuse its own intact data.
        let free = disk.free_bytes(&self.directory).map_err(io_error("measure", &self.directory))?;
        // What the log has goes into the engine.
        let log_bytes = fs::metadata(&self.wal).map_or(0, |log| log.len());
        let writes_bytes = writes_bytes().saturating_add(log_bytes.saturating_mul(2));
        if free < limits::OPEN_FREE_BYTES.saturating_add(writes_bytes) {
            return Err(OpenError::NoSpace { path: self.shown });
        }
        if !self.data.exists() && !self.watermark.exists() {
            self.creation.begin(&*disk)?;
        }
        Ok(Locked { place: self, disk, options, lock, acknowledged })
    }

    /// Creates the directory, and makes the names of all that were created durable.
    fn make_directory(&self, disk: &dyn Disk) -> Result<(), OpenError> {
        let wanted = &self.directory;
        let missing: Vec<_> = wanted.ancestors().skip(1).take_while(|path| !path.exists()).collect();
        fs::create_dir_all(wanted).map_err(io_error("create", wanted))?;
        // The parent always: an earlier creation may have been cut short before its sync.
        for path in missing.into_iter().rev().chain([&**wanted]) {
            let parent = path.parent().unwrap_or(path);
            disk.sync_directory(parent).map_err(io_error("sync", parent))?;
        }
        Ok(())
    }

    /// The last commit that is known to have been acknowledged.
    fn acknowledged(&self) -> Result<u64, OpenError> {
        let data_bytes = fs::metadata(&self.data).map_or(0, |data| data.len());
        match watermark::read(&self.watermark).map_err(io_error("read", &self.watermark))? {
            Mark::At(commit) if data_bytes == 0 => Err(self.refused(Refusal::Behind(0), commit)),
            Mark::At(commit) => Ok(commit),
            // Without data the creation was cut short: there was nothing to acknowledge.
            Mark::Unreadable if data_bytes == 0 => Ok(0),
            Mark::Unreadable => {
                Err(self.refused(Refusal::Damaged("its watermark file is unreadable".to_owned()), 0))
            }
            Mark::Missing => {
                if data_bytes > 0 {
                    tracing::warn!(place = %self.shown.display(), "no watermark file: it is made anew");
                }
                Ok(0)
            }
        }
    }

    /// Opens the log of a store that has one.
    fn open_wal(&self, disk: &Arc<TimedDisk>, lag: u64) -> Result<Option<Wal>, OpenError> {
        match Wal::open(&self.wal, disk, lag) {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                let detail = format!("its write-ahead log {}: {error}", self.wal.display());
                Err(self.refused(Refusal::Damaged(detail), 0))
            }
            opened => opened.map_err(io_error("open", &self.wal)),
        }
    }

    fn refused(&self, refusal: Refusal, watermark: u64) -> OpenError {
        let path = self.shown.clone();
        let supported = limits::FORMAT;
        match refusal {
            Refusal::Older(found) => {
                OpenError::OlderFormat { path, found, oldest: limits::OLDEST_FORMAT, supported }
            }
            Refusal::Newer(found) => OpenError::NewerFormat { path, found, supported },
            Refusal::Behind(found) => OpenError::Behind { path, found, watermark },
            Refusal::Locked => OpenError::Locked { path: self.data.clone(), holder: String::new() },
            Refusal::NoSpace => OpenError::NoSpace { path },
            Refusal::Damaged(detail) => OpenError::Damaged { path, detail },
        }
    }
}

impl Locked {
    /// Opens the engine, under a time limit and with its panics caught, and checks what it holds; writes the first
    /// records of a new store. `settle` makes durable what recovery or creation wrote beside the data.
    ///
    /// `file_bytes` is the size of the store, which decides whether it is checked now or in the background.
    pub(crate) fn open<E: Engine>(
        self,
        file_bytes: u64,
        open: impl FnOnce() -> Result<E, Refusal> + Send + 'static,
        settle: impl FnOnce(&dyn Disk) -> Result<(), OpenError>,
    ) -> Result<Opened<E>, OpenError> {
        let Self { place, disk, options, lock, acknowledged } = self;
        let small = file_bytes < limits::VERIFY_BYTES;
        let verify = match options.verify {
            VerifyOnOpen::Always => true,
            VerifyOnOpen::WhenSmall => small,
            VerifyOnOpen::Never => false,
        };
        let checks = Checks { acknowledged, verify, limit: options.open_limit };
        let refused = |refusal| place.refused(refusal, acknowledged);
        let wal = place.open_wal(&disk, E::LAG_BYTES)?;
        let (recovered, lock) = recover(&place.shown, checks, (lock, wal), open).map_err(refused)?;
        let Recovered { engine, wal, state, verified } = recovered;
        let new = state.is_none();
        let wal = match wal {
            Some(wal) => wal,
            None => Wal::create(&place.wal, &disk, E::LAG_BYTES).map_err(io_error("create", &place.wal))?,
        };
        // The log's name is durable before a format that counts on it.
        disk.sync_directory(&place.directory).map_err(io_error("sync", &place.directory))?;
        let state = begin(&engine, state).map_err(|broken| refused(broken.into()))?;
        settle(&*disk)?;
        let mut watermark = Watermark::open(&place.watermark).map_err(io_error("open", &place.watermark))?;
        // The names of all files, the watermark's included.
        disk.sync_directory(&place.directory).map_err(io_error("sync", &place.directory))?;
        watermark.set(state.commit, &*disk).map_err(io_error("write", &place.watermark))?;
        place.creation.end(&*disk)?;

        let shared = Arc::new(Shared::new(place.shown.clone(), engine, lock, state));
        if let Some(verified) = verified {
            shared.scrubs.set_first(Scrub::Done(verified));
        } else if options.verify == VerifyOnOpen::WhenSmall && !new {
            scrub::spawn(Arc::clone(&shared)).map_err(io_error("start a thread for", &place.shown))?;
        }
        let room = Room::new(Arc::clone(&disk), place.directory, options.reserve_bytes);
        Ok(Opened { shared, state, wal, watermark, room, pace: Pace::new(disk) })
    }
}

/// Writes the first records of a new store, or the format of an older one; returns its state.
fn begin<E: Engine>(engine: &E, found: Option<(u32, State)>) -> Result<State, Broken> {
    let (writes, state) = match found {
        Some((limits::FORMAT, state)) => return Ok(state),
        Some((_, state)) => (vec![meta::format_write(limits::FORMAT)], state),
        None => meta::first_writes(limits::FORMAT),
    };
    engine.apply(&writes)?;
    engine.sync()?;
    Ok(state)
}

/// Makes the content of a file that may be there durable: a killed process wrote it without a sync, and a recovery
/// counts on what it reads.
pub(crate) fn sync_left_over(path: &Path, disk: &dyn Disk) -> Result<(), OpenError> {
    match File::open(path) {
        Ok(file) => disk.sync_data(&file, path).map_err(io_error("sync", path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io_error("open", path)(error)),
    }
}

pub(crate) fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    move |source| OpenError::Io { action, path: path.to_owned(), source }
}

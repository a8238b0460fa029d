//! sled 0.34.7 as an [`Engine`]: one tree, flushed and then synced by ourselves.
//!
//! sled's `flush` does not call fsync on Linux, so [`Engine::sync`] ends with an fdatasync of sled's file on our own
//! descriptor. It must never use `flush_async` (known deadlock), a second tree (batches over several trees tear), or
//! sled's own flusher thread.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, TryLockError},
};

use sled::Db;

use super::blobs::Blobs;
use crate::{
    embedded::{Broken, Compaction, Disk, Engine, ReadError, TimedDisk, View, Visit, Write},
    envelope::HEADER_BYTES,
    limits,
};

/// The open tree.
pub struct SledEngine {
    db: Db,
    /// Readers share it, the application of a group excludes them: a page of a scan is one consistent state.
    gate: RwLock<()>,
    blobs: Mutex<Blobs>,
    /// Our own descriptor of sled's file, for syncing.
    log: File,
    log_path: PathBuf,
    directory: PathBuf,
    disk: Arc<TimedDisk>,
}

impl SledEngine {
    /// Takes over a tree that lies in a directory.
    pub(super) fn new(db: Db, directory: &Path, disk: Arc<TimedDisk>) -> io::Result<Self> {
        let log_path = directory.join("db");
        let log = File::open(&log_path)?;
        let blobs = Mutex::new(Blobs::open(&directory.join("blobs"))?);
        let directory = directory.to_owned();
        Ok(Self { db, gate: RwLock::new(()), blobs, log, log_path, directory, disk })
    }
}

/// The tree, while no group is being applied.
pub struct SledView<'a> {
    db: &'a Db,
    _gate: RwLockReadGuard<'a, ()>,
}

impl Engine for SledEngine {
    const NAME: &'static str = "sled 0.34.7";
    const APPLY_BYTES: u64 = limits::SLED_APPLY_BYTES;
    const LAG_BYTES: u64 = limits::SLED_LAG_BYTES;
    /// Only what changes is appended to the log.
    const BYTES_PER_KEY: u64 = 64;
    type View<'a> = SledView<'a>;

    fn view(&self) -> Result<SledView<'_>, Broken> {
        let gate = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        Ok(SledView { db: &self.db, _gate: gate })
    }

    fn try_view(&self) -> Result<Option<SledView<'_>>, Broken> {
        let gate = match self.gate.try_read() {
            Ok(gate) => gate,
            Err(TryLockError::Poisoned(gate)) => gate.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(None),
        };
        Ok(Some(SledView { db: &self.db, _gate: gate }))
    }

    fn apply(&self, writes: &[Write]) -> Result<(), Broken> {
        let mut batch = sled::Batch::default();
        for write in writes {
            match write.record() {
                Some(record) => batch.insert(write.key(), record),
                None => batch.remove(write.key()),
            }
        }
        let _gate = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        Ok(self.db.apply_batch(batch)?)
    }

    fn sync(&self) -> Result<(), Broken> {
        self.db.flush()?;
        let mut blobs = self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
        blobs.sync(&*self.disk).map_err(|error| broken("sled's blob files cannot be synced", &error))?;
        let synced = self.disk.sync_data(&self.log, &self.log_path);
        synced.map_err(|error| broken("sled's file cannot be synced", &error))
    }

    fn compact(&mut self) -> Result<Compaction, Broken> {
        Ok(Compaction::Unsupported(
            "sled never gives space back to the file system, it uses it again for new records: to shrink the store, \
             export it and import that into an empty directory",
        ))
    }

    fn file_bytes(&self) -> io::Result<u64> {
        file_bytes(&self.directory)
    }
}

/// Bytes of the files in sled's folder.
pub(super) fn file_bytes(directory: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for folder in [directory, &directory.join("blobs")] {
        for entry in fs::read_dir(folder)? {
            match entry?.metadata() {
                Ok(file) if file.is_file() => bytes += file.len(),
                Ok(_) => {}
                // sled has just dropped it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(bytes)
}

impl View for SledView<'_> {
    const PAYLOAD_BYTES: usize = limits::SLED_RECORD_BYTES - HEADER_BYTES;

    fn get<T>(&self, key: &[u8], read: impl FnOnce(&[u8]) -> T) -> Result<Option<T>, Broken> {
        Ok(self.db.get(key)?.map(|raw| read(&raw)))
    }

    fn scan(&self, start: &[u8], end: &[u8], reverse: bool, visit: &mut Visit<'_>) -> Result<(), ReadError> {
        let mut found = self.db.range(start..end);
        while let Some(pair) = if reverse { found.next_back() } else { found.next() } {
            let (key, raw) = pair.map_err(Broken::from)?;
            if !visit(&key, &raw)? {
                break;
            }
        }
        Ok(())
    }
}

impl From<sled::Error> for Broken {
    fn from(error: sled::Error) -> Self {
        Self(format!("sled failed: {error}"))
    }
}

fn broken(what: &str, error: &io::Error) -> Broken {
    Broken(format!("{what}: {error}"))
}

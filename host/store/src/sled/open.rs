//! Opening a sled store: what sled needs beside the steps that all engines share.
//!
//! It must never let sled touch files on a full disk, nor trust names that a power cut could still take back.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use sled::Db;

use super::{
    SledOptions,
    blobs::Blobs,
    engine::{SledEngine, file_bytes},
};
use crate::{
    embedded::{Creation, Disk, Opened, Place, Refusal, io_error, sync_left_over},
    error::OpenError,
    limits,
};

/// Opens or creates the store of a directory.
pub(super) fn open(options: SledOptions) -> Result<Opened<SledEngine>, OpenError> {
    let (directory, options) = options.split();
    let directory = std::path::absolute(&directory).map_err(io_error("find", &directory))?;
    let sled = directory.join("sled");
    let place = Place {
        shown: directory.clone(),
        data: sled.join("db"),
        lock: directory.join("lock"),
        watermark: directory.join("watermark"),
        wal: directory.join("wal"),
        creation: Creation::new(directory.join("creating"), sled.clone()),
        directory,
    };
    let config = sled::Config::new().path(&sled).cache_capacity(options.cache_bytes).flush_every_ms(None);
    // sled reads its last snapshot and writes a new one.
    let locked = place.take(options, || snapshot_bytes(&sled).saturating_mul(2))?;
    let blobs = sled.join("blobs");
    if blobs.exists() {
        let mut blobs = Blobs::open(&blobs).map_err(io_error("open", &blobs))?;
        blobs.sync(&*locked.disk).map_err(io_error("sync", &sled))?;
    }
    remove_unfinished_snapshots(&sled, &*locked.disk)?;
    // sled writes its configuration before its first record, and makes an unknown log an empty one.
    let foreign =
        fs::metadata(&locked.place.data).is_ok_and(|log| log.len() > 0) && !sled.join("conf").exists();
    if foreign {
        let detail =
            "there is a file `sled/db` that sled did not write, or `sled/conf` is missing".to_owned();
        return Err(OpenError::Damaged { path: locked.place.shown, detail });
    }
    sync_left_over(&locked.place.data, &*locked.disk)?;

    let (folder, disk) = (sled.clone(), Arc::clone(&locked.disk));
    let engine = move || {
        let db = open_tree(&config)?;
        SledEngine::new(db, &folder, disk).map_err(|error| Refusal::damaged(error.to_string()))
    };
    locked.open(file_bytes(&sled).unwrap_or_default(), engine, |disk| settle(&sled, disk))
}

/// Removes snapshots whose writing was cut short. sled would take one for its newest and refuse its own intact log;
/// without any it reads the log from the snapshot before.
fn remove_unfinished_snapshots(sled: &Path, disk: &dyn Disk) -> Result<(), OpenError> {
    let entries = fs::read_dir(sled).into_iter().flatten().flatten();
    let unfinished = entries.filter(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("snap.") && name.ends_with(".generating")
    });
    let mut removed = false;
    for path in unfinished.map(|entry| entry.path()) {
        fs::remove_file(&path).map_err(io_error("remove", &path))?;
        removed = true;
    }
    if removed {
        disk.sync_directory(sled).map_err(io_error("sync", sled))?;
    }
    Ok(())
}

fn snapshot_bytes(sled: &Path) -> u64 {
    let entries = fs::read_dir(sled).into_iter().flatten().flatten();
    let snapshots = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("snap."));
    snapshots.filter_map(|entry| entry.metadata().ok()).map(|file| file.len()).sum()
}

/// Opens sled. Its own lock may still be held for a moment by a handle of this process that has just been
/// closed: our lock is already ours, so only a foreign program can hold sled's for long.
fn open_tree(config: &sled::Config) -> Result<Db, Refusal> {
    let started = Instant::now();
    loop {
        match config.open() {
            Ok(db) => return Ok(db),
            Err(sled::Error::Io(error)) if error.to_string().contains("could not acquire lock") => {
                if started.elapsed() > limits::HANDOVER_LIMIT {
                    return Err(Refusal::Locked);
                }
                thread::sleep(Duration::from_millis(5));
            }
            Err(error) => return Err(Refusal::damaged(format!("sled says: {error}"))),
        }
    }
}

/// Makes what sled's recovery or creation wrote durable, files before names.
fn settle(sled: &Path, disk: &dyn Disk) -> Result<(), OpenError> {
    let files: [PathBuf; 2] = [sled.join("db"), sled.join("conf")];
    for path in &files {
        let file = File::open(path).map_err(io_error("open", path))?;
        disk.sync_data(&file, path).map_err(io_error("sync", path))?;
    }
    disk.sync_directory(sled).map_err(io_error("sync", sled))
}

//! The write-ahead log: a group of commits is durable here before the engine is given it.
//!
//! One file, written from its beginning again each time the engine has synced all that it was given. So a commit waits
//! for one append and one fdatasync, and the engine syncs once for many groups. A start gives the engine what it had
//! not synced. It must never be begun again before that sync, and nobody may see a commit before it is here.

mod frame;
mod replay;

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Disk, TimedDisk, engine::Write};
use frame::{Header, Salt};

/// The log of an open store.
pub(super) struct Wal {
    file: File,
    path: PathBuf,
    disk: Arc<TimedDisk>,
    salt: Salt,
    /// Where the next frame goes.
    end: u64,
    /// Length of the file now, and without what a large group has added.
    length: u64,
    usual_length: u64,
    /// The frame being made: kept, because allocating one for each group costs more than filling it.
    frame: Vec<u8>,
}

/// Bytes of a frame under construction up to which its memory is kept.
const KEPT_BYTES: usize = 1 << 20;

/// Bytes written at a time when a log is made: a page of the file, because the kernel may keep what was written at once
/// together and count all of it as written again whenever a part is.
const FILL_BYTES: usize = 4096;

impl Wal {
    /// Opens the log of a store; `None` if it has none. Its content is made durable: a killed process has
    /// written it without a sync, and a replay counts on what it reads.
    pub(super) fn open(path: &Path, disk: &Arc<TimedDisk>, lag: u64) -> io::Result<Option<Self>> {
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        disk.sync_data(&file, path)?;
        let salt = Header::read(&file)?;
        Self::over(file, path, disk, salt, lag).map(Some)
    }

    /// Makes the log of a store that has none; the caller syncs its directory. `lag` is how many bytes it should hold before the engine
    /// syncs.
    pub(super) fn create(path: &Path, disk: &Arc<TimedDisk>, lag: u64) -> io::Result<Self> {
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(".new");
        let unfinished = PathBuf::from(unfinished);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&unfinished)?;
        let salt = Salt::random();
        file.write_all_at(&Header::encode(salt), 0)?;
        fill(&file, frame::FIRST, usual_length(lag))?;
        disk.sync_data(&file, &unfinished)?;
        fs::rename(&unfinished, path)?;
        Self::over(file, path, disk, salt, lag)
    }

    fn over(file: File, path: &Path, disk: &Arc<TimedDisk>, salt: Salt, lag: u64) -> io::Result<Self> {
        let length = file.metadata()?.len();
        let (path, disk) = (path.to_owned(), Arc::clone(disk));
        let usual_length = usual_length(lag);
        Ok(Self { file, path, disk, salt, end: frame::FIRST, length, usual_length, frame: Vec::new() })
    }

    /// Bytes of frames that the engine may not have synced yet.
    pub(super) fn bytes(&self) -> u64 {
        self.end - frame::FIRST
    }

    /// Appends the writes that lead from one commit to another and makes them durable.
    pub(super) fn append(&mut self, before: u64, after: u64, writes: &[Write]) -> io::Result<()> {
        self.frame.clear();
        self.frame.shrink_to(KEPT_BYTES);
        frame::encode(&mut self.frame, self.salt, before, after, writes);
        self.file.write_all_at(&self.frame, self.end)?;
        self.disk.sync_data(&self.file, &self.path)?;
        self.end += self.frame.len() as u64;
        self.length = self.length.max(self.end);
        Ok(())
    }

    /// Begins from the first byte again: the engine has synced everything that is here.
    pub(super) fn restart(&mut self) -> io::Result<()> {
        self.end = frame::FIRST;
        if self.length > 2 * self.usual_length {
            self.file.set_len(self.usual_length)?;
            self.length = self.usual_length;
        }
        Ok(())
    }
}

/// Room for what comes between two syncs of the engine, and for the group that is over it. Written beforehand:
/// overwriting takes no new blocks, so a full disk cannot stop it, and its sync has nothing but the data to write.
fn usual_length(lag: u64) -> u64 {
    frame::FIRST + 2 * lag
}

fn fill(file: &File, from: u64, to: u64) -> io::Result<()> {
    let (zeros, mut at) = (vec![0; FILL_BYTES], from);
    while at < to {
        let piece = usize::try_from(to - at).unwrap_or(usize::MAX).min(zeros.len());
        file.write_all_at(&zeros[..piece], at)?;
        at += piece as u64;
    }
    Ok(())
}

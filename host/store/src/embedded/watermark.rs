//! The watermark: a small file beside the engine's that remembers a commit known to be durable.
//!
//! An engine can come up empty or rolled back without a word; a store that is behind its watermark is refused. Two
//! slots are written in turn, so that a torn write leaves the other one. It must never be ahead of what was
//! made durable before it.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::Disk;

/// Distance of the two slots in bytes: each in a page of its own.
const SLOT_BYTES: u64 = 4096;

/// Both slots.
const FILE_BYTES: u64 = 2 * SLOT_BYTES;

const MAGIC: &[u8; 8] = b"stepmark";

/// Bytes of a slot: magic, commit (u64, big-endian), crc32c of both.
const RECORD_BYTES: usize = 20;

/// What a watermark file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// There is no file, or one in which nothing was ever recorded.
    Missing,
    /// There is a file, but neither slot is readable.
    Unreadable,
    /// This commit was durable.
    At(u64),
}

/// The watermark of an open store.
#[derive(Debug)]
pub(super) struct Watermark {
    file: File,
    path: PathBuf,
    /// The slot to be written next.
    slot: u64,
}

impl Watermark {
    /// Opens or creates the file for writing, with room for both slots: a disk that fills up later cannot keep a
    /// commit from being recorded.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(path)?;
        let length = file.metadata()?.len();
        let missing = usize::try_from(FILE_BYTES.saturating_sub(length)).unwrap_or_default();
        file.write_all_at(&vec![0; missing], length)?;
        let newest = newest_slot(&file)?.map_or(1, |(slot, _)| slot);
        Ok(Self { file, path: path.to_owned(), slot: 1 - newest })
    }

    /// Records a commit and makes the record durable.
    pub(super) fn set(&mut self, commit: u64, disk: &dyn Disk) -> io::Result<()> {
        self.file.write_all_at(&encode(commit), self.slot * SLOT_BYTES)?;
        disk.sync_data(&self.file, &self.path)?;
        self.slot = 1 - self.slot;
        Ok(())
    }
}

/// Reads a watermark without changing it.
pub(super) fn read(path: &Path) -> io::Result<Mark> {
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Mark::Missing),
        Err(error) => Err(error),
        Ok(file) => match newest_slot(&file)? {
            Some((_, commit)) => Ok(Mark::At(commit)),
            // A process that ended between making the file and recording the first commit leaves it blank.
            None if file_is_blank(&file)? => Ok(Mark::Missing),
            None => Ok(Mark::Unreadable),
        },
    }
}

fn file_is_blank(file: &File) -> io::Result<bool> {
    let mut bytes = vec![0; usize::try_from(FILE_BYTES).unwrap_or_default()];
    let read = file.read_at(&mut bytes, 0)?;
    Ok(bytes[..read].iter().all(|byte| *byte == 0))
}

fn newest_slot(file: &File) -> io::Result<Option<(u64, u64)>> {
    let mut newest = None;
    for slot in [0, 1] {
        let mut record = [0; RECORD_BYTES];
        match file.read_exact_at(&mut record, slot * SLOT_BYTES) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => continue,
            other => other?,
        }
        if let Some(commit) = decode(&record) {
            newest = newest.max(Some((commit, slot)));
        }
    }
    Ok(newest.map(|(commit, slot)| (slot, commit)))
}

fn encode(commit: u64) -> [u8; RECORD_BYTES] {
    let mut record = [0; RECORD_BYTES];
    record[..8].copy_from_slice(MAGIC);
    record[8..16].copy_from_slice(&commit.to_be_bytes());
    let sum = crc32c::crc32c(&record[..16]);
    record[16..].copy_from_slice(&sum.to_be_bytes());
    record
}

fn decode(record: &[u8; RECORD_BYTES]) -> Option<u64> {
    let commit = record[8..16].iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    (encode(commit) == *record).then_some(commit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RealDisk;
    use std::fs;

    #[test]
    fn the_newer_readable_slot_counts() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("watermark");
        assert_eq!(read(&path).unwrap(), Mark::Missing);

        let mut watermark = Watermark::open(&path).unwrap();
        assert_eq!(read(&path).unwrap(), Mark::Missing);
        assert_eq!(fs::metadata(&path).unwrap().len(), FILE_BYTES);
        for commit in [3, 9, 12] {
            watermark.set(commit, &RealDisk).unwrap();
            assert_eq!(read(&path).unwrap(), Mark::At(commit));
        }

        // Slot 0 holds 12, slot 1 holds 9. The next write goes to slot 1; torn, it leaves 12.
        let mut watermark = Watermark::open(&path).unwrap();
        watermark.set(20, &RealDisk).unwrap();
        watermark.file.write_all_at(b"torn", SLOT_BYTES + 10).unwrap();
        assert_eq!(read(&path).unwrap(), Mark::At(12));
        watermark.file.write_all_at(b"torn", 10).unwrap();
        assert_eq!(read(&path).unwrap(), Mark::Unreadable);
    }
}

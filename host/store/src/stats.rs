//! What a store says about itself: size, counters, a full check of every record, and giving space back.
//!
//! Plain data and thin functions over [`Backend`]; the work is done by each backend. It must never change data,
//! except for [`compact`], which only moves it.

use std::path::PathBuf;

use crate::{
    backend::{Backend, KeyRange},
    batch::Space,
    error::StoreError,
    limits,
};

/// What a backend knows about itself without reading its records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Name and version of the engine, like `sled 0.34.7`.
    pub engine: String,
    /// The directory or file; none for a store in memory.
    pub place: Option<PathBuf>,
    /// Bytes that its files take on disk.
    pub file_bytes: u64,
    /// The number of the last durable commit.
    pub last_commit: u64,
    /// Batches acknowledged since it was opened.
    pub commits: u64,
    /// Durable flushes since it was opened; fewer than the commits by as much as these were merged.
    pub flushes: u64,
    /// How far the check of all records has come that runs at or after the opening.
    pub scrub: Scrub,
}

/// The check of all records that an embedded backend makes at its opening or in the background after it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Scrub {
    /// There is none: it was not asked for, or the backend has nothing to check.
    #[default]
    Off,
    /// It has read so many records.
    Running(u64),
    /// It has read everything.
    Done(Verified),
}

/// The outcome of reading every record of a store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// The last commit when the check ended.
    pub commit: u64,
    /// Records read, chunks of long values included.
    pub records: u64,
    /// Bytes of their keys and contents.
    pub bytes: u64,
    /// Records whose checksum or form is wrong.
    pub damaged: u64,
    /// The first damaged records: key in hexadecimal digits (space first) and what is wrong.
    pub examples: Vec<String>,
    /// Whether the readable records are exactly those of the last commit; false also if one is damaged.
    pub complete: bool,
}

impl Verified {
    /// Whether every record is there and undamaged.
    pub fn is_intact(&self) -> bool {
        self.damaged == 0 && self.complete
    }
}

/// What one space of a store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpaceUsage {
    /// The space.
    pub space: Space,
    /// Number of keys.
    pub records: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
}

/// What compaction did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compacted {
    /// The files took so many bytes before and take so many now.
    Done {
        /// Bytes on disk before.
        before_bytes: u64,
        /// Bytes on disk now.
        after_bytes: u64,
    },
    /// The engine cannot; the text says what to do instead.
    Unsupported(&'static str),
}

/// Reads every record of an open store, commits going on meanwhile, and compares all of them with the digest of
/// the last commit. Damage is an outcome, not an error.
///
/// Errors: `Poisoned` and `Closed`.
pub async fn verify(backend: &dyn Backend) -> Result<Verified, StoreError> {
    backend.verify().await
}

/// Size and counters of an open store. Cheap.
///
/// Errors: `Poisoned` and `Closed`.
pub async fn stats(backend: &dyn Backend) -> Result<Stats, StoreError> {
    backend.stats().await
}

/// Gives free space inside the files back to the file system, if the engine can. Commits and reads wait meanwhile.
///
/// Errors: `Full` if there is too little space to move things; `Poisoned` and `Closed`.
pub async fn compact(backend: &dyn Backend) -> Result<Compacted, StoreError> {
    backend.compact().await
}

/// Counts keys and bytes of every space that callers may read, in the order of spaces; those without keys are left
/// out. Reads everything.
///
/// Errors: those of [`Backend::scan`].
pub async fn usage(backend: &dyn Backend) -> Result<Vec<SpaceUsage>, StoreError> {
    let mut spaces = Vec::new();
    for space in Space::readable() {
        let mut usage = SpaceUsage { space, records: 0, bytes: 0 };
        let mut next = Some(KeyRange::all());
        while let Some(range) = next {
            let page = backend.scan(space, range, false, limits::PAGE_ITEMS).await?;
            usage.records += page.items.len() as u64;
            usage.bytes +=
                page.items.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum::<u64>();
            next = page.next;
        }
        if usage.records > 0 {
            spaces.push(usage);
        }
    }
    Ok(spaces)
}

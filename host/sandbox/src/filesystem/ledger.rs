//! The account of one scratch directory: what its files and names cost, kept so that it never says less than is there.
//!
//! A file costs its length (holes count) and its name a fixed sum. Bytes are charged before they are written, and what
//! a write did not use is given back when it has ended. An unlinked file is charged until nobody has it open. Only
//! files that are open have an account of their own, so a guest cannot make this table long; a file that nobody has
//! open has exactly the length that the system tells.

use super::FilesExceeded;
use crate::limits;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// What tells files of the host apart: device and inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileId {
    pub(super) device: u64,
    pub(super) inode: u64,
}

/// A file as the system sees it at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileState {
    pub(super) id: FileId,
    pub(super) length_bytes: u64,
}

impl FileState {
    /// Asks the system about an open file. It does not wait for a disk: what is asked for is in memory while a file is open.
    pub(super) fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let id = FileId { device: metadata.dev(), inode: metadata.ino() };
        Ok(Self { id, length_bytes: metadata.len() })
    }
}

/// How a write may make a file longer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Growth {
    /// To this length, if it is shorter.
    To(u64),
    /// By so many bytes: the write goes to the end, wherever that will be.
    By(u64),
}

/// What was charged for a name.
#[must_use]
pub(super) struct NameCharge {
    /// The directory where it takes the room of a name that is gone.
    reuses: Option<FileId>,
}

/// The account.
pub(super) struct Ledger {
    limit_bytes: u64,
    state: Mutex<Books>,
}

struct Books {
    used_bytes: u64,
    open: BTreeMap<FileId, OpenFile>,
    /// Names that are gone from a directory that is still there: file systems do not make a directory shorter.
    gone_names: BTreeMap<FileId, u64>,
}

/// A file that somebody has open.
struct OpenFile {
    /// What is charged: at least its length now and after all writes that are under way.
    charged_bytes: u64,
    writes_under_way: u32,
    linked: bool,
    handles: Vec<Weak<File>>,
}

impl Ledger {
    /// Opens the account of an empty directory.
    pub(super) fn new(limit_bytes: u64) -> Self {
        let books = Books { used_bytes: 0, open: BTreeMap::new(), gone_names: BTreeMap::new() };
        Self { limit_bytes, state: Mutex::new(books) }
    }

    /// Charges for a name that is about to be made in a directory.
    pub(super) fn name_made(&self, parent: Option<FileId>) -> Result<NameCharge, FilesExceeded> {
        let mut books = self.books();
        let reuses = parent.filter(|parent| books.gone_names.contains_key(parent));
        let bytes = if reuses.is_some() { INODE_BYTES } else { limits::SCRATCH_ENTRY_BYTES };
        self.charge(&mut books, bytes)?;
        if let Some(parent) = reuses {
            books.reuse_name(parent);
        }
        Ok(NameCharge { reuses })
    }

    /// Gives back what `name_made` charged, when no name was made after all.
    pub(super) fn name_not_made(&self, NameCharge { reuses }: NameCharge) {
        let mut books = self.books();
        match reuses {
            None => books.release(limits::SCRATCH_ENTRY_BYTES),
            Some(parent) => {
                books.release(INODE_BYTES);
                books.name_gone(Some(parent));
            }
        }
    }

    /// Takes note of an opened file. `before` is the file as it was before, if it was there and opening may have cut it.
    pub(super) fn opened(&self, file: &Arc<File>, now: FileState, before: Option<FileState>) {
        let mut books = self.books();
        books.sweep();
        let before = before.filter(|before| before.id == now.id).unwrap_or(now);
        let account = books.open.entry(now.id).or_insert_with(|| OpenFile {
            charged_bytes: before.length_bytes,
            writes_under_way: 0,
            linked: true,
            handles: Vec::new(),
        });
        account.handles.retain(|handle| handle.strong_count() > 0);
        account.handles.push(Arc::downgrade(file));
        books.settle(now);
    }

    /// Charges for a write that is about to begin. Each success is followed by one [`Ledger::write_ended`].
    pub(super) fn write_begins(
        &self,
        file: &Arc<File>,
        growth: Growth,
    ) -> io::Result<Result<(), FilesExceeded>> {
        let now = FileState::of(file)?;
        let mut books = self.books();
        let charged_bytes = books.open.get(&now.id).map_or(now.length_bytes, |account| account.charged_bytes);
        let wanted_bytes = match growth {
            Growth::To(length_bytes) => charged_bytes.max(length_bytes),
            Growth::By(bytes) => charged_bytes.saturating_add(bytes),
        };
        if let Err(exceeded) = self.charge(&mut books, wanted_bytes - charged_bytes) {
            return Ok(Err(exceeded));
        }
        if let Some(account) = books.open.get_mut(&now.id) {
            account.charged_bytes = wanted_bytes;
            account.writes_under_way += 1;
        }
        Ok(Ok(()))
    }

    /// Takes note of a write that has ended, well or not. Once none is under way, what the file does not hold is given
    /// back.
    pub(super) fn write_ended(&self, file: &File) {
        // Without an answer the charge stays: too much rather than too little.
        let Ok(now) = FileState::of(file) else { return };
        let mut books = self.books();
        if let Some(account) = books.open.get_mut(&now.id) {
            account.writes_under_way = account.writes_under_way.saturating_sub(1);
        }
        books.settle(now);
    }

    /// Takes note of a file's name that is gone from a directory.
    pub(super) fn file_unlinked(&self, parent: Option<FileId>, file: FileState) {
        let mut books = self.books();
        books.name_gone(parent);
        books.sweep();
        match books.open.get_mut(&file.id) {
            Some(account) => account.linked = false,
            None => books.release(file.length_bytes.saturating_add(INODE_BYTES)),
        }
    }

    /// Takes note of a directory that is gone from another.
    pub(super) fn directory_removed(&self, parent: Option<FileId>, directory: FileId) {
        let mut books = self.books();
        books.name_gone(parent);
        let gone_names = books.gone_names.remove(&directory).unwrap_or(0);
        books.release(gone_names.saturating_mul(limits::SCRATCH_NAME_BYTES).saturating_add(INODE_BYTES));
    }

    /// Takes note of a name that moved: it was charged at its new place and is gone from the old one.
    pub(super) fn name_moved(&self, parent: Option<FileId>) {
        let mut books = self.books();
        books.name_gone(parent);
        books.release(INODE_BYTES);
    }

    /// Charges, or says that it is too much.
    fn charge(&self, books: &mut Books, bytes: u64) -> Result<(), FilesExceeded> {
        for swept in [false, true] {
            let used_bytes = books.used_bytes.saturating_add(bytes);
            if used_bytes <= self.limit_bytes {
                books.used_bytes = used_bytes;
                return Ok(());
            }
            if !swept {
                books.sweep();
            }
        }
        Err(FilesExceeded::Scratch { limit_bytes: self.limit_bytes })
    }

    /// Returns what is charged.
    #[cfg(test)]
    pub(super) fn used_bytes(&self) -> u64 {
        let mut books = self.books();
        books.sweep();
        books.used_bytes
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        // Nothing under the lock can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a name costs besides the room in its directory.
const INODE_BYTES: u64 = limits::SCRATCH_ENTRY_BYTES - limits::SCRATCH_NAME_BYTES;

impl Books {
    fn release(&mut self, bytes: u64) {
        self.used_bytes = self.used_bytes.saturating_sub(bytes);
    }

    /// Forgets files that nobody has open any more, and gives back what the unlinked ones cost.
    fn sweep(&mut self) {
        let mut freed_bytes: u64 = 0;
        self.open.retain(|_, account| {
            let alive = account.handles.iter().any(|handle| handle.strong_count() > 0);
            if !alive && !account.linked {
                freed_bytes = freed_bytes.saturating_add(account.charged_bytes).saturating_add(INODE_BYTES);
            }
            alive
        });
        self.release(freed_bytes);
    }

    /// Makes the charge of a file its length, unless a write is under way.
    fn settle(&mut self, now: FileState) {
        let Some(account) = self.open.get_mut(&now.id) else { return };
        if account.writes_under_way == 0 {
            let before_bytes = std::mem::replace(&mut account.charged_bytes, now.length_bytes);
            self.used_bytes = self.used_bytes.saturating_sub(before_bytes).saturating_add(now.length_bytes);
        }
    }

    /// The room of a name stays charged to its directory.
    fn name_gone(&mut self, parent: Option<FileId>) {
        if let Some(parent) = parent {
            *self.gone_names.entry(parent).or_default() += 1;
        }
    }

    /// Takes the room of a name that is gone.
    fn reuse_name(&mut self, parent: FileId) {
        if let Some(count) = self.gone_names.get_mut(&parent) {
            *count -= 1;
            if *count == 0 {
                self.gone_names.remove(&parent);
            }
        }
    }
}

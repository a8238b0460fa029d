//! What a traced program did to the files below one directory, in one total order.
//!
//! Plain data. A change stands where its system call had returned, a sync where it began and again where it had
//! returned, a note where the call that wrote it began: each of them the moment that is hardest on the store.

use std::{fmt, path::PathBuf};

use bytes::Bytes;

use crate::{image::Image, note::Note};

/// A file of a trace, whatever its name at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// One call of `fsync` or `fdatasync`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SyncId(pub u32);

/// A change of names. Paths are relative to the watched directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameChange {
    /// A new, empty file.
    Create(PathBuf, FileId),
    /// A new directory.
    MakeDirectory(PathBuf),
    /// A file lost its name.
    Remove(PathBuf),
    /// A directory was removed.
    RemoveDirectory(PathBuf),
    /// A file has another name within its directory; what had it before is gone.
    Rename(PathBuf, PathBuf),
}

/// A change of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Bytes at an offset.
    Write(u64, Bytes),
    /// A new length; bytes beyond the old one are zero.
    Resize(u64),
}

/// What a sync was asked to make durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyncTarget {
    /// Content and length of a file.
    File(FileId),
    /// The names in a directory.
    Directory(PathBuf),
}

/// One entry of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Names changed.
    Name(NameChange),
    /// A file changed.
    File(FileId, Change),
    /// A sync began.
    SyncBegan(SyncId, SyncTarget),
    /// A sync returned without an error.
    SyncEnded(SyncId),
    /// The program told its client something.
    Note(Note),
}

/// How the traced program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With this exit code.
    Exited(i32),
    /// By this signal.
    Signalled(i32),
    /// It had to be killed: it ran longer than allowed.
    TimedOut,
}

/// All that a program did to a directory, and what lay there before.
#[derive(Debug, Clone)]
pub struct Trace {
    /// The directory before; all of it durable. Its files have the first ids, in order of their names.
    pub initial: Image,
    /// What happened.
    pub events: Vec<Event>,
    /// How it ended.
    pub end: End,
}

impl Trace {
    /// The files of the initial image with the ids that they have in the events.
    pub fn initial_files(&self) -> impl Iterator<Item = (FileId, &PathBuf, &Vec<u8>)> {
        (0..).zip(&self.initial.files).map(|(id, (path, content))| (FileId(id), path, content))
    }

    /// What the program told its client before a cut.
    pub fn notes(&self, cut: usize) -> impl Iterator<Item = &Note> {
        self.events.iter().take(cut).filter_map(Event::note)
    }
}

impl Event {
    /// The note, if it is one.
    pub fn note(&self) -> Option<&Note> {
        match self {
            Self::Note(note) => Some(note),
            Self::Name(_) | Self::File(..) | Self::SyncBegan(..) | Self::SyncEnded(_) => None,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(change) => write!(f, "{change:?}"),
            Self::File(FileId(file), Change::Write(offset, data)) => {
                write!(f, "Write file {file} at {offset}, {} bytes", data.len())
            }
            Self::File(FileId(file), Change::Resize(bytes)) => write!(f, "Resize file {file} to {bytes}"),
            Self::SyncBegan(SyncId(sync), target) => write!(f, "SyncBegan {sync} {target:?}"),
            Self::SyncEnded(SyncId(sync)) => write!(f, "SyncEnded {sync}"),
            Self::Note(note) => write!(f, "Note {note}"),
        }
    }
}

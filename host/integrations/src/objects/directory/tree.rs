//! The files of a bucket, reached from an open directory name by name.
//!
//! It must never follow a symbolic link: each step opens one name, and refuses it if it is a link.

use crate::objects::ObjectError;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const FILE: OFlags = OFlags::NOFOLLOW.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);

/// Opens the root, which its owner may well have linked.
pub(super) fn open_root(path: &Path) -> rustix::io::Result<OwnedFd> {
    rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// Opens a directory in another.
pub(super) fn open_directory(parent: impl AsFd, name: &str) -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat(parent, name, DIRECTORY, Mode::empty())
}

/// Opens a directory in another, and creates it, durably, if there is none.
pub(super) fn make_directory(parent: impl AsFd, name: &str) -> rustix::io::Result<OwnedFd> {
    match open_directory(&parent, name) {
        Err(Errno::NOENT) => {
            match rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o750)) {
                Ok(()) => rustix::fs::fsync(&parent)?,
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error),
            }
            open_directory(parent, name)
        }
        other => other,
    }
}

/// Opens a plain file to read it.
pub(super) fn open_file(parent: impl AsFd, name: &str) -> rustix::io::Result<(File, Stat)> {
    let file = rustix::fs::openat(parent, name, FILE | OFlags::RDONLY, Mode::empty())?;
    let stat = rustix::fs::fstat(&file)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Errno::NOENT);
    }
    Ok((File::from(file), stat))
}

/// Creates a file that there must not be yet.
pub(super) fn create_file(parent: impl AsFd, name: &str) -> rustix::io::Result<File> {
    let flags = FILE | OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
    Ok(File::from(rustix::fs::openat(parent, name, flags, Mode::from_raw_mode(0o640))?))
}

/// What a plain file is like; none where there is none.
pub(super) fn stat_file(parent: impl AsFd, name: &str) -> rustix::io::Result<Option<Stat>> {
    match rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => {
            Ok(Some(stat).filter(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile))
        }
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What an error of the file system means for a key.
pub(super) fn failure(error: Errno) -> ObjectError {
    match error {
        Errno::NOENT => ObjectError::NoSuchKey,
        Errno::LOOP | Errno::MLINK => ObjectError::Invalid("Symbolic links are not followed.".to_owned()),
        Errno::NOTDIR | Errno::ISDIR | Errno::EXIST | Errno::NOTEMPTY => ObjectError::Invalid(
            "In a directory a key cannot be both an object and the beginning of other keys before a '/'."
                .to_owned(),
        ),
        other => ObjectError::Unavailable(format!("The directory of objects: {other}")),
    }
}

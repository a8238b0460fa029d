//! The objects of a bucket in the order of their keys.
//!
//! It must never hold more than the names of the directories on its way, whatever the bucket holds.

use super::tree;
use rustix::fs::{AtFlags, Dir, FileType};
use rustix::io::Errno;
use std::fmt;
use std::os::fd::OwnedFd;

/// Walks through a bucket. Names of a directory are sorted with a `/` behind those of directories, so the keys come in the
/// order of their bytes.
pub(super) struct Walk {
    prefix: String,
    after: Option<String>,
    /// From the bucket to where it stands: the directory, the key's beginning there, the names left, last first.
    levels: Vec<Level>,
}

struct Level {
    directory: OwnedFd,
    path: String,
    names: Vec<String>,
}

impl fmt::Debug for Walk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Walk").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl Walk {
    pub(super) fn new(bucket: OwnedFd, prefix: &str, after: Option<&str>) -> rustix::io::Result<Walk> {
        let mut walk =
            Walk { prefix: prefix.to_owned(), after: after.map(str::to_owned), levels: Vec::new() };
        walk.enter(bucket, String::new())?;
        Ok(walk)
    }

    /// The next object: its key, and its directory with its name there.
    pub(super) fn next(&mut self) -> rustix::io::Result<Option<(String, &OwnedFd, String)>> {
        loop {
            let Some(level) = self.levels.last_mut() else { return Ok(None) };
            let Some(name) = level.names.pop() else {
                self.levels.pop();
                continue;
            };
            let key = format!("{}{name}", level.path);
            if let Some(directory) = name.strip_suffix('/') {
                match tree::open_directory(&level.directory, directory) {
                    Ok(directory) => self.enter(directory, key)?,
                    // Removed or replaced since its names were read.
                    Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                    Err(error) => return Err(error),
                }
                continue;
            }
            let Some(level) = self.levels.last() else { return Ok(None) };
            return Ok(Some((key, &level.directory, name)));
        }
    }

    fn enter(&mut self, directory: OwnedFd, path: String) -> rustix::io::Result<()> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&directory)? {
            let entry = entry?;
            // A name that is no UTF-8 cannot be a key.
            let Ok(name) = entry.file_name().to_str() else { continue };
            if matches!(name, "." | "..") {
                continue;
            }
            let mut kind = entry.file_type();
            if kind == FileType::Unknown {
                kind = match rustix::fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(stat) => FileType::from_raw_mode(stat.st_mode),
                    Err(Errno::NOENT) => continue,
                    Err(error) => return Err(error),
                };
            }
            // A link, or something that is no file at all, is no object.
            let name = if kind == FileType::Directory {
                format!("{name}/")
            } else if kind == FileType::RegularFile {
                name.to_owned()
            } else {
                continue;
            };
            if self.wants(&path, &name) {
                names.push(name);
            }
        }
        names.sort_unstable_by(|a, b| b.cmp(a));
        self.levels.push(Level { directory, path, names });
        Ok(())
    }

    /// Whether a key that is this, or begins with this, can be one of those looked for.
    fn wants(&self, path: &str, name: &str) -> bool {
        let key = format!("{path}{name}");
        if name.ends_with('/') {
            let is_in_prefix = key.starts_with(&self.prefix) || self.prefix.starts_with(&key);
            let is_behind = self.after.as_ref().is_none_or(|after| key > *after || after.starts_with(&key));
            is_in_prefix && is_behind
        } else {
            key.starts_with(&self.prefix) && self.after.as_ref().is_none_or(|after| key > *after)
        }
    }
}

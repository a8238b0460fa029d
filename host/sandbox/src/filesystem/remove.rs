//! Removes a directory tree that a guest made, however deep and however large.
//!
//! A guest can nest directories deeper than any stack, any number of open files and any path reaches. So nothing here
//! walks down: a directory within a directory is moved up beside the tree's root under a counted name, and takes its turn.
//! No link is ever followed, and every operation names one entry of a directory that is open.

use crate::limits;
use cap_std::fs::{Dir, Metadata, Permissions, PermissionsExt};
use std::ffi::OsStr;
use std::io::{self, ErrorKind};

/// Removes whatever has a name in a folder; nothing there is fine. It blocks, for as long as the tree is large.
///
/// Names that begin like this one must not belong to anything else in the folder.
///
/// # Errors
/// The first one; what can be removed is removed all the same.
pub(super) fn remove_tree(folder: &Dir, name: &OsStr) -> io::Result<()> {
    let mut moved = Moved { root: name.to_owned(), count: 0 };
    let mut outcome = remove_level(folder, name, &mut moved);
    let mut next = 0;
    while next < moved.count {
        let level = moved.name(next);
        outcome = outcome.and(remove_level(folder, &level, &mut moved));
        next += 1;
    }
    outcome
}

/// Directories that wait beside the root for their turn.
struct Moved {
    root: std::ffi::OsString,
    count: u64,
}

impl Moved {
    fn name(&self, number: u64) -> std::ffi::OsString {
        let mut name = self.root.clone();
        name.push(format!(".{number}"));
        name
    }
}

/// Empties one directory, moves those in it beside the root, and removes it.
fn remove_level(folder: &Dir, name: &OsStr, moved: &mut Moved) -> io::Result<()> {
    if !open_up(folder, name)? {
        return gone(folder.remove_file(name));
    }
    for _ in 0..limits::MAX_REMOVAL_PASSES {
        empty(folder, &folder.open_dir(name)?, moved)?;
        match folder.remove_dir(name) {
            // A call that was broken off may still be making something, once: look again.
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => {}
            removed => return gone(removed),
        }
    }
    Err(ErrorKind::DirectoryNotEmpty.into())
}

/// Removes the files of a directory and moves its directories beside the root.
fn empty(folder: &Dir, directory: &Dir, moved: &mut Moved) -> io::Result<()> {
    let mut outcome = Ok(());
    for entry in directory.entries()? {
        let name = entry?.file_name();
        let done = match open_up(directory, &name) {
            Ok(true) => move_up(folder, directory, &name, moved),
            Ok(false) => gone(directory.remove_file(&name)),
            Err(error) => Err(error),
        };
        outcome = outcome.and(done);
    }
    outcome
}

/// Moves a directory beside the root.
fn move_up(folder: &Dir, directory: &Dir, name: &OsStr, moved: &mut Moved) -> io::Result<()> {
    for _ in 0..limits::MAX_REMOVAL_PASSES {
        let place = moved.name(moved.count);
        moved.count += 1;
        match directory.rename(name, folder, &place) {
            // Left by an earlier process that broke off at its start; it takes its turn under this number.
            Err(error) if matches!(error.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::NotADirectory) => {
            }
            renamed => return gone(renamed),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

/// Tells whether a name is a directory, and makes sure that a directory's owner can empty it.
fn open_up(directory: &Dir, name: &OsStr) -> io::Result<bool> {
    let metadata = match directory.symlink_metadata(name) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        metadata => metadata?,
    };
    if metadata.is_dir() && !is_open(&metadata) {
        directory.set_permissions(name, Permissions::from_mode(PRIVATE))?;
    }
    Ok(metadata.is_dir())
}

/// Everything for the owner, nothing for others.
pub(super) const PRIVATE: u32 = 0o700;

fn is_open(metadata: &Metadata) -> bool {
    metadata.permissions().mode() & PRIVATE == PRIVATE
}

/// What is not there need not be removed.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cap_std::ambient_authority;
    use std::os::unix::ffi::OsStrExt;

    fn folder() -> (tempfile::TempDir, Dir) {
        let directory = tempfile::tempdir().unwrap();
        let folder = Dir::open_ambient_dir(directory.path(), ambient_authority()).unwrap();
        (directory, folder)
    }

    fn count(folder: &Dir) -> usize {
        folder.entries().unwrap().count()
    }

    #[test]
    fn nothing_and_files_are_removed() {
        let (_directory, folder) = folder();
        remove_tree(&folder, OsStr::new("0")).unwrap();
        folder.write("0", b"x").unwrap();
        remove_tree(&folder, OsStr::new("0")).unwrap();
        assert_eq!(count(&folder), 0);
    }

    #[test]
    fn a_tree_deeper_than_any_path_is_removed() {
        let (_directory, folder) = folder();
        folder.create_dir("0").unwrap();
        let mut level = folder.open_dir("0").unwrap();
        let name = "a-name-that-makes-the-whole-path-longer-than-any-path-may-be";
        for _ in 0..1_000 {
            level.create_dir(name).unwrap();
            level.write("file", b"x").unwrap();
            level = level.open_dir(name).unwrap();
        }
        drop(level);
        remove_tree(&folder, OsStr::new("0")).unwrap();
        assert_eq!(count(&folder), 0);
    }

    #[test]
    fn odd_names_and_closed_directories_are_removed() {
        let (_directory, folder) = folder();
        folder.create_dir("0").unwrap();
        let tree = folder.open_dir("0").unwrap();
        let odd: [&[u8]; 7] = [b"-rf", b"*", b"new\nline", b"\xff\xfe", b".hidden", b"0.0", &[b'x'; 255]];
        for name in odd {
            let name = OsStr::from_bytes(name);
            tree.create_dir(name).unwrap();
            tree.open_dir(name).unwrap().write(name, b"x").unwrap();
        }
        for mode in [0o000, 0o100, 0o400, 0o500] {
            let name = format!("mode-{mode}");
            tree.create_dir(&name).unwrap();
            tree.create_dir(format!("{name}/inner")).unwrap();
            tree.write(format!("{name}/inner/file"), b"x").unwrap();
            tree.set_permissions(format!("{name}/inner"), Permissions::from_mode(mode)).unwrap();
            tree.set_permissions(&name, Permissions::from_mode(mode)).unwrap();
        }
        tree.set_permissions(".", Permissions::from_mode(0)).unwrap();
        remove_tree(&folder, OsStr::new("0")).unwrap();
        assert_eq!(count(&folder), 0);
    }

    #[test]
    fn links_are_removed_and_not_followed() {
        let (directory, folder) = folder();
        folder.create_dir("kept").unwrap();
        folder.write("kept/file", b"x").unwrap();
        folder.create_dir("0").unwrap();
        let place = directory.path();
        std::os::unix::fs::symlink("../kept", place.join("0/inward")).unwrap();
        std::os::unix::fs::symlink(place.join("kept"), place.join("0/absolute")).unwrap();
        std::os::unix::fs::symlink("kept", place.join("1")).unwrap();
        remove_tree(&folder, OsStr::new("0")).unwrap();
        remove_tree(&folder, OsStr::new("1")).unwrap();
        assert_eq!(count(&folder), 1);
        assert!(folder.exists("kept/file"));
    }

    #[test]
    fn names_left_by_a_removal_that_broke_off_are_in_nobodys_way() {
        let (_directory, folder) = folder();
        for name in ["0", "0/a", "0/b", "0.0", "0.0/c", "0.2", "0.2/d"] {
            folder.create_dir(name).unwrap();
        }
        folder.write("0.1", b"x").unwrap();
        remove_tree(&folder, OsStr::new("0")).unwrap();
        assert_eq!(count(&folder), 0);
    }
}

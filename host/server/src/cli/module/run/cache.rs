//! Compiled code that outlives a run, in a folder of the user's: an interpreter of 18 MB takes seconds to compile.
//!
//! It is machine code that is run, so the folder must be the user's own and closed to others; where it is not, there is
//! no cache. Trouble with the cache never fails a run. Several runs may use it at the same time: files appear whole.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tempfile::TempDir;

use super::super::super::output::Output;

/// What all files together may hold, in bytes. The least recently used ones make room.
const CACHE_BYTES: u64 = 1 << 30;
/// How the names of artifacts end.
const EXTENSION: &str = "artifact";

/// The folder.
pub(super) struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// Finds the folder, or makes it; none when it cannot be used, which is said. `own` is a directory that this process
    /// has just made: it tells who the user is.
    pub(super) fn open(output: &mut Output, own: &TempDir) -> Option<Self> {
        let folder = folder(std::env::var_os("XDG_CACHE_HOME"), std::env::var_os("HOME"))?;
        match open(&folder, own.path()) {
            Ok(()) => Some(Self { folder }),
            Err(error) => {
                output.note(&format!("warning: compiled code is not kept in {}: {error}", folder.display()));
                None
            }
        }
    }

    /// Returns what was kept of a module. The sandbox checks it.
    pub(super) fn read(&self, sha256: &str) -> Option<Vec<u8>> {
        let path = self.path(sha256);
        let artifact = fs::read(&path).ok()?;
        // So that room is made by what is not used. A file that cannot be marked only goes earlier.
        if let Ok(file) = File::open(&path) {
            drop(file.set_modified(SystemTime::now()));
        }
        Some(artifact)
    }

    /// Keeps what was compiled.
    pub(super) fn write(&self, output: &mut Output, sha256: &str, artifact: &[u8]) {
        let written = tempfile::NamedTempFile::new_in(&self.folder).and_then(|file| {
            fs::write(file.path(), artifact)?;
            file.persist(self.path(sha256)).map_err(|error| error.error)
        });
        if let Err(error) = written.map(drop).and_then(|()| make_room(&self.folder, CACHE_BYTES)) {
            output.note(&format!("warning: the folder {}: {error}", self.folder.display()));
        }
    }

    fn path(&self, sha256: &str) -> PathBuf {
        self.folder.join(sha256).with_extension(EXTENSION)
    }
}

/// The folder by the XDG base directory specification, which ignores paths that are not absolute.
fn folder(cache_home: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    let absolute = |path: Option<OsString>| path.map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute(cache_home).or_else(|| Some(absolute(home)?.join(".cache")))?;
    Some(cache.join("stepwell").join("modules"))
}

/// Makes the folder if it is missing, and makes sure that nobody else can write there.
fn open(folder: &Path, own: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let user = fs::metadata(own)?.uid();
    // What lies above it is the system's and the user's affair, but for the folder `stepwell`, which this made.
    for place in folder.ancestors().take(2) {
        check(place, &fs::symlink_metadata(place)?, user)?;
    }
    Ok(())
}

fn check(place: &Path, metadata: &Metadata, user: u32) -> io::Result<()> {
    let wrong = |what: &str| Err(io::Error::other(format!("{} {what}", place.display())));
    if !metadata.is_dir() {
        return wrong("is no directory");
    }
    if metadata.uid() != user {
        return wrong("belongs to somebody else");
    }
    if metadata.mode() & 0o022 != 0 {
        return wrong("can be written by others");
    }
    Ok(())
}

/// Removes the files that were not used for the longest time, until the rest is small enough.
fn make_room(folder: &Path, bound_bytes: u64) -> io::Result<()> {
    let mut kept = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        // Another run may have removed it.
        let Ok(metadata) = fs::metadata(&path) else { continue };
        if path.extension().is_some_and(|extension| extension == EXTENSION) {
            kept.push((metadata.modified()?, metadata.len(), path));
        }
    }
    kept.sort();
    let mut bytes: u64 = kept.iter().map(|(_, length, _)| length).sum();
    for (_, length, path) in kept {
        if bytes <= bound_bytes {
            break;
        }
        drop(fs::remove_file(path));
        bytes = bytes.saturating_sub(length);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::Duration;

    use super::*;

    fn os(text: &str) -> OsString {
        text.into()
    }

    #[test]
    fn the_folder_is_where_caches_are() {
        let expected = Some(PathBuf::from("/c/stepwell/modules"));
        assert_eq!(folder(Some(os("/c")), Some(os("/home/a"))), expected);
        let expected = Some(PathBuf::from("/home/a/.cache/stepwell/modules"));
        assert_eq!(folder(Some(os("relative")), Some(os("/home/a"))), expected);
        assert_eq!(folder(None, Some(os("/home/a"))), expected);
        assert_eq!(folder(None, Some(os(""))), None);
        assert_eq!(folder(None, None), None);
    }

    #[test]
    fn what_is_kept_is_found_and_the_oldest_makes_room() {
        let own = tempfile::tempdir().unwrap();
        let folder = own.path().join("a/stepwell/modules");
        open(&folder, own.path()).unwrap();
        let cache = Cache { folder: folder.clone() };
        let (mut output, captured) = Output::capture(false);
        assert_eq!(cache.read("aa"), None);
        for name in ["aa", "bb", "cc"] {
            cache.write(&mut output, name, name.as_bytes());
        }
        assert_eq!((cache.read("aa"), captured.diagnostic()), (Some(b"aa".to_vec()), String::new()));
        let earlier = SystemTime::now() - Duration::from_hours(1);
        for name in ["aa", "bb", "cc"] {
            File::open(cache.path(name)).unwrap().set_modified(earlier).unwrap();
        }
        assert!(cache.read("bb").is_some());
        make_room(&folder, 3).unwrap();
        assert_eq!(["aa", "bb", "cc"].map(|name| cache.read(name).is_some()), [false, true, false]);
    }

    #[test]
    fn a_folder_that_others_can_write_is_not_used() {
        let own = tempfile::tempdir().unwrap();
        let folder = own.path().join("stepwell/modules");
        open(&folder, own.path()).unwrap();
        for place in [folder.clone(), own.path().join("stepwell")] {
            fs::set_permissions(&place, fs::Permissions::from_mode(0o770)).unwrap();
            let error = open(&folder, own.path()).unwrap_err().to_string();
            assert!(error.contains("can be written by others"), "{error}");
            fs::set_permissions(&place, fs::Permissions::from_mode(0o700)).unwrap();
        }
        open(&folder, own.path()).unwrap();
        assert!(check(&folder, &fs::metadata(&folder).unwrap(), u32::MAX).is_err());
        let link = own.path().join("link");
        std::os::unix::fs::symlink(&folder, &link).unwrap();
        assert!(open(&link, own.path()).unwrap_err().to_string().contains("is no directory"));
    }
}

//! Modules on disk: `source/DIGEST.wasm` as uploaded, `compiled/DIGEST.artifact` as compiled.
//!
//! A file appears whole or not at all: written beside its place, flushed, renamed, and the directory flushed. The
//! source is the truth; an artifact may be missing at any time. All functions block: they belong off the async threads.

use crate::digest::Digest;
use crate::error::SandboxError;
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The beginning of the names of files that are being written.
const UNFINISHED: &str = ".unfinished-";

/// The directory of one sandbox.
pub(crate) struct ModuleFiles {
    source: PathBuf,
    compiled: PathBuf,
    /// Distinguishes the files that this process is writing.
    next: AtomicU64,
}

impl ModuleFiles {
    /// Makes the directories and removes what an earlier process left unfinished.
    pub(crate) fn open(directory: &Path) -> Result<Self, SandboxError> {
        let source = directory.join("source");
        let compiled = directory.join("compiled");
        for folder in [&source, &compiled] {
            make_private(folder).map_err(failure("create", folder))?;
            remove_unfinished(folder).map_err(failure("clean", folder))?;
        }
        Ok(Self { source, compiled, next: AtomicU64::new(0) })
    }

    /// Stores a module's source. Storing it again changes nothing.
    pub(crate) fn write_source(&self, digest: &Digest, wasm: &[u8]) -> Result<(), SandboxError> {
        self.write(&self.source, &self.source_path(digest), wasm)
    }

    /// Returns a module's source, or nothing when it is not installed.
    pub(crate) fn read_source(&self, digest: &Digest) -> Result<Option<Vec<u8>>, SandboxError> {
        let path = self.source_path(digest);
        let Some(wasm) = read(&path)? else { return Ok(None) };
        if Digest::of(&wasm) == *digest {
            return Ok(Some(wasm));
        }
        let damaged = io::Error::new(ErrorKind::InvalidData, "the stored module is damaged: upload it again");
        Err(failure("read", &path)(damaged))
    }

    /// Tells whether a module is installed.
    pub(crate) fn has_source(&self, digest: &Digest) -> bool {
        self.source_path(digest).is_file()
    }

    /// Stores a compiled artifact, over an older one if there is one.
    pub(crate) fn write_compiled(&self, digest: &Digest, artifact: &[u8]) -> Result<(), SandboxError> {
        self.write(&self.compiled, &self.compiled_path(digest), artifact)
    }

    /// Returns the file of a compiled artifact, unchecked, or nothing when there is none.
    pub(crate) fn read_compiled(&self, digest: &Digest) -> Result<Option<Vec<u8>>, SandboxError> {
        read(&self.compiled_path(digest))
    }

    /// Removes a module. Removing an unknown one changes nothing.
    pub(crate) fn remove(&self, digest: &Digest) -> Result<(), SandboxError> {
        // The source first: without it the module is not installed, and a left-over artifact is only a file.
        for (folder, path) in
            [(&self.source, self.source_path(digest)), (&self.compiled, self.compiled_path(digest))]
        {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(failure("remove", &path)(error));
                }
                Ok(()) | Err(_) => flush_folder(folder).map_err(failure("flush", folder))?,
            }
        }
        Ok(())
    }

    /// Returns the digests of everything that is there, whole or in part.
    pub(crate) fn installed(&self) -> Result<Vec<String>, SandboxError> {
        let mut digests = BTreeSet::new();
        for folder in [&self.source, &self.compiled] {
            for entry in fs::read_dir(folder).map_err(failure("read", folder))? {
                let path = entry.map_err(failure("read", folder))?.path();
                let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
                digests.extend(stem.filter(|stem| Digest::parse(stem).is_some()));
            }
        }
        Ok(digests.into_iter().collect())
    }

    fn source_path(&self, digest: &Digest) -> PathBuf {
        self.source.join(format!("{digest}.wasm"))
    }

    fn compiled_path(&self, digest: &Digest) -> PathBuf {
        self.compiled.join(format!("{digest}.artifact"))
    }

    /// Makes a file appear whole.
    fn write(&self, folder: &Path, path: &Path, content: &[u8]) -> Result<(), SandboxError> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let unfinished = folder.join(format!("{UNFINISHED}{}-{number}", std::process::id()));
        let written = write_and_flush(&unfinished, content).and_then(|()| fs::rename(&unfinished, path));
        if let Err(error) = written {
            // The first error is the one to report; a left-over goes at the next start.
            drop(fs::remove_file(&unfinished));
            return Err(failure("write", path)(error));
        }
        flush_folder(folder).map_err(failure("flush", folder))
    }
}

/// Writes a new file and waits until the disk has it.
fn write_and_flush(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Waits until the disk has the names in a folder.
fn flush_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Reads a file; a missing one is nothing.
fn read(path: &Path) -> Result<Option<Vec<u8>>, SandboxError> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failure("read", path)(error)),
    }
}

/// Creates a folder for its owner alone: what lies there is run as machine code.
fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Removes what a crash left behind. One sandbox owns a directory, so nobody else is writing these.
fn remove_unfinished(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Makes an error of this file from one of the system's.
fn failure(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SandboxError + use<> {
    let path = path.to_owned();
    move |source| SandboxError::File { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_count(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn stores_and_removes() {
        let directory = tempfile::tempdir().unwrap();
        let files = ModuleFiles::open(directory.path()).unwrap();
        let digest = Digest::of(b"wasm");
        assert!(files.read_source(&digest).unwrap().is_none());
        files.write_source(&digest, b"wasm").unwrap();
        files.write_source(&digest, b"wasm").unwrap();
        files.write_compiled(&digest, b"code").unwrap();
        assert_eq!(files.read_source(&digest).unwrap().as_deref(), Some(&b"wasm"[..]));
        assert_eq!(files.read_compiled(&digest).unwrap().as_deref(), Some(&b"code"[..]));
        assert_eq!(files.installed().unwrap(), [digest.to_string()]);
        files.remove(&digest).unwrap();
        files.remove(&digest).unwrap();
        assert!(files.installed().unwrap().is_empty());
        assert!(!files.has_source(&digest));
        assert_eq!(folder_count(&files.source) + folder_count(&files.compiled), 0);
    }

    #[test]
    fn a_damaged_source_is_reported_and_left_overs_go() {
        let directory = tempfile::tempdir().unwrap();
        let files = ModuleFiles::open(directory.path()).unwrap();
        let digest = Digest::of(b"wasm");
        fs::write(files.source_path(&digest), b"wasn").unwrap();
        assert!(files.read_source(&digest).unwrap_err().to_string().contains("damaged"));
        fs::write(files.source.join(".unfinished-1-1"), b"half").unwrap();
        drop(ModuleFiles::open(directory.path()).unwrap());
        assert_eq!(folder_count(&files.source), 1);
    }
}

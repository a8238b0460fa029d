//! What a system call means for the watched directory: looked at when it begins, recorded when it has returned.
//!
//! It must refuse what it cannot record in full; a change that is left out would make a power cut look milder.

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use bytes::Bytes;

use super::tracee::{Call, Tracee};
use crate::trace::{Change, Event, FileId, NameChange, SyncId, SyncTarget, Trace};

/// What a call will have done once it has returned without an error.
#[derive(Debug)]
pub(super) enum Intent {
    /// Nothing to the watched directory.
    Nothing,
    /// Opened a path that may create or truncate it.
    Open { path: PathBuf, existed: bool, truncate: bool },
    /// Written bytes, or as many of them as it returns.
    Write(FileId, u64, Bytes),
    /// Set the length.
    Resize(FileId, u64),
    /// Changed names.
    Name(NameChange),
    /// Synced.
    Sync(SyncId),
    /// End the program: from now on its threads may be gone in the middle of a call.
    Exit,
}

/// Where a descriptor leads.
enum Target {
    File(FileId),
    Directory(PathBuf),
    Journal,
    Elsewhere,
}

/// The trace so far.
pub(super) struct Recorder {
    root: PathBuf,
    journal: PathBuf,
    pub(super) events: Vec<Event>,
    /// Device and inode of every file, and which file has a name.
    inodes: HashMap<(u64, u64), FileId>,
    names: HashMap<PathBuf, FileId>,
    files: u32,
    syncs: u32,
}

impl Recorder {
    /// Starts with what lies in the directory. `trace` holds its image; both paths are canonical.
    pub(super) fn new(root: &Path, journal: &Path, trace: &Trace) -> Result<Self> {
        let (mut inodes, mut names, mut files) = (HashMap::new(), HashMap::new(), 0);
        for (file, path, _) in trace.initial_files() {
            let metadata = fs::metadata(root.join(path))?;
            inodes.insert((metadata.dev(), metadata.ino()), file);
            names.insert(path.clone(), file);
            files += 1;
        }
        let (root, journal) = (root.to_owned(), journal.to_owned());
        Ok(Self { root, journal, events: Vec::new(), inodes, names, files, syncs: 0 })
    }

    /// Looks at a call before it is done.
    pub(super) fn begin(&mut self, tracee: Tracee, call: Call) -> Result<Intent> {
        let [a, b, c, d, _, _] = call.arguments;
        let here = libc::AT_FDCWD;
        match call.number {
            libc::SYS_openat => self.open(&tracee.path(call.int(0), b)?, call.int(2)),
            libc::SYS_write => self.write(tracee, call.int(0), None, || tracee.bytes(b, c)),
            libc::SYS_pwrite64 => self.write(tracee, call.int(0), Some(d), || tracee.bytes(b, c)),
            libc::SYS_writev => self.write(tracee, call.int(0), None, || tracee.gathered(b, c)),
            libc::SYS_pwritev => self.write(tracee, call.int(0), Some(d), || tracee.gathered(b, c)),
            libc::SYS_ftruncate => self.resize(tracee, call.int(0), b),
            libc::SYS_fallocate => self.allocate(tracee, call.int(0), call.int(1), c.saturating_add(d)),
            libc::SYS_fsync | libc::SYS_fdatasync => self.sync(tracee, call.int(0)),
            libc::SYS_mkdirat => Ok(self.make_directory(&tracee.path(call.int(0), b)?)),
            libc::SYS_unlinkat => Ok(self.remove(&tracee.path(call.int(0), b)?, call.int(2))),
            libc::SYS_renameat2 if call.arguments[4] == 0 => {
                self.rename(&tracee.path(call.int(0), b)?, &tracee.path(call.int(2), d)?)
            }
            libc::SYS_renameat => self.rename(&tracee.path(call.int(0), b)?, &tracee.path(call.int(2), d)?),
            libc::SYS_exit_group => Ok(Intent::Exit),
            // Only shared mappings get here.
            libc::SYS_mmap => self.unwatched(tracee, call.int(4), "maps a watched file into memory"),
            libc::SYS_ioctl => self.unwatched(tracee, call.int(0), "sends an ioctl to a watched file"),
            number => self.begin_old(tracee, call, number, here, a, b),
        }
    }

    /// The calls that only older architectures have.
    #[cfg(target_arch = "x86_64")]
    fn begin_old(
        &mut self,
        tracee: Tracee,
        call: Call,
        number: i64,
        here: i32,
        a: u64,
        b: u64,
    ) -> Result<Intent> {
        match number {
            libc::SYS_open => self.open(&tracee.path(here, a)?, call.int(1)),
            libc::SYS_creat => {
                self.open(&tracee.path(here, a)?, libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC)
            }
            libc::SYS_mkdir => Ok(self.make_directory(&tracee.path(here, a)?)),
            libc::SYS_unlink => Ok(self.remove(&tracee.path(here, a)?, 0)),
            libc::SYS_rmdir => Ok(self.remove(&tracee.path(here, a)?, libc::AT_REMOVEDIR)),
            libc::SYS_rename => self.rename(&tracee.path(here, a)?, &tracee.path(here, b)?),
            _ => {
                bail!("system call {number} is not known to the rig; its arguments are {:x?}", call.arguments)
            }
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn begin_old(&mut self, _: Tracee, call: Call, number: i64, _: i32, _: u64, _: u64) -> Result<Intent> {
        bail!("system call {number} is not known to the rig; its arguments are {:x?}", call.arguments)
    }

    /// Records a call that has returned `value`.
    pub(super) fn end(&mut self, tracee: Tracee, intent: Intent, value: u64) -> Result<()> {
        let event = match intent {
            Intent::Nothing | Intent::Exit => return Ok(()),
            Intent::Open { path, existed, truncate } => {
                let descriptor = i32::try_from(value)?;
                return self.opened(tracee, descriptor, path, existed, truncate);
            }
            Intent::Write(file, offset, data) => {
                let written = data.slice(..usize::try_from(value)?);
                Event::File(file, Change::Write(offset, written))
            }
            Intent::Resize(file, bytes) => Event::File(file, Change::Resize(bytes)),
            Intent::Sync(sync) => Event::SyncEnded(sync),
            Intent::Name(change) => {
                match &change {
                    NameChange::Remove(name) => drop(self.names.remove(name)),
                    NameChange::Rename(from, to) => {
                        let file = self.names.remove(from).context("a directory was renamed")?;
                        self.names.insert(to.clone(), file);
                    }
                    NameChange::Create(..)
                    | NameChange::MakeDirectory(_)
                    | NameChange::RemoveDirectory(_) => {}
                }
                Event::Name(change)
            }
        };
        self.events.push(event);
        Ok(())
    }

    fn opened(
        &mut self,
        tracee: Tracee,
        descriptor: i32,
        path: PathBuf,
        existed: bool,
        truncate: bool,
    ) -> Result<()> {
        if !existed && !self.names.contains_key(&path) {
            let (_, metadata) = tracee.descriptor(descriptor)?;
            let file = FileId(self.files);
            self.files += 1;
            // The inode may have been another file's, which is gone.
            self.inodes.insert((metadata.dev(), metadata.ino()), file);
            self.names.insert(path.clone(), file);
            self.events.push(Event::Name(NameChange::Create(path, file)));
        } else if truncate {
            let file = *self.names.get(&path).context("a truncated file without a name")?;
            self.events.push(Event::File(file, Change::Resize(0)));
        }
        Ok(())
    }

    /// The path relative to the watched directory, if it lies in it.
    fn watched(&self, path: &Path) -> Option<PathBuf> {
        path.strip_prefix(&self.root).ok().map(Path::to_owned)
    }

    fn target(&self, tracee: Tracee, descriptor: i32) -> Result<Target> {
        // A closed descriptor: the call will fail by itself.
        let Ok((path, metadata)) = tracee.descriptor(descriptor) else { return Ok(Target::Elsewhere) };
        if path == self.journal {
            return Ok(Target::Journal);
        }
        if metadata.is_file()
            && let Some(file) = self.inodes.get(&(metadata.dev(), metadata.ino()))
        {
            return Ok(Target::File(*file));
        }
        match self.watched(&path) {
            None => Ok(Target::Elsewhere),
            Some(path) if metadata.is_dir() => Ok(Target::Directory(path)),
            Some(path) => bail!("the rig does not know the file {}", path.display()),
        }
    }

    fn open(&self, path: &Path, flags: i32) -> Result<Intent> {
        let Some(path) = self.watched(path) else { return Ok(Intent::Nothing) };
        // O_SYNC contains O_DSYNC, O_TMPFILE contains O_DIRECTORY.
        if flags & libc::O_DSYNC != 0 || flags & libc::O_TMPFILE == libc::O_TMPFILE {
            bail!("{} is opened with flags {flags:o}, which the rig does not model", path.display());
        }
        if flags & (libc::O_CREAT | libc::O_TRUNC) == 0 {
            return Ok(Intent::Nothing);
        }
        let existed = self.root.join(&path).symlink_metadata().is_ok();
        Ok(Intent::Open { path, existed, truncate: flags & libc::O_TRUNC != 0 })
    }

    fn write(
        &mut self,
        tracee: Tracee,
        descriptor: i32,
        offset: Option<u64>,
        data: impl FnOnce() -> Result<Bytes>,
    ) -> Result<Intent> {
        match self.target(tracee, descriptor)? {
            Target::Elsewhere | Target::Directory(_) => Ok(Intent::Nothing),
            Target::Journal => {
                let note = serde_json::from_slice(&data()?).context("a note that is none")?;
                self.events.push(Event::Note(note));
                Ok(Intent::Nothing)
            }
            Target::File(file) => {
                let (position, flags) = tracee.position(descriptor)?;
                let appends = flags & libc::O_APPEND != 0;
                let offset = match offset {
                    _ if appends => tracee.descriptor(descriptor)?.1.len(),
                    Some(offset) => offset,
                    None => position,
                };
                Ok(Intent::Write(file, offset, data()?))
            }
        }
    }

    fn resize(&self, tracee: Tracee, descriptor: i32, bytes: u64) -> Result<Intent> {
        Ok(match self.target(tracee, descriptor)? {
            Target::File(file) => Intent::Resize(file, bytes),
            Target::Directory(_) | Target::Journal | Target::Elsewhere => Intent::Nothing,
        })
    }

    fn allocate(&self, tracee: Tracee, descriptor: i32, mode: i32, end: u64) -> Result<Intent> {
        let Target::File(file) = self.target(tracee, descriptor)? else { return Ok(Intent::Nothing) };
        match mode {
            0 if end > tracee.descriptor(descriptor)?.1.len() => Ok(Intent::Resize(file, end)),
            0 | libc::FALLOC_FL_KEEP_SIZE => Ok(Intent::Nothing),
            _ => bail!("fallocate in mode {mode} is not modelled"),
        }
    }

    fn sync(&mut self, tracee: Tracee, descriptor: i32) -> Result<Intent> {
        let target = match self.target(tracee, descriptor)? {
            Target::File(file) => SyncTarget::File(file),
            Target::Directory(path) => SyncTarget::Directory(path),
            Target::Journal | Target::Elsewhere => return Ok(Intent::Nothing),
        };
        let sync = SyncId(self.syncs);
        self.syncs += 1;
        self.events.push(Event::SyncBegan(sync, target));
        Ok(Intent::Sync(sync))
    }

    fn make_directory(&self, path: &Path) -> Intent {
        self.watched(path).map_or(Intent::Nothing, |path| Intent::Name(NameChange::MakeDirectory(path)))
    }

    fn remove(&self, path: &Path, flags: i32) -> Intent {
        match self.watched(path) {
            None => Intent::Nothing,
            Some(path) if flags & libc::AT_REMOVEDIR != 0 => Intent::Name(NameChange::RemoveDirectory(path)),
            Some(path) => Intent::Name(NameChange::Remove(path)),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<Intent> {
        match (self.watched(from), self.watched(to)) {
            (None, None) => Ok(Intent::Nothing),
            (Some(from), Some(to)) if from.parent() == to.parent() => {
                Ok(Intent::Name(NameChange::Rename(from, to)))
            }
            (_, _) => bail!("{} is moved to another directory, which is not modelled", from.display()),
        }
    }

    fn unwatched(&self, tracee: Tracee, descriptor: i32, what: &str) -> Result<Intent> {
        match self.target(tracee, descriptor)? {
            Target::Elsewhere => Ok(Intent::Nothing),
            Target::File(_) | Target::Directory(_) | Target::Journal => bail!("the program {what}"),
        }
    }
}

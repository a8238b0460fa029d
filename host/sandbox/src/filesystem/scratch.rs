//! The folder of scratch directories: one per call, private, empty at its start and gone after it.
//!
//! Removing can take long, so a thread of its own does it, in order. When it falls behind, whoever makes a directory
//! removes one first: what waits is bounded. What a process leaves behind, the next one removes when it starts.

use super::remove::{PRIVATE, remove_tree};
use crate::error::SandboxError;
use crate::limits;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, DirBuilder, DirBuilderExt, Permissions, PermissionsExt};
use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// The folder's name in the sandbox's directory.
const FOLDER: &str = "scratch";

/// The folder of scratch directories. One process owns it.
pub(crate) struct ScratchRoot {
    shared: Arc<Shared>,
}

/// The scratch directory of one call. Dropping it has it removed.
pub(super) struct ScratchDirectory {
    shared: Arc<Shared>,
    name: String,
}

struct Shared {
    folder: Dir,
    path: PathBuf,
    max_waiting: usize,
    queue: Mutex<Queue>,
    changed: Condvar,
}

struct Queue {
    /// The number of the next directory.
    next: u64,
    waiting: VecDeque<String>,
    /// The root and every directory: the thread ends after the last of them.
    owners: u64,
}

impl ScratchRoot {
    /// Opens the folder `scratch` in the sandbox's directory, removes what is in it and starts the thread that removes
    /// what calls leave. It blocks.
    ///
    /// # Errors
    /// When the folder cannot be made, or something in it cannot be removed.
    pub(crate) fn open(directory: &Path) -> Result<Self, SandboxError> {
        Self::with_bound(directory, limits::MAX_WAITING_REMOVALS)
    }

    fn with_bound(directory: &Path, max_waiting: usize) -> Result<Self, SandboxError> {
        let path = directory.join(FOLDER);
        let failure = |action| {
            let path = path.clone();
            move |source| SandboxError::File { action, path, source }
        };
        let folder = open_private(directory).map_err(failure("create"))?;
        empty(&folder).map_err(failure("empty"))?;
        let queue = Queue { next: 0, waiting: VecDeque::new(), owners: 1 };
        let (queue, changed) = (Mutex::new(queue), Condvar::new());
        let shared = Arc::new(Shared { folder, path: path.clone(), max_waiting, queue, changed });
        let remover = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("stepwell-scratch".to_owned());
        // From here on the root's `drop` ends the thread.
        let root = Self { shared };
        thread.spawn(move || remover.remove_until_the_end()).map_err(failure("start the thread for"))?;
        Ok(root)
    }

    /// Makes an empty directory for one call. It blocks: when many directories wait to be removed, it removes one.
    pub(super) fn make(&self) -> Result<ScratchDirectory, SandboxError> {
        let name = {
            let mut queue = self.shared.queue();
            let behind = queue.waiting.len() >= self.shared.max_waiting;
            let first = if behind { queue.waiting.pop_front() } else { None };
            let name = queue.next.to_string();
            queue.next += 1;
            drop(queue);
            if let Some(first) = first {
                self.shared.remove(&first);
            }
            name
        };
        make_private(&self.shared.folder, &name).map_err(|source| SandboxError::File {
            action: "create",
            path: self.shared.path.join(&name),
            source,
        })?;
        self.shared.queue().owners += 1;
        Ok(ScratchDirectory { shared: Arc::clone(&self.shared), name })
    }
}

impl ScratchDirectory {
    /// Returns where it is on the host.
    pub(super) fn place(&self) -> PathBuf {
        self.shared.path.join(&self.name)
    }
}

impl Drop for ScratchDirectory {
    fn drop(&mut self) {
        let mut queue = self.shared.queue();
        queue.waiting.push_back(std::mem::take(&mut self.name));
        queue.owners -= 1;
        drop(queue);
        self.shared.changed.notify_all();
    }
}

impl Drop for ScratchRoot {
    fn drop(&mut self) {
        self.shared.queue().owners -= 1;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    /// Removes what waits until nobody is left who could add to it.
    fn remove_until_the_end(&self) {
        loop {
            let mut queue = self.queue();
            let name = loop {
                if let Some(name) = queue.waiting.pop_front() {
                    break name;
                }
                if queue.owners == 0 {
                    return;
                }
                queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
            };
            drop(queue);
            self.remove(&name);
        }
    }

    fn remove(&self, name: &str) {
        if let Err(error) = remove_tree(&self.folder, OsStr::new(name)) {
            let place = self.path.join(name);
            tracing::warn!(place = %place.display(), %error, "a scratch directory stays until the next start");
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Nothing under the lock can panic.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens the folder, for its owner alone. A link in its place is refused.
fn open_private(directory: &Path) -> io::Result<Dir> {
    std::fs::DirBuilder::new().recursive(true).mode(PRIVATE).create(directory)?;
    let parent = Dir::open_ambient_dir(directory, ambient_authority())?;
    match make_private(&parent, FOLDER) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => made?,
    }
    if !parent.symlink_metadata(FOLDER)?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    parent.set_permissions(FOLDER, Permissions::from_mode(PRIVATE))?;
    parent.open_dir(FOLDER)
}

fn make_private(parent: &Dir, name: &str) -> io::Result<()> {
    parent.create_dir_with(name, DirBuilder::new().mode(PRIVATE))
}

/// Removes what an earlier process left.
fn empty(folder: &Dir) -> io::Result<()> {
    let mut outcome = Ok(());
    for entry in folder.entries()? {
        outcome = outcome.and(remove_tree(folder, &entry?.file_name()));
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt as _, symlink};

    /// Waits until the thread has removed everything.
    fn wait_until_empty(folder: &Path) {
        for _ in 0..2_000 {
            if fs::read_dir(folder).unwrap().count() == 0 {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        panic!("{} is not empty", folder.display());
    }

    #[test]
    fn directories_are_private_and_go_with_their_calls() {
        let directory = tempfile::tempdir().unwrap();
        let root = ScratchRoot::open(&directory.path().join("below")).unwrap();
        let (one, other) = (root.make().unwrap(), root.make().unwrap());
        assert_ne!(one.place(), other.place());
        for place in [one.place(), directory.path().join("below/scratch"), directory.path().join("below")] {
            assert_eq!(fs::metadata(place).unwrap().mode() & 0o7777, PRIVATE);
        }
        fs::create_dir_all(one.place().join("a/b/c")).unwrap();
        fs::write(one.place().join("a/b/file"), b"x").unwrap();
        drop(one);
        // The last one outlives the root, as a call may outlive its sandbox.
        drop(root);
        drop(other);
        wait_until_empty(&directory.path().join("below/scratch"));
    }

    #[test]
    fn what_was_left_goes_at_the_start() {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("scratch");
        fs::create_dir_all(folder.join("0/a/b")).unwrap();
        fs::create_dir_all(folder.join("0.0/a")).unwrap();
        fs::create_dir_all(folder.join("7.1")).unwrap();
        fs::write(folder.join("file"), b"x").unwrap();
        fs::write(directory.path().join("kept"), b"x").unwrap();
        symlink("..", folder.join("link")).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        let root = ScratchRoot::open(directory.path()).unwrap();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o7777, PRIVATE);
        assert!(directory.path().join("kept").exists());
        root.make().unwrap();
    }

    #[test]
    fn a_link_in_the_folders_place_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("elsewhere")).unwrap();
        fs::write(directory.path().join("elsewhere/kept"), b"x").unwrap();
        symlink("elsewhere", directory.path().join("scratch")).unwrap();
        assert!(ScratchRoot::open(directory.path()).is_err());
        assert!(directory.path().join("elsewhere/kept").exists());
    }

    #[test]
    fn what_waits_to_be_removed_is_bounded() {
        let directory = tempfile::tempdir().unwrap();
        let root = ScratchRoot::with_bound(directory.path(), 4).unwrap();
        for _ in 0..100 {
            let made: Vec<_> = (0..3).map(|_| root.make().unwrap()).collect();
            drop(made);
            // Three came since a directory was last made.
            assert!(root.shared.queue().waiting.len() < 4 + 3);
        }
        wait_until_empty(&directory.path().join("scratch"));
    }
}

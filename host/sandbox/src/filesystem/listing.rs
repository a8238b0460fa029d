//! What the host looks at in a guest's directories, off the async threads and through cap-std.

use super::ledger::{FileId, FileState};
use cap_std::fs::{Dir, Metadata, MetadataExt};
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// A name and the directory that it is in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight {
    /// The directory that holds the name, if there is one.
    pub(super) parent: Option<FileId>,
    /// What the name stands for, if anything.
    pub(super) target: Option<Target>,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub(super) state: FileState,
    pub(super) is_directory: bool,
}

/// Looks at a path below a directory. What cannot be seen is not there: the operation that follows says why.
pub(super) async fn look(directory: &Arc<File>, path: &str, follow: bool) -> io::Result<Sight> {
    let path = path.to_owned();
    blocking(directory, move |directory| {
        let metadata = if follow { directory.metadata(&path) } else { directory.symlink_metadata(&path) };
        let target = metadata.ok().map(|metadata| Target {
            state: FileState { id: identity(&metadata), length_bytes: metadata.len() },
            is_directory: metadata.is_dir(),
        });
        let parent = match Path::new(&path).parent() {
            Some(parent) if !parent.as_os_str().is_empty() => directory.metadata(parent),
            Some(_) | None => directory.dir_metadata(),
        };
        Ok(Sight { parent: parent.ok().map(|metadata| identity(&metadata)), target })
    })
    .await
}

/// Counts the entries of a directory, but not far beyond a bound.
pub(super) async fn entry_count(directory: &Arc<File>, bound: u64) -> io::Result<u64> {
    blocking(directory, move |directory| {
        let bound = usize::try_from(bound).unwrap_or(usize::MAX).saturating_add(1);
        Ok(directory.entries()?.take(bound).count() as u64)
    })
    .await
}

/// Runs something that waits for a disk.
async fn blocking<T: Send + 'static>(
    directory: &Arc<File>,
    work: impl FnOnce(&Dir) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let directory = Arc::clone(directory);
    let work = move || work(&Dir::from_std_file(directory.try_clone()?));
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

fn identity(metadata: &Metadata) -> FileId {
    FileId { device: metadata.dev(), inode: metadata.ino() }
}

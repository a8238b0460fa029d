//! The files of a call: its scratch directory and the host's directories that it may read.
//!
//! wasmtime's own implementation of `wasi:filesystem` keeps a guest inside the directories that it is given. This one
//! stands before it and counts: the bytes and names in the scratch directory (`ledger.rs`), the files that are open and
//! the entries of listings. Beyond a bound the call ends with [`FilesExceeded`]. A module without a grant has no
//! directory, so none of this runs for it.
//!
//! What must never happen: bytes reach the scratch directory before they are charged, the host follows a name that a
//! guest made (everything here goes through cap-std), or a guest makes a link. Links are refused, hard and symbolic:
//! with them a name would not be a file, so that neither removing nor replacing one would say what it frees, and the
//! host could be led astray by what a guest left.

mod host;
mod ledger;
mod listing;
mod remove;
mod scratch;
mod stream;
#[cfg(test)]
mod tests;

pub(crate) use host::{FilesView, add_to_linker};
pub(crate) use scratch::ScratchRoot;

use crate::error::SandboxError;
use crate::grants::Grants;
use crate::limits;
use ledger::Ledger;
use scratch::ScratchDirectory;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

/// What ends a call that wants too much of the files. It travels through wasmtime and comes out in `failure.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FilesExceeded {
    /// The scratch directory is full.
    #[error("more than {limit_bytes} bytes in the scratch directory")]
    Scratch {
        /// The manifest's bound, in bytes.
        limit_bytes: u64,
    },
    /// More files, directories and listings are open than may be.
    #[error("more than {limit} files open")]
    OpenFiles {
        /// The bound.
        limit: u64,
    },
}

/// The files of one call. Dropping it gives the scratch directory to be removed.
pub(crate) struct CallFiles {
    scratch: Option<CallScratch>,
    data: Vec<Data>,
    max_open: u64,
    /// Entries of all listings together.
    max_listed: u64,
    /// Every file and directory that the guest opened. An open one is alive: descriptors and streams share it.
    opened: Vec<Weak<File>>,
    /// The entries of each listing that the guest holds, by its handle.
    listings: BTreeMap<u32, u64>,
}

/// The scratch directory of one call.
struct CallScratch {
    ledger: Arc<Ledger>,
    directory: ScratchDirectory,
    /// Where the module sees it.
    path: String,
}

/// A directory for reading.
struct Data {
    name: String,
    host: PathBuf,
    /// Where the module sees it.
    path: String,
}

impl CallFiles {
    /// Makes the scratch directory, if the manifest has one; nothing when the manifest grants no files at all. It
    /// blocks when there is something to do.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub(crate) fn prepare(
        root: &ScratchRoot,
        grants: &Grants,
        max_open: u64,
    ) -> Result<Option<Self>, SandboxError> {
        if grants.manifest.scratch.is_none() && grants.directories.is_empty() {
            return Ok(None);
        }
        let scratch = match &grants.manifest.scratch {
            None => None,
            Some(wish) => Some(CallScratch {
                ledger: Arc::new(Ledger::new(wish.size_mib.saturating_mul(1 << 20))),
                directory: root.make()?,
                path: wish.path.clone(),
            }),
        };
        let data = grants.directories.iter().map(|(host, path)| {
            let named = grants.manifest.directories.iter().find(|directory| directory.path == *path);
            let name = named.map_or(path, |directory| &directory.name);
            Data { name: name.clone(), host: host.clone(), path: path.clone() }
        });
        let data = data.collect();
        let max_listed = limits::MAX_LISTED_ENTRIES;
        Ok(Some(Self { scratch, data, max_open, max_listed, opened: Vec::new(), listings: BTreeMap::new() }))
    }

    /// Lets the guest see the directories. It blocks.
    ///
    /// # Errors
    /// When a data directory is not there or cannot be opened; its name is in the text.
    pub(crate) fn grant(&self, builder: &mut WasiCtxBuilder) -> Result<(), SandboxError> {
        if let Some(scratch) = &self.scratch {
            let place = scratch.directory.place();
            builder
                .preopened_dir(&place, &scratch.path, FsPerms::ReadWrite)
                .map_err(|error| SandboxError::Files(format!("the scratch directory: {error:#}")))?;
        }
        for data in &self.data {
            builder.preopened_dir(&data.host, &data.path, FsPerms::ReadOnly).map_err(|error| {
                SandboxError::Files(format!("the data directory {}: {error:#}", data.name))
            })?;
        }
        Ok(())
    }

    /// Refuses one more open file beyond the bound.
    fn room_for_one(&mut self) -> Result<(), FilesExceeded> {
        self.opened.retain(|file| file.strong_count() > 0);
        let open = self.opened.len() + self.listings.len();
        if open as u64 >= self.max_open {
            return Err(FilesExceeded::OpenFiles { limit: self.max_open });
        }
        Ok(())
    }
}

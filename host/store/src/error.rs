//! The errors of the byte-level store: of a running backend, and of opening one.
//!
//! Host failures only: none of these is ever an error of the Amazon States Language. Each message that can
//! reach an operator says what to do.

use std::path::PathBuf;

use crate::batch::{Epoch, ShardId, Space};

/// Why a call to a running backend failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// An expectation of the batch did not hold. Nothing of the batch was stored.
    #[error("a condition of the batch does not hold: read the records again and decide anew")]
    Conflict,

    /// The batch carries an epoch older than the newest one seen for its shard. Nothing of it was stored.
    #[error("shard {shard} now belongs to epoch {current}: whoever sent this batch must drop the shard", shard = .shard.0, current = .current.0)]
    Fenced {
        /// The shard whose fence refused the batch.
        shard: ShardId,
        /// The epoch that holds the shard now.
        current: Epoch,
    },

    /// Free space is below the reserve. Nothing was stored and nothing is lost.
    #[error(
        "the disk is nearly full: new work is refused until space is freed or the volume is enlarged; no restart is needed"
    )]
    Full,

    /// A stored value is damaged: its checksum or its layout is wrong.
    #[error(
        "the value of space {space}, key {key} is damaged ({detail}): restore the latest export into an empty directory"
    )]
    Corrupt {
        /// The space of the damaged value.
        space: Space,
        /// Its key in hexadecimal digits.
        key: String,
        /// What is wrong with it.
        detail: String,
    },

    /// The outcome of the commit is not known (the connection was lost, or the process is going down): read
    /// again before retrying.
    #[error("it is not known whether the batch was stored: read the records again before retrying")]
    Unknown,

    /// An earlier commit failed inside the engine. The backend acknowledges nothing any more.
    #[error(
        "the store has stopped: {reason}. Everything acknowledged before is on disk: check the disk, then restart; \
         if the store does not open, restore the latest export into an empty directory"
    )]
    Poisoned {
        /// What went wrong first.
        reason: String,
    },

    /// The backend was closed.
    #[error("the store is closed: the server is shutting down")]
    Closed,

    /// A key, a value, a batch or a request is over a bound of [`crate::limits`].
    #[error("{what} is {actual}, over the limit of {limit}")]
    TooLarge {
        /// What is too large, with its unit.
        what: &'static str,
        /// Its size.
        actual: usize,
        /// The bound.
        limit: usize,
    },

    /// The call can never succeed: a mistake of the caller.
    #[error("the store was called wrongly: {0}")]
    Invalid(&'static str),
}

/// Why a store could not be opened. Nothing was changed in it unless the message says so.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A newer version wrote the store.
    #[error(
        "{path} was written in format {found}, this version reads up to {supported}: start the newer version again, \
         or restore an export that this version can read", path = .path.display()
    )]
    NewerFormat {
        /// The directory of the store.
        path: PathBuf,
        /// The format found.
        found: u32,
        /// The newest format that this build reads.
        supported: u32,
    },

    /// An older version wrote the store, and this one can no longer read it.
    #[error(
        "{path} was written in format {found}, this version reads formats {oldest} to {supported}: start the older \
         version again, or start this one on an empty directory", path = .path.display()
    )]
    OlderFormat {
        /// The directory of the store.
        path: PathBuf,
        /// The format found.
        found: u32,
        /// The oldest format that this build reads.
        oldest: u32,
        /// The newest format that this build reads.
        supported: u32,
    },

    /// Another process, or another handle in this one, has the store open.
    #[error(
        "{path} is held by another running server{holder}: stop that one first, or choose another data directory", path = .path.display()
    )]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// " (process 123)" if the holder wrote its id, otherwise empty.
        holder: String,
    },

    /// The store is older than its watermark: acknowledged commits are missing.
    #[error(
        "{path} ends at commit {found}, but commit {watermark} was acknowledged: data is missing (a file was removed, \
         replaced by an older copy, or the disk lost writes). Bring back the missing files, or restore the latest \
         export into an empty directory", path = .path.display()
    )]
    Behind {
        /// The directory of the store.
        path: PathBuf,
        /// The last commit found.
        found: u64,
        /// The last commit known to have been acknowledged.
        watermark: u64,
    },

    /// The files cannot be read as a store.
    #[error(
        "{path} is damaged: {detail}. Keep a copy of it, then restore the latest export into an empty directory and \
         start the server on that", path = .path.display()
    )]
    Damaged {
        /// The directory of the store.
        path: PathBuf,
        /// What was found.
        detail: String,
    },

    /// The disk is full: opening writes a little, too.
    #[error("there is no space left for {path}: free some and start again; the data is intact", path = .path.display())]
    NoSpace {
        /// The directory of the store.
        path: PathBuf,
    },

    /// The operating system refused an operation on the directory.
    #[error("cannot {action} {path}: {source}; check that the directory exists, is writable and has free space", path = .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// The answer of the operating system.
        source: std::io::Error,
    },
}

impl StoreError {
    /// A damaged value of `space`.
    pub(crate) fn corrupt(space: Space, key: &[u8], detail: &str) -> StoreError {
        let key = format!("{:x}", bytes::Bytes::copy_from_slice(key));
        StoreError::Corrupt { space, key, detail: detail.to_owned() }
    }
}

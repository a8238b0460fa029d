//! Export and import: everything in a store as one file, and back into an empty store of any engine.
//!
//! A logical copy: values, not pages of an engine. `export` makes the bytes, `import` takes them, `format` is what they
//! look like, `live` lets a store be exported while it is written. This folder must never know what a record means,
//! and never leave a store that looks whole when an import was cut short.

mod export;
mod format;
mod import;
mod live;

use crate::{backend::Backend, batch::Space, error::StoreError, limits::FIRST_RESERVED_SPACE};

pub use export::Export;
pub use format::{Head, Totals};
pub use import::{check_export, import};
pub use live::Recorder;

/// Holds one record while an import is under way, and nothing otherwise.
const IMPORTS: Space = Space::new(FIRST_RESERVED_SPACE - 1);
/// The key of that record.
const UNDER_WAY: &[u8] = b"import";

/// Why an export or an import failed.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The file does not begin as an export does.
    #[error("this is no export of a Stepwell store")]
    NotAnExport,

    /// The file has another layout than this version knows.
    #[error(
        "the export has file format {found}, this version reads {supported}: use the version that made it"
    )]
    OtherExport {
        /// The layout found.
        found: u32,
        /// The layout that this build reads and writes.
        supported: u32,
    },

    /// The records in the file have a format that this version does not read.
    #[error(
        "the records of the export have format {found}, this version reads formats {oldest} to {supported}: import it \
         with the version that made it"
    )]
    OtherRecords {
        /// The format found.
        found: u32,
        /// The oldest format that this build reads.
        oldest: u32,
        /// The newest format that this build reads.
        supported: u32,
    },

    /// A frame of the file is not as it was written.
    #[error(
        "frame {frame} of the export, before byte {at_byte}, is damaged: {detail}. Use another copy of the file"
    )]
    Damaged {
        /// Number of the frame, from 1.
        frame: u64,
        /// How far the file had been read, in bytes.
        at_byte: u64,
        /// What is wrong.
        detail: &'static str,
    },

    /// The file ends before its end mark.
    #[error(
        "the export ends within frame {frame}, after {at_byte} bytes, without its end mark: it was cut off while it was \
         written or copied"
    )]
    CutOff {
        /// Number of the frame, from 1.
        frame: u64,
        /// Bytes of the file.
        at_byte: u64,
    },

    /// The file could not be read.
    #[error("cannot read the export: {0}")]
    Read(std::io::Error),

    /// The store to import into holds records.
    #[error(
        "the store is not empty (space {space} has records): an import needs a new directory or file, so that nothing \
         is mixed or overwritten"
    )]
    NotEmpty {
        /// The first space with a record.
        space: Space,
    },

    /// An import into the store was begun and not finished.
    #[error(
        "an import into this store was cut short, so it holds only a part: run `stepwell store import` into it again \
         (it starts anew), or remove it"
    )]
    Unfinished,

    /// The store was written faster than the export was taken away.
    #[error(
        "the store changed faster than the export was read: try again at a quieter time, read it faster, or stop the \
         server and export offline"
    )]
    TooSlow,

    /// Another export of the running store is under way.
    #[error("another export of this store is under way: wait for its end")]
    Busy,

    /// Commits that were sent before do not come to an end.
    #[error("the store does not answer: the export cannot find a moment to begin or to end at")]
    Stuck,

    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Refuses a store into which an import was begun and not finished. Whoever serves a store asks first.
pub async fn check_whole(backend: &dyn Backend) -> Result<(), TransferError> {
    match backend.get(IMPORTS, UNDER_WAY).await? {
        None => Ok(()),
        Some(_) => Err(TransferError::Unfinished),
    }
}

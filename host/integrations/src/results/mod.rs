//! Where the results of a distributed Map go: files under `PREFIX/MAP RUN/` and a manifest that names them
//! (specification, "ResultWriter"; API reference, section 6.9).
//!
//! The same results come out as the same files under the same names, so they can be written again after a crash. It must
//! never hold more than a piece of each file that is open.

mod file;
mod record;
mod sinks;

pub use sinks::S3Results;

/// Bytes of a result file, about: the next record begins another. AWS splits at a size that it does not tell.
const FILE_BYTES: usize = 512 * 1024 * 1024;
/// Bytes that are collected before they are written.
const PIECE_BYTES: usize = 1024 * 1024;
/// Files that are looked at when those of an earlier writing are removed.
const STALE_FILES: usize = 10_000;

//! The bounds of readers.

/// Bytes that are read at a time.
pub(super) const PIECE_BYTES: usize = 256 * 1024;
/// Bytes of one item where it is read: a row, a line, an element. A child's input is smaller still.
pub(super) const ITEM_BYTES: usize = 16 * 1024 * 1024;
/// How deep what is skipped may nest.
pub(super) const DEPTH: usize = 10_000;
/// Largest window of a zstd file (the format recommends that decoders take 8 MiB).
pub(super) const WINDOW_BYTES: u64 = 128 * 1024 * 1024;
/// Bytes of a manifest.
pub(super) const MANIFEST_BYTES: usize = 16 * 1024 * 1024;
/// Bytes of a Parquet file: it is copied to the disk to be read (AWS takes 5 GB).
pub(super) const PARQUET_BYTES: u64 = 16 * 1024 * 1024 * 1024;
/// Objects that one reader lists.
pub(super) const LISTED_OBJECTS: usize = 100_000_000;
/// Bytes of a listing that are kept within the pin; longer ones are in a file.
pub(super) const PINNED_BYTES: usize = 48 * 1024;
/// Objects that are listed at a time.
pub(super) const PAGE_OBJECTS: usize = 1_000;

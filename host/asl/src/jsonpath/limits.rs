//! The bounds of the JSONPath engine: every loop, recursion and allocation over a path or a document ends
//! at one of these. Must never hold a bound that depends on the machine or on time.

/// Longest path text, in characters. A definition is at most 1 MB; real paths are below 200.
pub(super) const MAX_PATH_CHARS: usize = 16_384;
/// Most steps in one path text, those of its filters and function parameters included. It bounds the
/// recursion of the evaluation, which goes one call deeper with each branching step.
pub(super) const MAX_STEPS: usize = 512;
/// Deepest nesting of filters, parentheses, negations and parameters in one path text.
pub(super) const MAX_NESTING: usize = 24;
/// Deepest nesting of a JSON literal inside a path text.
pub(super) const MAX_LITERAL_DEPTH: usize = 64;
/// Most nodes one evaluation may look at (a comparison with a list counts each of its elements). A full
/// 256 KiB payload has fewer than 140,000 nodes; the bound stops paths such as `$..*..*..*`.
pub(super) const MAX_VISITS: u64 = 10_000_000;
/// Most that one evaluation may copy out of the document, in units: one for each node and one for each byte
/// of text. That is 32 times the payload quota of Step Functions.
pub(super) const MAX_COPIED_UNITS: u64 = 8 * 1_024 * 1_024;
/// Longest text of a value that is quoted inside an error message, in characters.
pub(super) const MAX_QUOTED_CHARS: usize = 4_096;
/// Sizes of compiled patterns in bytes, with the visits that matching one byte of text costs, because the time
/// of a match grows with both. A pattern larger than the last is refused; one instruction takes about 32 bytes.
pub(super) const PATTERN_CLASSES: [(usize, usize); 4] =
    [(2_048, 8), (8_192, 32), (32_768, 128), (131_072, 512)];

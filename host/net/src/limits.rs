//! The bounds of outgoing connections.

use std::time::Duration;

/// Longest time for looking up a host's name.
pub(crate) const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);
/// Names that are looked up at the same time, for the whole process: each keeps a thread.
pub(crate) const MAX_LOOKUPS: usize = 64;
/// Addresses of one host that are tried.
pub(crate) const MAX_ADDRESSES: usize = 16;
/// Longest name of a host, in characters (RFC 1035).
pub(crate) const MAX_NAME_CHARS: usize = 253;
/// Longest part of a name between two dots, in characters (RFC 1035).
pub(crate) const MAX_LABEL_CHARS: usize = 63;

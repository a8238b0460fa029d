//! The trait of a backend: an ordered, durable byte store with conditional atomic batches.
//!
//! It fits an embedded engine and a relational one alike, so it must never grow closures, interactive
//! transactions, unbounded reads, or anything that only one process beside the data could promise.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;

use crate::{
    batch::{Batch, CommitSeq, Key, Space, check_key_length},
    error::StoreError,
    limits,
    stats::{Compacted, Stats, Verified},
};

/// An ordered, durable byte store.
///
/// What a call returns is durable: neither a commit nor a read ever shows data that a crash could still undo.
#[async_trait]
pub trait Backend: Send + Sync {
    /// Stores a batch, all or nothing; `Ok` means durable. Concurrent commits are merged into one flush inside.
    /// Dropping the future does not withdraw a batch that is already queued.
    ///
    /// Errors: `Conflict` and `Fenced` refuse this batch alone; `Full`, `TooLarge` and `Invalid` stored nothing;
    /// after `Unknown`, read again before retrying; `Poisoned` and `Closed` are final for this handle.
    async fn commit(&self, batch: Batch) -> Result<CommitSeq, StoreError>;

    /// Reads one value with its version. `Corrupt` if its checksum is wrong.
    async fn get(&self, space: Space, key: &[u8]) -> Result<Option<Versioned>, StoreError>;

    /// Reads one page of a range, in key order or in reverse. `limit` is at least 1 and cut to
    /// [`limits::PAGE_ITEMS`]; a page may end earlier at [`limits::PAGE_BYTES`]. One page is one consistent
    /// state; the next page may show a later one.
    async fn scan(
        &self,
        space: Space,
        range: KeyRange,
        reverse: bool,
        limit: usize,
    ) -> Result<Page, StoreError>;

    /// Deletes up to `max` of the first keys of a range, in small batches that let commits pass, and returns
    /// how many. Fewer than `max` means that the range is empty. After an error some may be gone.
    async fn delete_range(&self, space: Space, range: KeyRange, max: usize) -> Result<u64, StoreError>;

    /// Reads every record and compares all of them with what the last commit left, while commits go on; see
    /// [`crate::verify`]. A backend that keeps no checksums reports itself as intact without reading.
    async fn verify(&self) -> Result<Verified, StoreError> {
        Ok(Verified { complete: true, ..Verified::default() })
    }

    /// Size and counters, without reading records.
    async fn stats(&self) -> Result<Stats, StoreError> {
        Ok(Stats { engine: self.describe(), ..Stats::default() })
    }

    /// Gives free space inside the files back to the file system; commits and reads wait meanwhile.
    async fn compact(&self) -> Result<Compacted, StoreError> {
        Ok(Compacted::Unsupported("this store has no files of its own"))
    }

    /// One line for the log and the console: engine, version, place.
    fn describe(&self) -> String;

    /// A handle that reports the failure after which the backend acknowledges nothing any more. The server
    /// waits on it and exits with the message.
    fn fatal(&self) -> Fatal;

    /// Finishes what is queued, makes it durable and lets go of the files; later calls fail with `Closed`.
    async fn close(&self) -> Result<(), StoreError>;
}

/// A value and the number of the commit that wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned {
    /// The value.
    pub value: Bytes,
    /// Equals the [`CommitSeq`] of the commit that wrote the value; to be used in `expect_version`.
    pub version: u64,
}

/// Keys from `start` (included) to `end` (excluded; none: to the end of the space).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyRange {
    /// First key of the range.
    pub start: Key,
    /// First key after the range.
    pub end: Option<Key>,
}

impl KeyRange {
    /// All keys of a space.
    pub fn all() -> Self {
        Self::default()
    }

    /// All keys that begin with these bytes.
    pub fn prefix(prefix: impl Into<Key>) -> Self {
        let start = prefix.into();
        // The first key after all of them: the last byte that can grow, grown by one. All 0xFF: no end.
        let end = start.iter().rposition(|byte| *byte != u8::MAX).map(|last| {
            let mut end = start[..=last].to_vec();
            end[last] += 1;
            Bytes::from(end)
        });
        Self { start, end }
    }

    /// Keys from `start` (included) to `end` (excluded).
    pub fn between(start: impl Into<Key>, end: impl Into<Key>) -> Self {
        Self { start: start.into(), end: Some(end.into()) }
    }

    /// This range without the keys up to and including `key`.
    #[must_use]
    pub fn after(mut self, key: &[u8]) -> Self {
        // The key followed by a zero byte is the very next one in bytewise order.
        let mut start = Vec::with_capacity(key.len() + 1);
        start.extend_from_slice(key);
        start.push(0);
        self.start = self.start.max(start.into());
        self
    }

    /// This range without `key` and the keys behind it.
    #[must_use]
    pub fn before(mut self, key: impl Into<Key>) -> Self {
        let key = key.into();
        self.end = Some(self.end.map_or(key.clone(), |end| end.min(key)));
        self
    }

    /// Whether no key can be in the range.
    pub fn is_empty(&self) -> bool {
        self.end.as_ref().is_some_and(|end| *end <= self.start)
    }

    /// Whether a key lies in the range.
    pub fn contains(&self, key: &[u8]) -> bool {
        key >= &self.start[..] && self.end.as_ref().is_none_or(|end| key < &end[..])
    }

    /// The rest of the range once `last` was read.
    pub(crate) fn rest(self, last: &[u8], reverse: bool) -> Self {
        if reverse { self.before(Bytes::copy_from_slice(last)) } else { self.after(last) }
    }

    /// Refuses bounds that no key can need. The successor of a longest key, one byte longer, is allowed.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let longest = self.start.len().max(self.end.as_ref().map_or(0, Bytes::len));
        check_key_length(longest.saturating_sub(1))
    }
}

/// One page of a scan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Keys and values, in the order of the scan.
    pub items: Vec<(Bytes, Bytes)>,
    /// What is left of the range, if it holds more; scan it in the same direction for the next page.
    pub next: Option<KeyRange>,
}

/// Reports the failure after which a backend acknowledges nothing any more.
#[derive(Debug, Clone)]
pub struct Fatal(watch::Receiver<Option<Arc<str>>>);

impl Fatal {
    /// Waits for the failure and returns its message; never returns if the backend is closed in good order.
    pub async fn wait(&mut self) -> String {
        match self.0.wait_for(Option::is_some).await {
            Ok(reason) => reason.as_deref().unwrap_or_default().to_owned(),
            Err(_) => std::future::pending().await,
        }
    }

    /// The message, if the backend has failed.
    pub fn reason(&self) -> Option<String> {
        self.0.borrow().as_deref().map(str::to_owned)
    }
}

/// The sending end of [`Fatal`]: the first failure stays.
#[derive(Debug)]
pub(crate) struct Poison(watch::Sender<Option<Arc<str>>>);

impl Default for Poison {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Poison {
    pub(crate) fn set(&self, reason: &str) {
        self.0.send_if_modified(|current| {
            let first = current.is_none();
            if first {
                *current = Some(reason.into());
            }
            first
        });
    }

    pub(crate) fn check(&self) -> Result<(), StoreError> {
        match self.0.borrow().as_deref() {
            None => Ok(()),
            Some(reason) => Err(StoreError::Poisoned { reason: reason.to_owned() }),
        }
    }

    pub(crate) fn watch(&self) -> Fatal {
        Fatal(self.0.subscribe())
    }
}

/// The number of items of a page: at least one, so that a loop over pages ends.
pub(crate) fn page_items(limit: usize) -> Result<usize, StoreError> {
    if limit == 0 {
        Err(StoreError::Invalid("a page of no items"))
    } else {
        Ok(limit.min(limits::PAGE_ITEMS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_before_the_next_one() {
        let cases: [(&[u8], Option<&[u8]>); 5] = [
            (b"", None),
            (b"a", Some(b"b")),
            (b"a\xff", Some(b"b")),
            (b"\xff\xff", None),
            (b"a\xfe", Some(b"a\xff")),
        ];
        for (prefix, end) in cases {
            assert_eq!(KeyRange::prefix(prefix).end.as_deref(), end, "{prefix:?}");
        }
    }

    #[test]
    fn the_rest_of_a_range_excludes_what_was_read() {
        let range = KeyRange::prefix("a");
        assert!(!range.clone().rest(b"ab", false).contains(b"ab"));
        assert!(range.clone().rest(b"ab", false).contains(b"ab\0"));
        assert!(!range.clone().rest(b"ab", true).contains(b"ab"));
        assert!(range.clone().rest(b"ab", true).contains(b"aa\xff"));
        assert!(range.before("a").is_empty());
    }

    #[tokio::test]
    async fn the_first_failure_is_the_one_reported() {
        let poison = Poison::default();
        let mut fatal = poison.watch();
        assert_eq!((fatal.reason(), poison.check()), (None, Ok(())));
        poison.set("first");
        poison.set("second");
        assert_eq!(fatal.wait().await, "first");
        assert_eq!(poison.check(), Err(StoreError::Poisoned { reason: "first".into() }));
    }
}

//! What a commit carries: operations, the conditions under which they hold, and the fence of a shard.
//!
//! Plain data, the same for embedded and relational backends: no closures, no interactive transactions. It
//! must never know how a backend stores keys.

use std::fmt;

use bytes::Bytes;

use crate::{error::StoreError, limits};

/// A key within a space: at most [`limits::KEY_BYTES`] bytes, ordered bytewise.
pub type Key = Bytes;

/// A named part of the key space, one byte on disk. Keys of different spaces never mix in a scan.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Space(u8);

impl Space {
    /// The current epoch of each shard, as written by fences: keyed by [`fence_key`], read with [`epoch_of`].
    /// Callers may read it and never write it.
    pub const FENCES: Self = Self(0xFD);
    /// Chunks of long values.
    pub(crate) const CHUNKS: Self = Self(0xFE);
    /// The backend's own records.
    pub(crate) const META: Self = Self(0xFF);

    /// Names a space by its byte.
    ///
    /// # Panics
    /// If the byte is [`limits::FIRST_RESERVED_SPACE`] or above; in a constant this is a compile error.
    pub const fn new(byte: u8) -> Self {
        assert!(byte < limits::FIRST_RESERVED_SPACE, "this space byte is reserved for the store itself");
        Self(byte)
    }

    /// The byte of this space.
    pub const fn byte(self) -> u8 {
        self.0
    }

    /// Every space that callers may read, in their order: those of callers, then [`Space::FENCES`].
    pub fn readable() -> impl Iterator<Item = Self> {
        (0..limits::FIRST_RESERVED_SPACE).map(Self).chain([Self::FENCES])
    }

    pub(crate) const fn from_byte(byte: u8) -> Self {
        Self(byte)
    }

    /// Refuses spaces that callers must not read.
    pub(crate) fn check_readable(self) -> Result<(), StoreError> {
        if self == Self::FENCES || self.0 < limits::FIRST_RESERVED_SPACE {
            Ok(())
        } else {
            Err(StoreError::Invalid("this space is internal"))
        }
    }

    /// Refuses spaces that callers must not write.
    pub(crate) fn check_writable(self) -> Result<(), StoreError> {
        if self.0 < limits::FIRST_RESERVED_SPACE {
            Ok(())
        } else {
            Err(StoreError::Invalid("this space is written by the store only"))
        }
    }
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_ascii_graphic() {
            write!(f, "{}", char::from(self.0))
        } else {
            write!(f, "0x{:02x}", self.0)
        }
    }
}

impl fmt::Debug for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Space({self})")
    }
}

/// A set of executions with one writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u32);

/// The tenure of a shard's writer; it grows with every change of owner. No epoch stored means 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// The number of a commit: strictly growing, also over restarts. Values written by a commit have it as their
/// version. It may skip numbers, and an export does not carry it over: never store one in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitSeq(pub u64);

/// A condition that must hold at the moment of the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// The key has no value.
    Absent(Space, Key),
    /// The key has a value, and it has this version.
    Version(Space, Key, u64),
}

impl Expect {
    /// The key that is looked at.
    pub fn key(&self) -> (Space, &Key) {
        match self {
            Self::Absent(space, key) | Self::Version(space, key, _) => (*space, key),
        }
    }
}

/// A change of one key. Of several changes to one key in a batch the last one wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Stores a value, whether or not there was one.
    Put(Space, Key, Bytes),
    /// Stores a value under a key that has none: the caller promises it, so nobody looks for an old value. What a
    /// broken promise leaves is undefined, up to a store that counts as damaged; debug builds refuse it as
    /// [`StoreError::Invalid`]. Whoever repeats a batch after [`StoreError::Unknown`] must not repeat the promise
    /// unread.
    Insert(Space, Key, Bytes),
    /// Removes the value, if there is one.
    Delete(Space, Key),
}

impl Op {
    /// The key that is changed.
    pub fn key(&self) -> (Space, &Key) {
        match self {
            Self::Put(space, key, _) | Self::Insert(space, key, _) | Self::Delete(space, key) => {
                (*space, key)
            }
        }
    }
}

/// What one commit does, all or nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// Conditions; if one fails, the batch is refused as [`StoreError::Conflict`].
    pub expect: Vec<Expect>,
    /// Changes, in order.
    pub ops: Vec<Op>,
    /// The shard and epoch on whose behalf the batch is sent. An epoch below the stored one is refused as
    /// [`StoreError::Fenced`]; one above it becomes the stored one with this very commit.
    pub fence: Option<(ShardId, Epoch)>,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the storing of a value of at most [`limits::VALUE_BYTES`] bytes.
    pub fn put(&mut self, space: Space, key: impl Into<Key>, value: impl Into<Bytes>) -> &mut Self {
        self.ops.push(Op::Put(space, key.into(), value.into()));
        self
    }

    /// Adds the storing of a value under a key that has none, without a look at what is there: see [`Op::Insert`].
    pub fn insert(&mut self, space: Space, key: impl Into<Key>, value: impl Into<Bytes>) -> &mut Self {
        self.ops.push(Op::Insert(space, key.into(), value.into()));
        self
    }

    /// Adds the removal of a value.
    pub fn delete(&mut self, space: Space, key: impl Into<Key>) -> &mut Self {
        self.ops.push(Op::Delete(space, key.into()));
        self
    }

    /// Adds the condition that the key has no value.
    pub fn expect_absent(&mut self, space: Space, key: impl Into<Key>) -> &mut Self {
        self.expect.push(Expect::Absent(space, key.into()));
        self
    }

    /// Adds the condition that the key's value has this version.
    pub fn expect_version(&mut self, space: Space, key: impl Into<Key>, version: u64) -> &mut Self {
        self.expect.push(Expect::Version(space, key.into(), version));
        self
    }

    /// Sends the batch on behalf of the owner of a shard.
    pub fn fenced_by(&mut self, shard: ShardId, epoch: Epoch) -> &mut Self {
        self.fence = Some((shard, epoch));
        self
    }

    /// Whether the batch neither changes nor checks anything.
    pub fn is_empty(&self) -> bool {
        self.expect.is_empty() && self.ops.is_empty() && self.fence.is_none()
    }

    /// Bytes of all keys and values.
    pub fn bytes(&self) -> usize {
        let expected: usize = self.expect.iter().map(|expect| expect.key().1.len()).sum();
        let changed = self.ops.iter().map(|op| match op {
            Op::Put(_, key, value) | Op::Insert(_, key, value) => key.len() + value.len(),
            Op::Delete(_, key) => key.len(),
        });
        expected + changed.sum::<usize>()
    }

    /// Checks every bound and every space before the batch is queued, and returns its size in bytes.
    pub(crate) fn check(&self) -> Result<usize, StoreError> {
        bound("the number of entries of a batch", self.ops.len() + self.expect.len(), limits::BATCH_ENTRIES)?;
        for (space, key) in self.expect.iter().map(Expect::key) {
            space.check_readable()?;
            check_key_length(key.len())?;
        }
        for op in &self.ops {
            let (space, key) = op.key();
            space.check_writable()?;
            check_key_length(key.len())?;
            if let Op::Put(_, _, value) | Op::Insert(_, _, value) = op {
                bound("the length of a value in bytes", value.len(), limits::VALUE_BYTES)?;
            }
        }
        let bytes = self.bytes();
        bound("the size of a batch in bytes", bytes, limits::BATCH_BYTES)?;
        Ok(bytes)
    }
}

/// The key of a shard's epoch in [`Space::FENCES`].
pub fn fence_key(shard: ShardId) -> Key {
    Bytes::copy_from_slice(&shard.0.to_be_bytes())
}

/// Reads an epoch as stored in [`Space::FENCES`]; `None` if the value is not one.
pub fn epoch_of(value: &[u8]) -> Option<Epoch> {
    Some(Epoch(u64::from_be_bytes(value.try_into().ok()?)))
}

/// What a broken promise of [`Op::Insert`] is answered with in debug builds.
pub(crate) const NOT_ABSENT: StoreError = StoreError::Invalid("an insert of a key that has a value");

pub(crate) fn check_key_length(bytes: usize) -> Result<(), StoreError> {
    bound("the length of a key in bytes", bytes, limits::KEY_BYTES)
}

fn bound(what: &'static str, actual: usize, limit: usize) -> Result<(), StoreError> {
    if actual > limit { Err(StoreError::TooLarge { what, actual, limit }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPACE: Space = Space::new(b'E');

    #[test]
    fn bounds_and_reserved_spaces_are_refused_before_anything_is_stored() {
        let mut batch = Batch::new();
        batch.put(SPACE, vec![0; limits::KEY_BYTES], "v");
        assert_eq!(batch.check(), Ok(limits::KEY_BYTES + 1));
        batch.expect_absent(SPACE, vec![0; limits::KEY_BYTES + 1]);
        assert!(matches!(batch.check(), Err(StoreError::TooLarge { .. })));

        let mut batch = Batch::new();
        batch.put(SPACE, "k", vec![0; limits::VALUE_BYTES + 1]);
        assert!(matches!(batch.check(), Err(StoreError::TooLarge { .. })));

        for space in [Space::FENCES, Space::CHUNKS, Space::META] {
            assert!(matches!(Batch::new().put(space, "k", "v").check(), Err(StoreError::Invalid(_))));
            assert!(matches!(Batch::new().delete(space, "k").check(), Err(StoreError::Invalid(_))));
        }
        assert!(Batch::new().expect_absent(Space::FENCES, fence_key(ShardId(1))).check().is_ok());
        assert!(Batch::new().expect_absent(Space::META, "format").check().is_err());
    }

    #[test]
    fn a_space_shows_as_its_letter_or_in_hex() {
        assert_eq!((SPACE.to_string(), Space::META.to_string()), ("E".into(), "0xff".into()));
    }
}

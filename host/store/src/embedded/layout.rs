//! Keys and values as they lie in an engine's map, and how they are read back.
//!
//! A record's key is the space byte and the caller's key. A value over [`View::PAYLOAD_BYTES`] has a head record
//! there and its chunks in the space of chunks, under that whole key and the chunk's number (u32, big-endian): two
//! chunk keys are equal only if key and number are. It must never write; writes are in `group`.

use bytes::{Bytes, BytesMut};

use super::{ReadError, engine::View};
use crate::{
    backend::{KeyRange, Page, Versioned},
    batch::Space,
    envelope::{self, Kind, Record},
    error::StoreError,
    limits,
};

/// What must be known of a stored value to replace it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) version: u64,
    pub(super) chunks: u32,
}

/// A read: what it looks for, and how.
pub(super) trait Look: Send + 'static {
    /// What is found.
    type Found: Send + 'static;

    /// Looks; `None` if it would copy more than `budget` bytes.
    fn look<V: View>(&self, view: &V, budget: usize) -> Result<Option<Self::Found>, ReadError>;
}

/// The read of one value, by the key of its record.
pub(super) struct Point(pub(super) Vec<u8>);

impl Look for Point {
    type Found = Option<Versioned>;

    fn look<V: View>(&self, view: &V, budget: usize) -> Result<Option<Self::Found>, ReadError> {
        let Some(found) = view.get(&self.0, |raw| read(&self.0, raw, V::PAYLOAD_BYTES))? else {
            return Ok(Some(None));
        };
        let found = found?;
        if found.bytes() > budget {
            return Ok(None);
        }
        Ok(Some(Some(found.finish(view, &self.0)?)))
    }
}

/// The read of one page of a space.
pub(super) struct Paged {
    pub(super) space: Space,
    pub(super) range: KeyRange,
    pub(super) reverse: bool,
    pub(super) limit: usize,
}

impl Look for Paged {
    type Found = Page;

    fn look<V: View>(&self, view: &V, budget: usize) -> Result<Option<Page>, ReadError> {
        let (mut items, mut bytes, mut more, mut fits) = (Vec::new(), 0, false, true);
        let (start, end) = bounds(self.space, &self.range);
        view.scan(&start, &end, self.reverse, &mut |key, raw| {
            more = items.len() >= self.limit || bytes >= limits::PAGE_BYTES;
            if more {
                return Ok(false);
            }
            let found = read(key, raw, V::PAYLOAD_BYTES)?;
            bytes += key.len() + found.bytes();
            fits = bytes <= budget;
            if fits {
                items.push((copied(&key[1..]), found.finish(view, key)?.value));
            }
            Ok(fits)
        })?;
        let next = items.last().filter(|_| more).map(|(last, _)| self.range.clone().rest(last, self.reverse));
        Ok(fits.then_some(Page { items, next }))
    }
}

/// The key of a record in the map.
pub(super) fn record_key(space: Space, key: &[u8]) -> Vec<u8> {
    let mut record_key = Vec::with_capacity(key.len() + 1);
    record_key.push(space.byte());
    record_key.extend_from_slice(key);
    record_key
}

/// The key of a chunk of the value under `record_key`.
pub(super) fn chunk_key(record_key: &[u8], number: u32) -> Vec<u8> {
    let mut chunk_key = Vec::with_capacity(record_key.len() + 5);
    chunk_key.push(Space::CHUNKS.byte());
    chunk_key.extend_from_slice(record_key);
    chunk_key.extend_from_slice(&number.to_be_bytes());
    chunk_key
}

/// The number of chunks for a value of that many bytes; none if it fits into its record.
pub(super) fn chunks_of(value_bytes: usize, payload_bytes: usize) -> u32 {
    if value_bytes <= payload_bytes {
        return 0;
    }
    // A value is bounded by `limits::VALUE_BYTES`, so this never saturates.
    u32::try_from(value_bytes.div_ceil(payload_bytes)).unwrap_or(u32::MAX)
}

/// The payload of a head record.
pub(super) fn encode_head(value_bytes: usize, payload_bytes: usize) -> [u8; 12] {
    let mut head = [0; 12];
    head[..8].copy_from_slice(&(value_bytes as u64).to_be_bytes());
    head[8..].copy_from_slice(&chunks_of(value_bytes, payload_bytes).to_be_bytes());
    head
}

/// Reads a head record: length of the value and number of its chunks.
fn decode_head(head: &[u8], payload_bytes: usize) -> Option<(usize, u32)> {
    let (length, chunks) = head.split_first_chunk::<8>()?;
    let length = usize::try_from(u64::from_be_bytes(*length)).ok()?;
    let chunks = u32::from_be_bytes(chunks.try_into().ok()?);
    (length <= limits::VALUE_BYTES && chunks_of(length, payload_bytes) == chunks).then_some((length, chunks))
}

/// Reads what is needed to replace the value under a key.
pub(super) fn slot<V: View>(view: &V, record_key: &[u8]) -> Result<Option<Slot>, ReadError> {
    let slot = view.get(record_key, |raw| {
        let record = open(record_key, raw)?;
        let chunks = head_of(record_key, &record, V::PAYLOAD_BYTES)?.map_or(0, |(_, chunks)| chunks);
        Ok(Slot { version: record.commit, chunks })
    })?;
    slot.transpose()
}

/// Reads one value, whatever its length.
pub(super) fn get<V: View>(view: &V, record_key: &[u8]) -> Result<Option<Versioned>, ReadError> {
    let found = view.get(record_key, |raw| read(record_key, raw, V::PAYLOAD_BYTES))?;
    found.map(|found| found?.finish(view, record_key)).transpose()
}

/// The first keys of a range's records, as they lie in the map.
pub(super) fn first_keys<V: View>(
    view: &V,
    space: Space,
    range: &KeyRange,
    max: usize,
) -> Result<Vec<Vec<u8>>, ReadError> {
    let mut keys = Vec::new();
    let (start, end) = bounds(space, range);
    view.scan(&start, &end, false, &mut |key, _| {
        let room = keys.len() < max;
        if room {
            keys.push(key.to_vec());
        }
        Ok(room)
    })?;
    Ok(keys)
}

fn bounds(space: Space, range: &KeyRange) -> (Vec<u8>, Vec<u8>) {
    let start = record_key(space, &range.start);
    let end = match &range.end {
        Some(end) => record_key(space, end),
        None => vec![space.byte() + 1],
    };
    // Engines misread a range that ends before it starts.
    let end = end.max(start.clone());
    (start, end)
}

/// A value found under its key: complete, or the head of one in chunks.
enum Found {
    Inline(Versioned),
    Head { length: usize, chunks: u32, commit: u64 },
}

fn read(record_key: &[u8], raw: &[u8], payload_bytes: usize) -> Result<Found, ReadError> {
    let record = open(record_key, raw)?;
    Ok(match head_of(record_key, &record, payload_bytes)? {
        None => Found::Inline(Versioned { value: copied(record.payload), version: record.commit }),
        Some((length, chunks)) => Found::Head { length, chunks, commit: record.commit },
    })
}

impl Found {
    /// The length of the value.
    fn bytes(&self) -> usize {
        match self {
            Self::Inline(stored) => stored.value.len(),
            Self::Head { length, .. } => *length,
        }
    }

    /// The value, with its chunks read and joined.
    fn finish<V: View>(self, view: &V, record_key: &[u8]) -> Result<Versioned, ReadError> {
        let (length, chunks, commit) = match self {
            Self::Inline(stored) => return Ok(stored),
            Self::Head { length, chunks, commit } => (length, chunks, commit),
        };
        let mut value = BytesMut::with_capacity(length);
        for number in 0..chunks {
            let key = chunk_key(record_key, number);
            let chunk = view.get(&key, |raw| {
                let chunk = envelope::decode(&key, raw).map_err(|detail| damaged(record_key, detail))?;
                if chunk.kind != Kind::Chunk || chunk.commit != commit {
                    return Err(damaged(record_key, "a chunk belongs to another value"));
                }
                value.extend_from_slice(chunk.payload);
                Ok(())
            })?;
            chunk.ok_or_else(|| damaged(record_key, "a chunk is missing"))??;
        }
        if value.len() != length {
            return Err(damaged(record_key, "its length is wrong"));
        }
        Ok(Versioned { value: value.freeze(), version: commit })
    }
}

/// Length and chunks of a long value; `None` if the record is the value itself.
fn head_of(
    record_key: &[u8],
    record: &Record<'_>,
    payload_bytes: usize,
) -> Result<Option<(usize, u32)>, ReadError> {
    match record.kind {
        Kind::Inline => Ok(None),
        Kind::Head => {
            let head = decode_head(record.payload, payload_bytes);
            head.map(Some).ok_or_else(|| damaged(record_key, "its head is wrong"))
        }
        Kind::Chunk => Err(damaged(record_key, "a chunk lies in its place")),
    }
}

fn open<'a>(record_key: &[u8], raw: &'a [u8]) -> Result<Record<'a>, ReadError> {
    envelope::decode(record_key, raw).map_err(|detail| damaged(record_key, detail))
}

fn damaged(record_key: &[u8], detail: &str) -> ReadError {
    let (space, key) = record_key.split_first().unwrap_or((&0, &[]));
    ReadError::Refused(StoreError::corrupt(Space::from_byte(*space), key, detail))
}

/// A value copied out of an engine: its own buffers may keep a whole page alive.
fn copied(value: &[u8]) -> Bytes {
    Bytes::copy_from_slice(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_agrees_with_the_number_of_chunks() {
        for (bytes, chunks) in [(0, 0), (6_130, 0), (6_131, 2), (2 * 6_130, 2), (2 << 20, 343)] {
            assert_eq!(chunks_of(bytes, 6_130), chunks, "{bytes}");
            assert_eq!(decode_head(&encode_head(bytes, 6_130), 6_130), Some((bytes, chunks)));
        }
        let mut wrong = encode_head(2 * 6_130, 6_130);
        wrong[11] += 1;
        assert_eq!(decode_head(&wrong, 6_130), None);
        assert_eq!(decode_head(&[0; 11], 6_130), None);
    }

    #[test]
    fn damage_names_space_and_key() {
        let ReadError::Refused(error) = damaged(b"E\x01\xff", "x") else { panic!("refused") };
        let expected =
            StoreError::Corrupt { space: Space::new(b'E'), key: "01ff".into(), detail: "x".into() };
        assert_eq!(error, expected);
    }
}

//! Keys and values as they lie in sled's tree, and how they are read back.
//!
//! A record's key is the space byte and the caller's key. A value over [`PAYLOAD_BYTES`] has a head record there
//! and its chunks in the space of chunks, under that whole key and the chunk's number (u32, big-endian): two
//! chunk keys are equal only if key and number are. It must never write; writes are in `group`.

use bytes::{Bytes, BytesMut};
use sled::{Db, IVec};

use super::{ReadError, copied};
use crate::{
    backend::{KeyRange, Page, Versioned},
    batch::Space,
    envelope::{self, Kind, PAYLOAD_BYTES, Record},
    error::StoreError,
    limits,
};

/// What must be known of a stored value to replace it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) version: u64,
    pub(super) chunks: u32,
}

/// The key of a record in the tree.
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
pub(super) fn chunks_of(value_bytes: usize) -> u32 {
    if value_bytes <= PAYLOAD_BYTES {
        return 0;
    }
    // A value is bounded by `limits::VALUE_BYTES`, so this never saturates.
    u32::try_from(value_bytes.div_ceil(PAYLOAD_BYTES)).unwrap_or(u32::MAX)
}

/// The payload of a head record.
pub(super) fn encode_head(value_bytes: usize) -> [u8; 12] {
    let mut head = [0; 12];
    head[..8].copy_from_slice(&(value_bytes as u64).to_be_bytes());
    head[8..].copy_from_slice(&chunks_of(value_bytes).to_be_bytes());
    head
}

/// Reads a head record: length of the value and number of its chunks.
fn decode_head(payload: &[u8]) -> Option<(usize, u32)> {
    let (length, chunks) = payload.split_first_chunk::<8>()?;
    let length = usize::try_from(u64::from_be_bytes(*length)).ok()?;
    let chunks = u32::from_be_bytes(chunks.try_into().ok()?);
    (length <= limits::VALUE_BYTES && chunks_of(length) == chunks).then_some((length, chunks))
}

/// Reads what is needed to replace the value under a key.
pub(super) fn slot(db: &Db, record_key: &[u8]) -> Result<Option<Slot>, ReadError> {
    let Some(raw) = db.get(record_key)? else { return Ok(None) };
    slot_in(record_key, &raw).map(Some)
}

/// The same, of a record already read.
pub(super) fn slot_in(record_key: &[u8], raw: &[u8]) -> Result<Slot, ReadError> {
    let record = open(record_key, raw)?;
    let chunks = match record.kind {
        Kind::Inline => 0,
        Kind::Head => decode_head(record.payload).ok_or_else(|| damaged(record_key, "its head is wrong"))?.1,
        Kind::Chunk => return Err(damaged(record_key, "a chunk lies in its place")),
    };
    Ok(Slot { version: record.commit, chunks })
}

/// Reads one value.
pub(super) fn get(db: &Db, record_key: &[u8]) -> Result<Option<Versioned>, ReadError> {
    let Some(raw) = db.get(record_key)? else { return Ok(None) };
    value(db, record_key, &raw).map(Some)
}

/// Reads one page of a space.
pub(super) fn page(
    db: &Db,
    space: Space,
    range: KeyRange,
    reverse: bool,
    limit: usize,
) -> Result<Page, ReadError> {
    let (mut items, mut bytes, mut more) = (Vec::new(), 0, false);
    let mut found = records(db, space, &range);
    loop {
        let Some(pair) = (if reverse { found.next_back() } else { found.next() }) else { break };
        let (key, raw) = pair?;
        more = items.len() >= limit || bytes >= limits::PAGE_BYTES;
        if more {
            break;
        }
        let value = value(db, &key, &raw)?.value;
        bytes += key.len() + value.len();
        items.push((copied(&key[1..]), value));
    }
    let next = items.last().filter(|_| more).map(|(last, _)| range.rest(last, reverse));
    Ok(Page { items, next })
}

/// The records of a range, as they lie in the tree.
pub(super) fn records(
    db: &Db,
    space: Space,
    range: &KeyRange,
) -> impl DoubleEndedIterator<Item = sled::Result<(IVec, IVec)>> + use<> {
    let start = record_key(space, &range.start);
    let end = match &range.end {
        Some(end) => record_key(space, end),
        None => vec![space.byte() + 1],
    };
    // sled misreads a range that ends before it starts.
    let end = end.max(start.clone());
    db.range(start..end)
}

fn value(db: &Db, record_key: &[u8], raw: &[u8]) -> Result<Versioned, ReadError> {
    let record = open(record_key, raw)?;
    let value = match record.kind {
        Kind::Inline => copied(record.payload),
        Kind::Head => joined(db, record_key, &record)?,
        Kind::Chunk => return Err(damaged(record_key, "a chunk lies in its place")),
    };
    Ok(Versioned { value, version: record.commit })
}

fn joined(db: &Db, record_key: &[u8], head: &Record<'_>) -> Result<Bytes, ReadError> {
    let (length, chunks) =
        decode_head(head.payload).ok_or_else(|| damaged(record_key, "its head is wrong"))?;
    let mut value = BytesMut::with_capacity(length);
    for number in 0..chunks {
        let key = chunk_key(record_key, number);
        let raw = db.get(&key)?.ok_or_else(|| damaged(record_key, "a chunk is missing"))?;
        let chunk = envelope::decode(&key, &raw).map_err(|detail| damaged(record_key, detail))?;
        if chunk.kind != Kind::Chunk || chunk.commit != head.commit {
            return Err(damaged(record_key, "a chunk belongs to another value"));
        }
        value.extend_from_slice(chunk.payload);
    }
    if value.len() != length {
        return Err(damaged(record_key, "its length is wrong"));
    }
    Ok(value.freeze())
}

fn open<'a>(record_key: &[u8], raw: &'a [u8]) -> Result<Record<'a>, ReadError> {
    envelope::decode(record_key, raw).map_err(|detail| damaged(record_key, detail))
}

fn damaged(record_key: &[u8], detail: &str) -> ReadError {
    let (space, key) = record_key.split_first().unwrap_or((&0, &[]));
    ReadError::Refused(StoreError::corrupt(Space::from_byte(*space), key, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_agrees_with_the_number_of_chunks() {
        for (bytes, chunks) in
            [(0, 0), (PAYLOAD_BYTES, 0), (PAYLOAD_BYTES + 1, 2), (2 * PAYLOAD_BYTES, 2), (2 << 20, 343)]
        {
            assert_eq!(chunks_of(bytes), chunks, "{bytes}");
            assert_eq!(decode_head(&encode_head(bytes)), Some((bytes, chunks)));
        }
        let mut wrong = encode_head(2 * PAYLOAD_BYTES);
        wrong[11] += 1;
        assert_eq!(decode_head(&wrong), None);
        assert_eq!(decode_head(&[0; 11]), None);
    }

    #[test]
    fn damage_names_space_and_key() {
        let ReadError::Refused(error) = damaged(b"E\x01\xff", "x") else { panic!("refused") };
        let expected =
            StoreError::Corrupt { space: Space::new(b'E'), key: "01ff".into(), detail: "x".into() };
        assert_eq!(error, expected);
    }
}

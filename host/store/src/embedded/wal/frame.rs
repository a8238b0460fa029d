//! The bytes of the log: a header with a random salt, then frames, each the writes of one group.
//!
//! A frame is found valid by its checksum, which begins with the salt: nothing that a caller stores can look like
//! one. It must never depend on the engine.

use std::{fs::File, io, os::unix::fs::FileExt};

use crate::embedded::engine::Write;

/// Where the first frame lies: the header has a page of its own, which is never written again.
pub(super) const FIRST: u64 = 4096;

/// Frames begin at multiples of this.
pub(super) const ALIGN: usize = 8;

/// Bytes of a frame before its body: mark (4), checksum (4), length of the body (8), commit before (8), commit
/// after (8). Numbers are big-endian; the checksum (crc32c) covers the salt and everything behind itself.
const HEAD_BYTES: usize = 32;

const MARK: [u8; 4] = *b"\xffwal";

/// The length of a record that is removed.
const REMOVED: u32 = u32::MAX;

/// A random number of each log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Salt(u64);

impl Salt {
    pub(super) fn random() -> Self {
        Self(fastrand::u64(..))
    }

    fn checksum(self, content: &[u8]) -> u32 {
        crc32c::crc32c_append(crc32c::crc32c(&self.0.to_be_bytes()), content)
    }
}

/// The first page of the file.
pub(super) struct Header;

impl Header {
    const MAGIC: &'static [u8; 8] = b"stepwal1";
    const BYTES: usize = 20;

    pub(super) fn encode(salt: Salt) -> [u8; Self::BYTES] {
        let mut header = [0; Self::BYTES];
        header[..8].copy_from_slice(Self::MAGIC);
        header[8..16].copy_from_slice(&salt.0.to_be_bytes());
        let sum = crc32c::crc32c(&header[..16]);
        header[16..].copy_from_slice(&sum.to_be_bytes());
        header
    }

    /// Fails with `InvalidData` if there is none.
    pub(super) fn read(file: &File) -> io::Result<Salt> {
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "its header is damaged");
        let mut header = [0; Self::BYTES];
        if file.read_at(&mut header, 0)? < header.len() {
            return Err(damaged());
        }
        let salt = header[8..16].iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        if Self::encode(Salt(salt)) == header { Ok(Salt(salt)) } else { Err(damaged()) }
    }
}

/// A frame found in the log.
pub(super) struct Frame<'a> {
    /// The commit that the store was at, and the one that the writes bring it to.
    pub(super) before: u64,
    pub(super) after: u64,
    body: &'a [u8],
}

/// Puts a frame together.
pub(super) fn encode(frame: &mut Vec<u8>, salt: Salt, before: u64, after: u64, writes: &[Write]) {
    let body: usize =
        writes.iter().map(|write| 8 + write.key().len() + write.record().map_or(0, <[u8]>::len)).sum();
    frame.reserve(HEAD_BYTES + body + ALIGN);
    frame.extend_from_slice(&MARK);
    frame.extend_from_slice(&[0; 4]);
    for number in [body as u64, before, after] {
        frame.extend_from_slice(&number.to_be_bytes());
    }
    for write in writes {
        put(frame, length(write.key().len()), write.key());
        match write.record() {
            Some(record) => put(frame, length(record.len()), record),
            None => put(frame, REMOVED, &[]),
        }
    }
    let sum = salt.checksum(&frame[8..]);
    frame[4..8].copy_from_slice(&sum.to_be_bytes());
    frame.resize(frame.len().next_multiple_of(ALIGN), 0);
}

/// Keys and records are far shorter: the bounds of the store see to it.
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(REMOVED)
}

fn put(frame: &mut Vec<u8>, length: u32, content: &[u8]) {
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(content);
}

impl<'a> Frame<'a> {
    /// The frame at the beginning of these bytes, if there is a valid one.
    pub(super) fn decode(bytes: &'a [u8], salt: Salt) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk::<HEAD_BYTES>()?;
        if head[..4] != MARK {
            return None;
        }
        let body = rest.get(..usize::try_from(number(&head[8..16])).ok()?)?;
        let sum = salt.checksum(&bytes[8..HEAD_BYTES + body.len()]);
        (head[4..8] == sum.to_be_bytes()).then(|| Self {
            before: number(&head[16..24]),
            after: number(&head[24..]),
            body,
        })
    }

    /// Its bytes in the file.
    pub(super) fn bytes(&self) -> usize {
        (HEAD_BYTES + self.body.len()).next_multiple_of(ALIGN)
    }

    /// The writes; `None` if they cannot be read.
    pub(super) fn writes(&self) -> Option<Vec<Write>> {
        let (mut rest, mut writes) = (self.body, Vec::new());
        while !rest.is_empty() {
            let key = take_length(&mut rest).and_then(|length| take(&mut rest, length))?;
            let record = match take_length(&mut rest)? {
                REMOVED => None,
                length => Some(take(&mut rest, length)?.to_vec()),
            };
            // No check of all records is under way, so nobody needs to know what it adds to the digest.
            writes.push(Write { key: key.to_vec(), record, delta: 0 });
        }
        Some(writes)
    }
}

fn take_length(rest: &mut &[u8]) -> Option<u32> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    *rest = after;
    Some(u32::from_be_bytes(*length))
}

fn take<'a>(rest: &mut &'a [u8], length: u32) -> Option<&'a [u8]> {
    let (piece, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    *rest = after;
    Some(piece)
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_comes_back_and_is_nothing_with_another_salt_or_a_changed_bit() {
        let writes = || {
            let put = Write { key: b"a".into(), record: Some(b"123".into()), delta: 0 };
            let empty = Write { key: b"b".into(), record: Some(Vec::new()), delta: 0 };
            [put, empty, Write { key: b"c".into(), record: None, delta: 0 }]
        };
        let mut bytes = Vec::new();
        encode(&mut bytes, Salt(7), 3, 5, &writes());
        assert_eq!(bytes.len() % ALIGN, 0);
        let frame = Frame::decode(&bytes, Salt(7)).unwrap();
        assert_eq!((frame.before, frame.after, frame.bytes()), (3, 5, bytes.len()));
        assert_eq!(frame.writes().unwrap(), writes());

        assert!(Frame::decode(&bytes, Salt(8)).is_none());
        let body = HEAD_BYTES + frame.body.len();
        for bit in 0..body * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Frame::decode(&damaged, Salt(7)).is_none(), "bit {bit}");
        }
        for length in 0..body {
            assert!(Frame::decode(&bytes[..length], Salt(7)).is_none(), "{length} bytes");
        }
    }
}

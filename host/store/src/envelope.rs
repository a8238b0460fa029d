//! The envelope around every stored record of an embedded backend: format version, kind, commit, checksum.
//!
//! `version u8 | kind u8 | commit u64 | crc32c u32 | payload`, numbers big-endian. The checksum also covers the
//! record's key, so a record under the wrong key is damaged too. It must never be skipped on a read.

/// Bytes before the payload.
pub(crate) const HEADER_BYTES: usize = 14;

const VERSION: u8 = 1;

/// What the payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The value itself.
    Inline,
    /// Length (u64) and number of chunks (u32) of a value that is stored beside.
    Head,
    /// One chunk of a longer value.
    Chunk,
}

impl Kind {
    const fn byte(self) -> u8 {
        match self {
            Self::Inline => 0,
            Self::Head => 1,
            Self::Chunk => 2,
        }
    }

    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Inline),
            1 => Some(Self::Head),
            2 => Some(Self::Chunk),
            _ => None,
        }
    }
}

/// A record whose envelope has been checked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    pub(crate) kind: Kind,
    pub(crate) commit: u64,
    pub(crate) payload: &'a [u8],
}

/// Puts a payload into its envelope. `key` is the record's key as stored, with all prefixes.
pub(crate) fn encode(key: &[u8], kind: Kind, commit: u64, payload: &[u8]) -> Vec<u8> {
    let mut record = Vec::with_capacity(HEADER_BYTES + payload.len());
    record.push(VERSION);
    record.push(kind.byte());
    record.extend_from_slice(&commit.to_be_bytes());
    let sum = checksum(key, &record, payload);
    record.extend_from_slice(&sum.to_be_bytes());
    record.extend_from_slice(payload);
    record
}

/// Takes a payload out of its envelope, or says what is wrong with it.
pub(crate) fn decode<'a>(key: &[u8], record: &'a [u8]) -> Result<Record<'a>, &'static str> {
    let (header, payload) = record.split_at_checked(HEADER_BYTES).ok_or("the record is too short")?;
    let (head, sum) = header.split_at(HEADER_BYTES - 4);
    if checksum(key, head, payload).to_be_bytes() != sum {
        return Err("the checksum is wrong");
    }
    if head[0] != VERSION {
        return Err("the record has an unknown format");
    }
    let kind = Kind::from_byte(head[1]).ok_or("the record has an unknown kind")?;
    let commit = head[2..].iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    Ok(Record { kind, commit, payload })
}

fn checksum(key: &[u8], head: &[u8], payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(crc32c::crc32c(key), head), payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_comes_out() {
        for kind in [Kind::Inline, Kind::Head, Kind::Chunk] {
            let record = encode(b"Ekey", kind, u64::MAX - 1, b"payload");
            let expected = Record { kind, commit: u64::MAX - 1, payload: b"payload" };
            assert_eq!(decode(b"Ekey", &record), Ok(expected));
        }
        assert_eq!(encode(b"", Kind::Inline, 0, &[0; 9]).len(), HEADER_BYTES + 9);
    }

    #[test]
    fn any_flipped_bit_any_cut_and_any_other_key_is_noticed() {
        let record = encode(b"Ekey", Kind::Inline, 7, b"payload");
        for bit in 0..record.len() * 8 {
            let mut flipped = record.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(b"Ekey", &flipped).is_err(), "bit {bit}");
        }
        for length in 0..record.len() {
            assert!(decode(b"Ekey", &record[..length]).is_err(), "length {length}");
        }
        assert!(decode(b"Ekez", &record).is_err());
    }

    #[test]
    fn the_layout_on_disk_is_fixed() {
        let record = encode(b"Ek", Kind::Head, 258, b"p");
        assert_eq!(record[..10], [1, 1, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(record[10..14], crc32c::crc32c(b"Ek\x01\x01\0\0\0\0\0\0\x01\x02p").to_be_bytes());
        assert_eq!(record[14..], *b"p");
    }
}

//! The file of an export: a header, then frames that each carry their own checksum, then an end mark.
//!
//! ```text
//! file   = "stepwell" | file format u32 | frame*
//! frame  = kind u8 | length u32 | stored length u32 | crc32c u32 | stored bytes (one LZ4 block)
//! head   = JSON, see `Head`; the first frame
//! records= entry*; any number of frames
//! entry  = 1 | space u8 | key length u16 | key | value length u32 | value     a value
//!        | 2 | space u8 | key length u16 | key                               a value that is gone by now
//! end    = JSON, see `Totals`; the last frame
//! ```
//!
//! Numbers are big-endian. A checksum begins with the one of the frame before (the first with the one of the header),
//! so frames cannot be left out, swapped or taken from another export. Later entries of a key replace earlier ones.
//! It must never hand out a frame whose checksum it has not compared, nor believe a length that it has not bounded.

use std::io::{ErrorKind, Read};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::TransferError;
use crate::{
    batch::{Key, Space},
    limits,
};

/// How every export begins.
pub(super) const MAGIC: &[u8; 8] = b"stepwell";
/// Version of this layout.
pub(super) const FILE_FORMAT: u32 = 1;
/// Bytes of a frame before its content.
const FRAME_HEADER_BYTES: usize = 13;
/// Longest content of a frame, in bytes before compression: a page of a scan with its longest last value fits, and a batch.
const FRAME_BYTES: usize = limits::BATCH_BYTES + limits::BATCH_ENTRIES * 16;

/// What an export says of itself; only `records` decides anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Stored format of the records, see [`limits::FORMAT`].
    pub records: u32,
    /// The store that was exported: engine, version, place.
    pub source: String,
    /// When the export began, in seconds since 1970.
    pub at_seconds: u64,
    /// Version of the program.
    pub program: String,
}

/// How much was exported or imported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Records.
    pub records: u64,
    /// Bytes of their keys and values, before compression.
    pub record_bytes: u64,
    /// Bytes of the file.
    #[serde(skip)]
    pub file_bytes: u64,
}

/// One change that an export carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// The key has this value.
    Value(Space, Key, Bytes),
    /// The key has no value any more.
    Gone(Space, Key),
}

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FrameKind {
    Head,
    Records,
    End,
}

impl FrameKind {
    const fn byte(self) -> u8 {
        match self {
            Self::Head => 1,
            Self::Records => 2,
            Self::End => 3,
        }
    }

    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Head),
            2 => Some(Self::Records),
            3 => Some(Self::End),
            _ => None,
        }
    }
}

/// The header of a file.
pub(super) fn header() -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    header.extend_from_slice(&FILE_FORMAT.to_be_bytes());
    header
}

/// Makes frames; each checksum goes on from the last.
pub(super) struct FrameWriter {
    chain: u32,
}

impl FrameWriter {
    pub(super) fn new() -> Self {
        Self { chain: crc32c::crc32c(&header()) }
    }

    /// A frame around some content.
    pub(super) fn frame(&mut self, kind: FrameKind, content: &[u8]) -> Vec<u8> {
        let stored = lz4_flex::block::compress(content);
        let mut frame = Vec::with_capacity(FRAME_HEADER_BYTES + stored.len());
        frame.push(kind.byte());
        frame.extend_from_slice(&length_u32(content.len()));
        frame.extend_from_slice(&length_u32(stored.len()));
        self.chain = checksum(self.chain, &frame, &stored);
        frame.extend_from_slice(&self.chain.to_be_bytes());
        frame.extend_from_slice(&stored);
        frame
    }
}

/// A length whose bound, far below 4 GiB, was checked before: by a batch, a page or [`FRAME_BYTES`].
fn length_u32(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes()
}

fn checksum(chain: u32, header: &[u8], stored: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(chain, header), stored)
}

/// Reads a file frame by frame.
pub(super) struct FrameReader<R> {
    source: R,
    chain: u32,
    /// Frames read so far; the header is none.
    frames: u64,
    bytes: u64,
}

impl<R: Read> FrameReader<R> {
    /// Reads the header. Errors: `NotAnExport`, `NewerExport`, `Read`.
    pub(super) fn new(mut source: R) -> Result<Self, TransferError> {
        let expected = header();
        let mut found = vec![0; expected.len()];
        let got = fill(&mut source, &mut found)?;
        if got < found.len() || found[..MAGIC.len()] != *MAGIC {
            return Err(TransferError::NotAnExport);
        }
        if found != expected {
            let version = found[MAGIC.len()..].iter().fold(0, |number, byte| number << 8 | u32::from(*byte));
            return Err(TransferError::OtherExport { found: version, supported: FILE_FORMAT });
        }
        Ok(Self { source, chain: crc32c::crc32c(&expected), frames: 0, bytes: expected.len() as u64 })
    }

    /// Bytes of the file read so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Reads the next frame. Errors: `Damaged`, `CutOff`, `Read`.
    pub(super) fn next(&mut self) -> Result<(FrameKind, Vec<u8>), TransferError> {
        self.frames += 1;
        let mut header = [0; FRAME_HEADER_BYTES];
        self.fill(&mut header)?;
        let (head, sum) = header.split_at(FRAME_HEADER_BYTES - 4);
        let number = |at: usize| head[at..at + 4].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        let (length, stored_length) = (number(1), number(5));
        let kind = FrameKind::from_byte(head[0]).ok_or_else(|| self.damaged("its kind is unknown"))?;
        let longest_stored = lz4_flex::block::get_maximum_output_size(FRAME_BYTES);
        if length > FRAME_BYTES || stored_length > longest_stored {
            return Err(self.damaged("its length is impossible"));
        }
        let stored = self.read(stored_length)?;
        let chain = checksum(self.chain, head, &stored);
        if chain.to_be_bytes() != sum {
            return Err(self.damaged("its checksum is wrong"));
        }
        self.chain = chain;
        let content = lz4_flex::block::decompress(&stored, length)
            .map_err(|_| self.damaged("it cannot be decompressed"))?;
        if content.len() != length {
            return Err(self.damaged("its length is wrong"));
        }
        Ok((kind, content))
    }

    /// Refuses what follows the last frame.
    pub(super) fn finish(mut self) -> Result<(), TransferError> {
        self.frames += 1;
        match fill(&mut self.source, &mut [0])? {
            0 => Ok(()),
            _ => Err(self.damaged("it follows the end mark")),
        }
    }

    /// The frame read last is not as it was written.
    pub(super) fn damaged(&self, detail: &'static str) -> TransferError {
        TransferError::Damaged { frame: self.frames, at_byte: self.bytes, detail }
    }

    /// Reads a length that a damaged header may have made up: memory grows with what is there.
    fn read(&mut self, length: usize) -> Result<Vec<u8>, TransferError> {
        let mut bytes = Vec::new();
        let limit = length as u64;
        let read = Read::by_ref(&mut self.source).take(limit).read_to_end(&mut bytes);
        let read = read.map_err(TransferError::Read)?;
        self.bytes += read as u64;
        if read < length { Err(self.cut_off()) } else { Ok(bytes) }
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), TransferError> {
        let read = fill(&mut self.source, buffer)?;
        self.bytes += read as u64;
        if read < buffer.len() { Err(self.cut_off()) } else { Ok(()) }
    }

    fn cut_off(&self) -> TransferError {
        TransferError::CutOff { frame: self.frames, at_byte: self.bytes }
    }
}

/// Fills a buffer as far as the source reaches; returns how far.
fn fill(source: &mut impl Read, buffer: &mut [u8]) -> Result<usize, TransferError> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(TransferError::Read(error)),
        }
    }
    Ok(filled)
}

const VALUE: u8 = 1;
const GONE: u8 = 2;

/// Adds an entry to the content of a frame.
pub(super) fn write_entry(content: &mut Vec<u8>, entry: &Entry) {
    let (tag, space, key) = match entry {
        Entry::Value(space, key, _) => (VALUE, space, key),
        Entry::Gone(space, key) => (GONE, space, key),
    };
    content.extend_from_slice(&[tag, space.byte()]);
    // Keys are at most `limits::KEY_BYTES` long.
    content.extend_from_slice(&u16::try_from(key.len()).unwrap_or(u16::MAX).to_be_bytes());
    content.extend_from_slice(key);
    if let Entry::Value(_, _, value) = entry {
        content.extend_from_slice(&length_u32(value.len()));
        content.extend_from_slice(value);
    }
}

/// Reads the first entry of what is left of a frame, and shortens that; `None` if it is not one. Nothing is copied.
pub(super) fn read_entry(rest: &mut Bytes) -> Option<Entry> {
    let [tag, space] = take(rest, 2)?[..] else { return None };
    let key_length = u16::from_be_bytes(take(rest, 2)?[..].try_into().ok()?);
    let key = take(rest, usize::from(key_length))?;
    let space = Space::from_byte(space);
    if key.len() > limits::KEY_BYTES || space.check_readable().is_err() {
        return None;
    }
    match tag {
        VALUE => {
            let length = u32::from_be_bytes(take(rest, 4)?[..].try_into().ok()?);
            let value = take(rest, usize::try_from(length).ok()?)?;
            (value.len() <= limits::VALUE_BYTES).then_some(Entry::Value(space, key, value))
        }
        GONE => Some(Entry::Gone(space, key)),
        _ => None,
    }
}

fn take(rest: &mut Bytes, bytes: usize) -> Option<Bytes> {
    (bytes <= rest.len()).then(|| rest.split_to(bytes))
}

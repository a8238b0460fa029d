//! Files that were compressed as a whole: `.gz`, `.zst` and `.zstd` by the end of their key.
//!
//! Both formats may consist of several parts, one behind the other, as parallel compressors write them.

use super::limits;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use std::io::{self, Read};

/// The bytes of a file, decompressed if its key says that they have been compressed.
pub(super) fn decoded(key: &str, bytes: impl Read + Send + 'static) -> Box<dyn Read + Send> {
    let ending = key.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    match ending.as_str() {
        "gz" | "gzip" => Box::new(flate2::read::MultiGzDecoder::new(bytes)),
        "zst" | "zstd" => Box::new(Zstd { state: State::Between(Some(Box::new(bytes))) }),
        _ => Box::new(bytes),
    }
}

/// What the next frame is read from.
type Source = io::Chain<io::Cursor<[u8; 4]>, Box<dyn Read + Send>>;

/// Frames of zstd, one after the other.
struct Zstd {
    state: State,
}

enum State {
    /// Before a frame, or at the end. None after an error.
    Between(Option<Box<dyn Read + Send>>),
    Within(Box<StreamingDecoder<Source, FrameDecoder>>),
}

impl Zstd {
    /// Begins the next frame; none is left at the end.
    fn begin(mut source: Box<dyn Read + Send>) -> io::Result<Option<StreamingDecoder<Source, FrameDecoder>>> {
        loop {
            let mut magic = [0; 4];
            if source.read(&mut magic[..1])? == 0 {
                return Ok(None);
            }
            source.read_exact(&mut magic[1..])?;
            // A frame that is to be skipped has its length behind its number (RFC 8878, section 3.1.2).
            if u32::from_le_bytes(magic) & 0xffff_fff0 != 0x184d_2a50 {
                let chained = io::Cursor::new(magic).chain(source);
                return StreamingDecoder::new_with_max_window_size(chained, limits::WINDOW_BYTES)
                    .map(Some)
                    .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()));
            }
            let mut length = [0; 4];
            source.read_exact(&mut length)?;
            io::copy(&mut source.by_ref().take(u64::from(u32::from_le_bytes(length))), &mut io::sink())?;
        }
    }
}

impl Read for Zstd {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match std::mem::replace(&mut self.state, State::Between(None)) {
                State::Between(None) => return Ok(0),
                State::Between(Some(source)) => match Zstd::begin(source)? {
                    Some(decoder) => self.state = State::Within(Box::new(decoder)),
                    None => return Ok(0),
                },
                State::Within(mut decoder) => {
                    let read = decoder.read(into)?;
                    if read > 0 || into.is_empty() {
                        self.state = State::Within(decoder);
                        return Ok(read);
                    }
                    self.state = State::Between(Some(decoder.into_inner().into_inner().1));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn text(key: &str, bytes: Vec<u8>) -> io::Result<String> {
        let mut text = String::new();
        decoded(key, io::Cursor::new(bytes)).read_to_string(&mut text)?;
        Ok(text)
    }

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(text: &str) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(text.as_bytes(), ruzstd::encoding::CompressionLevel::Fastest)
    }

    #[test]
    fn parts_are_read_one_after_the_other() {
        let (one, two) = ("a".repeat(300_000), "second".to_owned());
        let both = format!("{one}{two}");
        assert_eq!(text("x.csv.gz", [gzip(&one), gzip(&two)].concat()).unwrap(), both);
        let skipped = [0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 9, 9, 9].to_vec();
        assert_eq!(text("x.zst", [zstd(&one), skipped, zstd(&two)].concat()).unwrap(), both);
        assert_eq!(text("x.zstd", zstd("")).unwrap(), "");
        assert_eq!(text("x.csv", b"plain".to_vec()).unwrap(), "plain");
    }

    #[test]
    fn what_was_cut_short_is_an_error() {
        for (key, mut bytes) in [("x.gz", gzip("text")), ("x.zst", zstd("text"))] {
            bytes.truncate(bytes.len() - 3);
            assert!(text(key, bytes).is_err(), "{key}");
            assert!(text(key, b"not compressed".to_vec()).is_err(), "{key}");
        }
    }
}

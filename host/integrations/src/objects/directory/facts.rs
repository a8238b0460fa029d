//! What is known of a file beyond what the file system says: its ETag and what its writer said, in a small file beside
//! the buckets.
//!
//! Facts count only for the very file that they were written for. A file that somebody has put there by hand has none:
//! then its ETag follows from when and where it was written, so that no listing has to read it.

use crate::objects::{Attributes, ObjectHead};
use rustix::fs::Stat;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use stepwell_asl::Timestamp;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Facts {
    /// Which file: size, modification and inode.
    identity: [i64; 4],
    etag: String,
    #[serde(flatten)]
    attributes: Attributes,
}

impl Facts {
    pub(super) fn new(stat: &Stat, etag: String, attributes: Attributes) -> Facts {
        Facts { identity: identity(stat), etag, attributes }
    }
}

/// The head of the file that `stat` describes.
pub(super) fn head(key: &str, stat: &Stat, facts: Option<Facts>) -> ObjectHead {
    let facts = facts.filter(|facts| facts.identity == identity(stat));
    let [_, seconds, nanoseconds, _] = identity(stat);
    let (etag, attributes) = match facts {
        Some(facts) => (facts.etag, facts.attributes),
        None => (derived_etag(stat), Attributes::default()),
    };
    ObjectHead {
        key: key.to_owned(),
        bytes: u64::try_from(stat.st_size).unwrap_or_default(),
        etag,
        modified: Timestamp(seconds.saturating_mul(1_000).saturating_add(nanoseconds / 1_000_000)),
        attributes,
    }
}

/// The name of the file that holds the facts of a key: keys are too long for names.
pub(super) fn file_name(key: &str) -> String {
    hex(&Sha256::digest(key.as_bytes()))
}

/// In the form of a multipart upload's, which nobody takes for the MD5 of the content.
fn derived_etag(stat: &Stat) -> String {
    let mut digest = Sha256::new();
    for fact in identity(stat) {
        digest.update(fact.to_be_bytes());
    }
    format!("\"{}-1\"", &hex(&digest.finalize())[..32])
}

#[allow(
    clippy::cast_possible_wrap,
    clippy::unnecessary_cast,
    clippy::cast_lossless,
    clippy::useless_conversion
)] // the types of `stat` differ between systems; any bits will do
fn identity(stat: &Stat) -> [i64; 4] {
    [stat.st_size as i64, stat.st_mtime as i64, stat.st_mtime_nsec as i64, stat.st_ino as i64]
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

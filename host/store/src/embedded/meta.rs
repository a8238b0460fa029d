//! The store's own records: the format, and the state after each commit (sequence and digest).
//!
//! The digest is a sum over all records, kept up to date by every commit and compared when the store is opened:
//! a page that an engine has silently dropped or rolled back shows as a wrong sum. It must never depend on the order
//! of records.

use super::{
    Broken, ReadError,
    engine::{View, Write},
    layout::record_key,
};
use crate::{
    batch::Space,
    envelope::{self, Kind},
};

/// What every commit writes beside its records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct State {
    /// The last commit.
    pub(super) commit: u64,
    /// Sum of [`weight`] over all records outside the space of meta records.
    pub(super) digest: u64,
}

impl State {
    /// Key and record of this state.
    pub(super) fn record(&self) -> (Vec<u8>, Vec<u8>) {
        let key = record_key(Space::META, b"state");
        let record = envelope::encode(&key, Kind::Inline, self.commit, &self.digest.to_be_bytes());
        (key, record)
    }

    /// Reads the state of a store; `None` if it has none.
    pub(super) fn read<V: View>(view: &V) -> Result<Option<Self>, Broken> {
        let key = record_key(Space::META, b"state");
        let state = view.get(&key, |raw| {
            let record = envelope::decode(&key, raw).map_err(|detail| wrong("state", detail))?;
            let digest = record.payload.try_into().map_err(|_| wrong("state", "its length is wrong"))?;
            Ok(Self { commit: record.commit, digest: u64::from_be_bytes(digest) })
        })?;
        state.transpose()
    }
}

/// The first writes of a new store, and the state that they leave.
pub(super) fn first_writes(format: u32) -> (Vec<Write>, State) {
    let state = State { commit: 1, digest: 0 };
    let (key, record) = state.record();
    (vec![format_write(format), Write { key, record: Some(record), delta: 0 }], state)
}

/// What gives a store its format.
pub(super) fn format_write(format: u32) -> Write {
    let key = record_key(Space::META, b"format");
    let record = envelope::encode(&key, Kind::Inline, 0, &format.to_be_bytes());
    Write { key, record: Some(record), delta: 0 }
}

/// Reads the format number of a store; `None` if it has none.
pub(super) fn read_format<V: View>(view: &V) -> Result<Option<u32>, Broken> {
    let key = record_key(Space::META, b"format");
    let format = view.get(&key, |raw| {
        let record = envelope::decode(&key, raw).map_err(|detail| wrong("format", detail))?;
        let format = record.payload.try_into().map_err(|_| wrong("format", "its length is wrong"))?;
        Ok(u32::from_be_bytes(format))
    })?;
    format.transpose()
}

/// What a record adds to the digest: it depends on its key and on the commit that wrote it.
pub(super) fn weight(key: &[u8], commit: u64) -> u64 {
    // FNV-1a over the key, then a finalizer that lets every bit of key and commit reach every bit of the sum.
    let hash = key.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut mixed = hash ^ commit.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// What a check of records has found so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Sum of [`weight`] over the records read.
    pub(super) digest: u64,
    /// Records read, and their bytes.
    pub(super) records: u64,
    pub(super) bytes: u64,
    /// Records that cannot be read, and the first of them.
    pub(super) damaged: u64,
    pub(super) examples: Vec<String>,
}

impl Tally {
    /// Reads up to `max` records from a key on. Returns the key to go on from, or `None` at the end.
    pub(super) fn read<V: View>(
        &mut self,
        view: &V,
        from: &[u8],
        max: usize,
    ) -> Result<Option<Vec<u8>>, ReadError> {
        let (mut read, mut next) = (0, None);
        view.scan(from, &[Space::META.byte()], false, &mut |key, raw| {
            if read == max {
                next = Some(key.to_vec());
                return Ok(false);
            }
            read += 1;
            self.add(key, raw);
            Ok(true)
        })?;
        Ok(next)
    }

    fn add(&mut self, key: &[u8], raw: &[u8]) {
        self.records += 1;
        self.bytes += (key.len() + raw.len()) as u64;
        match envelope::decode(key, raw) {
            Ok(record) => self.digest = self.digest.wrapping_add(weight(key, record.commit)),
            Err(detail) => {
                self.damaged += 1;
                if self.examples.len() < EXAMPLES {
                    self.examples.push(wrong(&hex(key), detail).0);
                }
            }
        }
    }

    /// Why a store that was read to its end is not the one of its last commit; `None` if it is.
    pub(super) fn fault(&self, state: State) -> Option<Broken> {
        if let Some(example) = self.examples.first() {
            return Some(Broken(format!("{example} ({} damaged records in all)", self.damaged)));
        }
        (self.digest != state.digest).then(|| {
            Broken(format!(
                "the {} records present are not those of commit {}: some are missing or older than acknowledged",
                self.records, state.commit
            ))
        })
    }
}

/// Damaged records that are named.
const EXAMPLES: usize = 10;

fn hex(key: &[u8]) -> String {
    format!("{:x}", bytes::Bytes::copy_from_slice(key))
}

fn wrong(record: &str, detail: &str) -> Broken {
    Broken(format!("record {record}: {detail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_and_commit_both_change_the_weight() {
        let weights = [weight(b"a", 1), weight(b"a", 2), weight(b"b", 1), weight(b"", 1), weight(b"a", 0)];
        for (index, one) in weights.iter().enumerate() {
            assert!(weights[index + 1..].iter().all(|other| other != one), "{weights:x?}");
        }
    }
}

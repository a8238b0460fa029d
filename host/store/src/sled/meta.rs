//! The store's own records: the format, and the state after each commit (sequence and digest).
//!
//! The digest is a sum over all records, kept up to date by every commit and compared when the store is opened:
//! a page that sled has silently dropped or rolled back shows as a wrong sum. It must never depend on the order
//! of records.

use sled::Db;

use super::{Broken, copied, layout::record_key};
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
    pub(super) fn read(db: &Db) -> Result<Option<Self>, Broken> {
        let key = record_key(Space::META, b"state");
        let Some(raw) = db.get(&key)? else { return Ok(None) };
        let record = envelope::decode(&key, &raw).map_err(|detail| wrong("state", detail))?;
        let digest = record.payload.try_into().map_err(|_| wrong("state", "its length is wrong"))?;
        Ok(Some(Self { commit: record.commit, digest: u64::from_be_bytes(digest) }))
    }
}

/// Key and record of a format number.
pub(super) fn format_record(format: u32) -> (Vec<u8>, Vec<u8>) {
    let key = record_key(Space::META, b"format");
    let record = envelope::encode(&key, Kind::Inline, 0, &format.to_be_bytes());
    (key, record)
}

/// Reads the format number of a store; `None` if it has none.
pub(super) fn read_format(db: &Db) -> Result<Option<u32>, Broken> {
    let key = record_key(Space::META, b"format");
    let Some(raw) = db.get(&key)? else { return Ok(None) };
    let record = envelope::decode(&key, &raw).map_err(|detail| wrong("format", detail))?;
    let format = record.payload.try_into().map_err(|_| wrong("format", "its length is wrong"))?;
    Ok(Some(u32::from_be_bytes(format)))
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

/// Reads every record and compares the digest.
pub(super) fn verify(db: &Db, state: State) -> Result<(), Broken> {
    let (mut digest, mut records) = (0_u64, 0_u64);
    for pair in db.range(..vec![Space::META.byte()]) {
        let (key, raw) = pair?;
        let record =
            envelope::decode(&key, &raw).map_err(|detail| wrong(&format!("{:x}", copied(&key)), detail))?;
        digest = digest.wrapping_add(weight(&key, record.commit));
        records += 1;
    }
    if digest == state.digest {
        tracing::debug!(records, commit = state.commit, "every record of the store was checked");
        return Ok(());
    }
    Err(Broken(format!(
        "the {records} records present are not those of commit {}: some are missing or older than acknowledged",
        state.commit
    )))
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

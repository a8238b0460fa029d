//! Compiled modules as files: machine code behind a header that says what it belongs to and proves that it is whole.
//!
//! Layout, numbers little-endian: magic (8 bytes), compatibility of the wasmtime build (8), SHA-256 of the source (32),
//! SHA-256 of everything but itself (32), code. The checksum finds damage; it does not stop somebody who may write to the
//! directory, which is why only the server may (see `SandboxConfig::directory`). Code that failed a check must never be
//! loaded: only this file makes an [`Artifact`].

mod load;

pub(crate) use load::load;

use crate::digest::Digest;
use sha2::{Digest as _, Sha256};

const MAGIC: &[u8; 8] = b"SWELLv1\n";
const COMPATIBILITY: std::ops::Range<usize> = 8..16;
const SOURCE: std::ops::Range<usize> = 16..48;
const CHECKSUM: std::ops::Range<usize> = 48..80;
const HEADER_BYTES: usize = 80;

/// Machine code that this process compiled, or that passed every check.
pub(crate) struct Artifact {
    file: Vec<u8>,
}

/// Why a stored artifact is not used. Both are cured by compiling the source again.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unusable {
    #[error("the compiled file is damaged")]
    Damaged,
    #[error("the compiled file is from another build of wasmtime or other settings")]
    OtherBuild,
}

impl Artifact {
    /// Wraps code that was just compiled.
    pub(crate) fn new(source: &Digest, compatibility: u64, code: &[u8]) -> Self {
        let mut file = Vec::with_capacity(HEADER_BYTES + code.len());
        file.extend_from_slice(MAGIC);
        file.extend_from_slice(&compatibility.to_le_bytes());
        file.extend_from_slice(source.bytes());
        file.extend_from_slice(&[0; 32]);
        file.extend_from_slice(code);
        let checksum = checksum(&file);
        file[CHECKSUM].copy_from_slice(&checksum);
        Self { file }
    }

    /// Checks a file that was read from disk.
    pub(crate) fn check(file: Vec<u8>, source: &Digest, compatibility: u64) -> Result<Self, Unusable> {
        let whole = file.len() > HEADER_BYTES
            && file.starts_with(MAGIC)
            && file[SOURCE] == *source.bytes()
            && file[CHECKSUM] == checksum(&file);
        if !whole {
            return Err(Unusable::Damaged);
        }
        if file[COMPATIBILITY] != compatibility.to_le_bytes() {
            return Err(Unusable::OtherBuild);
        }
        Ok(Self { file })
    }

    /// Returns the bytes to store.
    pub(crate) fn file(&self) -> &[u8] {
        &self.file
    }

    /// Returns the machine code.
    fn code(&self) -> &[u8] {
        &self.file[HEADER_BYTES..]
    }
}

/// Hashes a file without its checksum.
fn checksum(file: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(&file[..CHECKSUM.start]).chain_update(&file[CHECKSUM.end..]).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(file: Vec<u8>, source: &[u8], compatibility: u64) -> Result<Vec<u8>, Unusable> {
        Artifact::check(file, &Digest::of(source), compatibility).map(|artifact| artifact.code().to_vec())
    }

    #[test]
    fn round_trip() {
        let artifact = Artifact::new(&Digest::of(b"source"), 7, b"code");
        assert_eq!(check(artifact.file().to_vec(), b"source", 7), Ok(b"code".to_vec()));
    }

    #[test]
    fn every_changed_byte_is_found() {
        let artifact = Artifact::new(&Digest::of(b"source"), 7, b"code");
        for index in 0..artifact.file().len() {
            let mut file = artifact.file().to_vec();
            file[index] ^= 1;
            assert_eq!(check(file, b"source", 7), Err(Unusable::Damaged), "byte {index}");
        }
        assert_eq!(check(artifact.file()[..79].to_vec(), b"source", 7), Err(Unusable::Damaged));
    }

    #[test]
    fn code_of_another_build_or_module_is_not_used() {
        let file = Artifact::new(&Digest::of(b"source"), 7, b"code").file().to_vec();
        assert_eq!(check(file.clone(), b"source", 8), Err(Unusable::OtherBuild));
        assert_eq!(check(file, b"other", 7), Err(Unusable::Damaged));
    }
}

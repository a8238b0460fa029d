//! SHA-256 digests: the names of modules. Only 64 lower-case hexadecimal digits are one, so a digest is also a safe
//! file name.

use sha2::Digest as _;

/// The SHA-256 of a module's bytes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Digest {
    bytes: [u8; 32],
}

impl Digest {
    /// Hashes a module.
    pub(crate) fn of(wasm: &[u8]) -> Self {
        Self { bytes: sha2::Sha256::digest(wasm).into() }
    }

    /// Reads a digest; anything but 64 lower-case hexadecimal digits is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.as_bytes();
        if text.len() != 64 {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self { bytes })
    }

    /// Returns the 32 bytes.
    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.bytes.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// Returns the value of a hexadecimal digit.
fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_it_writes() {
        let digest = Digest::of(b"");
        let text = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(digest.to_string(), text);
        assert!(Digest::parse(text) == Some(digest));
    }

    #[test]
    fn nothing_else_is_a_digest() {
        assert!(Digest::parse("../../etc/passwd").is_none());
        assert!(Digest::parse(&"E".repeat(64)).is_none());
        assert!(Digest::parse(&"../".repeat(22)[..64]).is_none());
        assert!(Digest::parse("").is_none());
    }
}

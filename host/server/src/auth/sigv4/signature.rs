//! The signature: a key derived from the secret for one day, region and service, over the canonical request.
//!
//! Secrets and derived keys must never be logged, and signatures are compared in constant time.

use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use stepwell_asl::Timestamp;
use subtle::ConstantTimeEq as _;

use super::canonical::hex;
use super::{ALGORITHM, TERMINATOR};

/// Length of a signature, in bytes.
const SIGNATURE_BYTES: usize = 32;
/// Length of a block of SHA-256, in bytes.
const BLOCK_BYTES: usize = 64;

/// What a signature is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scope {
    /// `YYYYMMDD`.
    pub(super) date: String,
    /// Such as `us-east-1`.
    pub(super) region: String,
    /// Such as `states`.
    pub(super) service: String,
}

impl std::fmt::Display for Scope {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}/{}/{TERMINATOR}", self.date, self.region, self.service)
    }
}

/// A signature.
#[derive(Clone, Copy)]
pub(super) struct Signature([u8; SIGNATURE_BYTES]);

impl Signature {
    /// Signs a canonical request, given by its digest. `moment` is its date in the basic form of ISO 8601.
    pub(super) fn new(secret: &str, scope: &Scope, moment: &str, digest: &str) -> Signature {
        let first = [b"AWS4", secret.as_bytes()].concat();
        let parts = [scope.date.as_str(), &scope.region, &scope.service, TERMINATOR];
        let key = parts.iter().fold(first, |key, part| keyed(&key, part.as_bytes()).to_vec());
        let text = format!("{ALGORITHM}\n{moment}\n{scope}\n{digest}");
        Signature(keyed(&key, text.as_bytes()))
    }

    /// Reads 64 hexadecimal digits.
    pub(super) fn parse(text: &str) -> Option<Signature> {
        let mut bytes = [0; SIGNATURE_BYTES];
        if text.len() != 2 * SIGNATURE_BYTES || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
        }
        Some(Signature(bytes))
    }

    /// Whether both are the same. It takes as long whatever differs.
    pub(super) fn is(&self, other: &Signature) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    pub(super) fn to_hex(self) -> String {
        hex(&self.0)
    }
}

fn keyed(key: &[u8], text: &[u8]) -> [u8; SIGNATURE_BYTES] {
    // As the HMAC is defined: a longer key is hashed, a shorter one filled up with zeros.
    let hashed = Sha256::digest(key);
    let key = if key.len() > BLOCK_BYTES { hashed.as_slice() } else { key };
    let mut block = [0; BLOCK_BYTES];
    block.iter_mut().zip(key).for_each(|(place, byte)| *place = *byte);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(text);
    mac.finalize().into_bytes().into()
}

/// A moment in the basic form of ISO 8601, to the second: `20261122T163228Z`.
pub(super) fn basic(at: Timestamp) -> String {
    let text = at.to_rfc3339();
    let seconds = text.split(['.', 'Z']).next().unwrap_or_default();
    let digits: String = seconds.chars().filter(|character| !"-:".contains(*character)).collect();
    format!("{digits}Z")
}

/// Reads such a moment.
pub(super) fn parse_basic(text: &str) -> Option<Timestamp> {
    let right = text.len() == 16
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 => byte == b'T',
            15 => byte == b'Z',
            _ => byte.is_ascii_digit(),
        });
    if !right {
        return None;
    }
    let part = |from, to| text.get(from..to).unwrap_or_default();
    let (date, time) =
        ([part(0, 4), part(4, 6), part(6, 8)].join("-"), [part(9, 11), part(11, 13), part(13, 15)].join(":"));
    Timestamp::parse(&format!("{date}T{time}Z"))
}

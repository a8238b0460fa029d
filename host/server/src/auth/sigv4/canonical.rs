//! The canonical form of a request: method, path, query, signed headers and the payload's digest, one way to write each.
//!
//! The path is taken as it came and encoded once more, as every service but S3 has it; dots and empty segments are not
//! resolved, because the router does not resolve them either.

use std::fmt::Write as _;

use axum::http::HeaderMap;
use sha2::{Digest as _, Sha256};

/// SHA-256 of nothing.
pub(crate) const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// What a signature is made over.
pub(super) struct Canonical<'a> {
    pub(super) method: &'a str,
    /// As on the wire.
    pub(super) path: &'a str,
    /// As on the wire, without a signature in it.
    pub(super) query: &'a str,
    pub(super) headers: &'a HeaderMap,
    /// The host that the client asked for: HTTP/2 has it outside the headers.
    pub(super) host: &'a [u8],
    /// Names of headers, in lower case and in the client's order.
    pub(super) signed_headers: &'a [String],
    /// SHA-256 of the body, in hexadecimal digits.
    pub(super) payload_sha256: &'a str,
}

impl Canonical<'_> {
    /// SHA-256 of the canonical request, in hexadecimal digits.
    pub(super) fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        let mut line = |parts: &[&[u8]]| {
            for part in parts {
                hasher.update(part);
            }
            hasher.update(b"\n");
        };
        line(&[self.method.as_bytes()]);
        line(&[encoded(self.path.as_bytes(), true).as_bytes()]);
        line(&[canonical_query(self.query).as_bytes()]);
        for name in self.signed_headers {
            line(&[name.as_bytes(), b":", &self.header(name)]);
        }
        line(&[]);
        line(&[self.signed_headers.join(";").as_bytes()]);
        hasher.update(self.payload_sha256);
        hex(&hasher.finalize())
    }

    /// All values of a header, each without spaces around it and with one space for several, joined by commas.
    fn header(&self, name: &str) -> Vec<u8> {
        if name == "host" {
            return trimmed(self.host);
        }
        let values: Vec<Vec<u8>> =
            self.headers.get_all(name).iter().map(|value| trimmed(value.as_bytes())).collect();
        values.join(&b","[..])
    }
}

fn trimmed(value: &[u8]) -> Vec<u8> {
    let mut text = value.trim_ascii().to_vec();
    text.dedup_by(|second, first| *first == b' ' && *second == b' ');
    text
}

/// Names and values decoded, encoded the one right way, and sorted.
fn canonical_query(query: &str) -> String {
    let parts = query.split('&').filter(|part| !part.is_empty());
    let mut pairs: Vec<(String, String)> = parts
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (encoded(&decoded(name), false), encoded(&decoded(value), false))
        })
        .collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// Undoes percent-encoding; what is none stays as it is.
pub(super) fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let digit = |index: usize| behind.get(index).and_then(|byte| char::from(*byte).to_digit(16));
        if let (b'%', Some(high), Some(low)) = (first, digit(0), digit(1)) {
            bytes.push(u8::try_from(high * 16 + low).unwrap_or_default());
            rest = behind.get(2..).unwrap_or_default();
        } else {
            bytes.push(first);
            rest = behind;
        }
    }
    bytes
}

/// Percent-encodes everything but the unreserved characters of RFC 3986, and slashes where they divide a path.
pub(super) fn encoded(bytes: &[u8], is_path: bool) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) || (is_path && *byte == b'/') {
            text.push(char::from(*byte));
        } else {
            // Writing to a text does not fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// SHA-256 of a body, in hexadecimal digits.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

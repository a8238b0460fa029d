//! Signature Version 4 ("Signing AWS API requests", AWS General Reference): what a client claims (`claim`), the canonical
//! form of a request (`canonical`), the signature of it (`signature`), and making one (`sign`).
//!
//! Own code, because signing libraries choose what to sign themselves: whoever verifies must take exactly what the client
//! chose. AWS's published test vectors hold it to the specification. It must never compare signatures with `==`.

mod canonical;
mod claim;
mod sign;
mod signature;
#[cfg(test)]
mod tests;

pub(crate) use canonical::sha256_hex;
pub(crate) use claim::Claim;
pub(crate) use sign::{Credentials, Unsigned, authorization, presigned_query};

/// The only algorithm.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// How every scope ends.
const TERMINATOR: &str = "aws4_request";

//! Intrinsics for Base64 and for hashes (Step Functions Developer Guide, "Intrinsics for data encoding and
//! decoding", "Intrinsic for hash calculation"). Their texts have at most 10,000 characters.
//!
//! Must never be taken for cryptography: MD5 and SHA-1 are here because the language has them.

use super::arguments::Arguments;
use crate::limits;
use crate::states_error::StatesError;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use md5::Md5;
use serde_json::Value;
use sha1::Sha1;
use sha2::digest::Digest;
use sha2::{Sha256, Sha384, Sha512};
use std::fmt::Write;

/// Padding is written, and may be missing when read, as MIME decoders have it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// `States.Base64Encode(text)`.
pub(super) fn base64_encode(arguments: &Arguments) -> Result<Value, StatesError> {
    let text = arguments.text(0)?;
    check_length(arguments, text)?;
    Ok(Value::String(BASE64.encode(text)))
}

/// `States.Base64Decode(text)`: the text that was encoded. White space is skipped, because MIME breaks lines.
pub(super) fn base64_decode(arguments: &Arguments) -> Result<Value, StatesError> {
    let text = arguments.text(0)?;
    check_length(arguments, text)?;
    let text: String = text.chars().filter(|character| !character.is_ascii_whitespace()).collect();
    let bytes = BASE64.decode(text).map_err(|_| arguments.mismatch(0, "a text in Base64"))?;
    String::from_utf8(bytes)
        .map(Value::String)
        .map_err(|_| arguments.mismatch(0, "the Base64 of a text in UTF-8"))
}

/// `States.Hash(data, algorithm)`: hexadecimal digits in lower case. Data that is no string is hashed as JSON.
pub(super) fn hash(arguments: &Arguments) -> Result<Value, StatesError> {
    let data = match arguments.value(0) {
        Value::Null => return Err(arguments.mismatch(0, "data to hash")),
        Value::String(text) => text.clone(),
        other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => other.to_string(),
    };
    check_length(arguments, &data)?;
    let digits = match arguments.text(1)? {
        "MD5" => digits(&Md5::digest(&data)),
        "SHA-1" => digits(&Sha1::digest(&data)),
        "SHA-256" => digits(&Sha256::digest(&data)),
        "SHA-384" => digits(&Sha384::digest(&data)),
        "SHA-512" => digits(&Sha512::digest(&data)),
        _ => {
            let expected = "one of [MD5, SHA-1, SHA-256, SHA-384, SHA-512]";
            return Err(arguments.mismatch(1, expected));
        }
    };
    Ok(Value::String(digits))
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn check_length(arguments: &Arguments, text: &str) -> Result<(), StatesError> {
    let most = limits::INTRINSIC_TEXT_CHARACTERS;
    if text.chars().nth(most).is_none() {
        return Ok(());
    }
    Err(arguments.function().failure(&format!("argument 1 must have at most {most} characters")))
}

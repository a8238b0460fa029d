//! Which buckets and keys there can be (S3 User Guide, "General purpose bucket naming rules", "Object key naming").
//!
//! It must never let a name through that leads out of its bucket.

use super::ObjectError;
use crate::limits;

/// Whether a bucket can be called so; also keeps path tricks out.
pub(super) fn check_bucket(name: &str) -> Result<(), ObjectError> {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    let fits = (3..=63).contains(&bytes.len())
        && bytes.iter().all(|byte| is_letter(*byte) || matches!(byte, b'-' | b'.'))
        && bytes.first().copied().is_some_and(is_letter)
        && bytes.last().copied().is_some_and(is_letter)
        && !name.contains("..");
    if fits { Ok(()) } else { Err(ObjectError::InvalidBucket) }
}

/// The names on the way to a key's file. A key that is no way to a file is refused: it would stand for another.
pub(super) fn segments(key: &str) -> Result<Vec<&str>, ObjectError> {
    if key.is_empty() {
        return Err(ObjectError::Invalid("The key must not be empty.".to_owned()));
    }
    if key.len() > limits::KEY_BYTES {
        return Err(ObjectError::Invalid(format!("Your key is too long: {} bytes.", key.len())));
    }
    let segments: Vec<&str> = key.split('/').collect();
    let fits = |segment: &&str| {
        !segment.is_empty()
            && segment.len() <= 255
            && !matches!(*segment, "." | "..")
            && !segment.contains('\0')
    };
    match segments.iter().find(|segment| !fits(segment)) {
        None => Ok(segments),
        Some(segment) => Err(ObjectError::Invalid(format!(
            "The key '{key}' cannot be a file in a directory: '{segment}' cannot be a name."
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_in_their_bucket() {
        for key in ["", "/a", "a/", "a//b", "..", "a/../b", "./a", "a\0b"] {
            assert!(segments(key).is_err(), "{key:?}");
        }
        assert!(segments(&"é".repeat(128)).is_err());
        assert!(segments(&"a/".repeat(600)).is_err());
        assert_eq!(segments("a/b c/..d").unwrap(), ["a", "b c", "..d"]);
    }

    #[test]
    fn buckets_are_plain_names() {
        for name in ["ab", "Big", "a_b", "../x", "a..b", ".abc", "abc.", "-abc", "a/b", &"a".repeat(64)] {
            assert_eq!(check_bucket(name), Err(ObjectError::InvalidBucket), "{name}");
        }
        assert!(check_bucket("my.bucket-1").is_ok());
    }
}

//! The buffer inside the .wasm that holds the behaviour: marker, length, JSON, spaces.
//!
//! It must be read with volatile reads: to the compiler it is a constant, and without them it would fold today's
//! content into the code, where a patch does not reach.

use stepwell::TaskError;

/// What a patch looks for. It must not occur anywhere else in the module.
const MARKER: &[u8] = b"STEPWELL-STUB-CONFIG:";
/// Decimal digits of the length field that follows the marker.
const LENGTH_DIGITS: usize = 8;
/// Where the JSON text begins: after the marker, the length field and one newline.
const TEXT_START: usize = MARKER.len() + LENGTH_DIGITS + 1;
/// Size of the whole buffer.
const BUFFER_BYTES: usize = 64 * 1024;
/// What an unpatched stub does.
const DEFAULT: &[u8] = br#"{"behaviour":"return_event"}"#;

/// Spaces rather than zeros after the text: a linker may drop zeros from a data segment.
static BUFFER: [u8; BUFFER_BYTES] = {
    let mut buffer = [b' '; BUFFER_BYTES];
    let (head, rest) = buffer.split_at_mut(MARKER.len());
    head.copy_from_slice(MARKER);
    let (length, rest) = rest.split_at_mut(LENGTH_DIGITS);
    length.copy_from_slice(b"00000028");
    rest[0] = b'\n';
    rest.split_at_mut(1).1.split_at_mut(DEFAULT.len()).0.copy_from_slice(DEFAULT);
    buffer
};

/// Returns the JSON text in the buffer.
pub(crate) fn read() -> Result<String, TaskError> {
    let invalid = |what: &str| TaskError::new("Stub.InvalidConfig", what);
    let digits = bytes(MARKER.len(), LENGTH_DIGITS);
    let length: usize = std::str::from_utf8(&digits)?.parse()?;
    if length > BUFFER_BYTES - TEXT_START {
        return Err(invalid("the length field points past the buffer"));
    }
    Ok(String::from_utf8(bytes(TEXT_START, length))?)
}

/// Copies part of the buffer as it is at run time.
#[allow(
    unsafe_code,
    reason = "only a volatile read sees the patch, and the standard library has no safe one"
)]
fn bytes(start: usize, length: usize) -> Vec<u8> {
    BUFFER[start..start + length]
        .iter()
        // SAFETY: the pointer comes from a reference into an initialised static that nothing writes to.
        .map(|byte| unsafe { std::ptr::read_volatile(byte) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unpatched_buffer_is_well_formed() {
        assert_eq!(read().unwrap().as_bytes(), DEFAULT);
        assert!(BUFFER.starts_with(b"STEPWELL-STUB-CONFIG:00000028\n{"));
        assert!(BUFFER.ends_with(b"  "));
    }
}

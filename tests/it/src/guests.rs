//! Guests: the example modules and the test guests as bytes, ready for an upload.
//!
//! The stub's patch format is described in `modules/test-guests/stub/README.md`; it must not be known anywhere else.

use crate::ARN_SCOPE;
use crate::binary::guests_directory;
use serde_json::Value;

/// What marks the stub's buffer.
const MARKER: &[u8] = b"STEPWELL-STUB-CONFIG:";
/// Size of the stub's buffer, in bytes.
const BUFFER_BYTES: usize = 65_536;

/// ARN under which a definition calls the module `name`.
pub fn function_arn(name: &str) -> String {
    format!("arn:aws:lambda:{ARN_SCOPE}:function:{name}")
}

/// Reads a built guest, named as its file without `.wasm`.
///
/// # Panics
/// If it is not there.
pub fn guest(name: &str) -> Vec<u8> {
    let path = guests_directory().join(format!("{name}.wasm"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The stub, patched to behave as `behaviour` says.
///
/// # Panics
/// If the behaviour does not fit, or the stub has no buffer.
pub fn stub(behaviour: &Value) -> Vec<u8> {
    patch(guest("stub"), behaviour)
}

fn patch(mut wasm: Vec<u8>, behaviour: &Value) -> Vec<u8> {
    let text = behaviour.to_string();
    let mut buffer = MARKER.to_vec();
    buffer.extend(format!("{:08}\n{text}", text.len()).bytes());
    assert!(buffer.len() <= BUFFER_BYTES, "a behaviour of {} bytes does not fit into the stub", text.len());
    buffer.resize(BUFFER_BYTES, b' ');
    let start = wasm.windows(MARKER.len()).position(|window| window == MARKER);
    let start = start.expect("the stub holds its marker");
    wasm[start..start + BUFFER_BYTES].copy_from_slice(&buffer);
    wasm
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_patch_replaces_the_buffer_and_nothing_else() {
        let mut wasm = b"before".to_vec();
        wasm.extend(MARKER);
        wasm.resize(6 + BUFFER_BYTES, b'?');
        wasm.extend(b"after");
        let patched = patch(wasm.clone(), &json!({"behaviour": "return_event"}));
        assert_eq!(patched.len(), wasm.len());
        assert!(
            patched.starts_with(b"beforeSTEPWELL-STUB-CONFIG:00000028\n{\"behaviour\":\"return_event\"}  ")
        );
        assert!(patched.ends_with(b"  after"));
    }

    #[test]
    #[should_panic(expected = "does not fit")]
    fn a_behaviour_beyond_the_buffer_is_refused() {
        patch(MARKER.to_vec(), &json!({"value": "x".repeat(BUFFER_BYTES)}));
    }
}

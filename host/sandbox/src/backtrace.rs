//! Writes backtraces, within a bound.
//!
//! Function names are whatever the module says, and mangled ones can be bombs: 300 bytes of C++, in which each type is a
//! pair of the one before it, stand for terabytes. wasmtime writes such a name out in full, so its own text of a
//! backtrace must never be asked for.

use crate::limits;
use cpp_demangle::DemangleOptions;
use std::fmt::{self, Write};
use wasmtime::{FrameInfo, WasmBacktrace};

/// Longest name of a function, in bytes.
const MAX_NAME_BYTES: usize = 1 << 10;

/// Returns a backtrace in wasmtime's form: a line for each frame, the innermost first.
pub(crate) fn text(backtrace: &WasmBacktrace) -> String {
    let mut text = Bounded { text: String::new(), max_bytes: limits::MAX_CAUSE_CHARS };
    // What fits no more is left out.
    let _ = write(&mut text, backtrace.frames());
    text.text
}

fn write(text: &mut Bounded, frames: &[FrameInfo]) -> fmt::Result {
    text.write_str("wasm backtrace:")?;
    for (number, frame) in frames.iter().enumerate() {
        write!(text, "\n  {number:>3}: ")?;
        if let Some(offset) = frame.module_offset() {
            write!(text, "{offset:#8x} - ")?;
        }
        let module = frame.module().name().unwrap_or("<unknown>");
        write!(text, "{}!", cut(module))?;
        match frame.func_name() {
            Some(name) => text.write_str(&readable(name))?,
            None => write!(text, "<wasm function {}>", frame.func_index())?,
        }
    }
    Ok(())
}

/// Demangles a name of Rust or C++; any other stays as it is.
fn readable(name: &str) -> String {
    let mut demangled = Bounded { text: String::new(), max_bytes: MAX_NAME_BYTES };
    // Demangling ends where the text is full: what is there by then is good enough.
    if let Ok(rust) = rustc_demangle::try_demangle(name) {
        let _ = write!(demangled, "{rust}");
    } else if let Ok(cpp) = cpp_demangle::Symbol::new(name) {
        let _ = cpp.structured_demangle(&mut demangled, &DemangleOptions::default());
    }
    if demangled.text.is_empty() { cut(name).to_owned() } else { demangled.text }
}

fn cut(name: &str) -> &str {
    &name[..name.floor_char_boundary(MAX_NAME_BYTES)]
}

/// A text that takes no more than so many bytes and is an error from then on.
struct Bounded {
    text: String,
    max_bytes: usize,
}

impl Write for Bounded {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let room = self.max_bytes - self.text.len();
        self.text.push_str(&more[..more.floor_char_boundary(room)]);
        if more.len() > room { Err(fmt::Error) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_readable() {
        assert_eq!(readable("_ZN7hostile4spin17h0123456789abcdefE"), "hostile::spin::h0123456789abcdef");
        assert_eq!(readable("_Z4spini"), "spin(int)");
        for plain in ["spin", "", "_Z", "_ZNonsense", "stepwell:task/handler@0.1.0#run"] {
            assert_eq!(readable(plain), plain);
        }
        assert_eq!(readable(&"é".repeat(1_000)).len(), MAX_NAME_BYTES);
    }

    #[test]
    fn names_that_are_bombs_are_cut() {
        // Each parameter is a pair of the one before it: with thirty of them, a name of 24 gigabytes.
        let mut name = "_Z1f4pairIiiE".to_owned();
        for level in b"0123456789ABCDEFGHIJKLMNOPQRS" {
            let before = char::from(*level);
            write!(name, "S_IS{before}_S{before}_E").unwrap();
        }
        let readable = readable(&name);
        assert!(readable.starts_with("f(pair<int, int>, pair<pair<int, int>, "), "{readable}");
        assert_eq!(readable.len(), MAX_NAME_BYTES);
    }

    #[test]
    fn a_bounded_text_ends_between_characters() {
        let mut text = Bounded { text: String::new(), max_bytes: 5 };
        assert!(text.write_str("éé").is_ok());
        assert!(text.write_str("é").is_err());
        assert!(text.write_str("e").is_ok());
        assert_eq!(text.text, "éée");
    }
}

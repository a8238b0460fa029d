//! Reads what a command line names: files, standard input, inline JSON. Everything is bounded and checked here, before
//! a request is sent, so that a mistake is reported with the file's name and the line.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::de::IgnoredAny;

use super::exit::Failure;

/// Largest definition or input that is read, in bytes. The API's own limits are lower (1 MiB and 256 KiB) and are left
/// to the server; this one only keeps a wrong file name from filling the memory.
const TEXT_BYTES: u64 = 16 << 20;

/// Largest module that is read, in bytes.
const MODULE_BYTES: u64 = 512 << 20;

/// How every binary WebAssembly file begins.
const WASM_MAGIC: &[u8] = b"\0asm";

/// How every zip archive begins that holds something.
const ZIP_MAGIC: &[u8] = b"PK\x03\x04";

/// Reads a file (`-`: standard input) that must hold one JSON text, and returns it exactly as written: the API
/// compares definitions as text.
pub(crate) fn json_file(path: &Path) -> Result<String, Failure> {
    let text = text_file(path)?;
    check_json(&label(path), &text)?;
    Ok(text)
}

/// Reads a file (`-`: standard input) that holds text.
pub(crate) fn text_file(path: &Path) -> Result<String, Failure> {
    String::from_utf8(read(path, TEXT_BYTES)?).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        Failure::Usage(format!("{}: not UTF-8 text (byte {offset})", label(path)))
    })
}

/// Reads a file (`-`: standard input) that holds a secret, without the line end that editors and `echo` leave behind it.
pub(crate) fn secret_file(path: &Path) -> Result<String, Failure> {
    let mut text = text_file(path)?;
    for end in ['\n', '\r'] {
        if text.ends_with(end) {
            text.pop();
        } else {
            break;
        }
    }
    Ok(text)
}

/// Checks that `text` is one JSON text; `label` names it in the message.
pub(crate) fn check_json(label: &str, text: &str) -> Result<(), Failure> {
    let Err(error) = serde_json::from_str::<IgnoredAny>(text) else { return Ok(()) };
    let (line, column) = (error.line(), error.column());
    // serde_json ends its message with the position, which the label already carries.
    let message = error.to_string();
    let reason = message.split(" at line ").next().unwrap_or(&message);
    Err(Failure::Usage(format!("{label}:{line}:{column}: not JSON: {reason}")))
}

fn checked_wasm(path: &Path, bytes: Vec<u8>) -> Result<Vec<u8>, Failure> {
    if bytes.starts_with(WASM_MAGIC) {
        Ok(bytes)
    } else {
        Err(Failure::Usage(format!(
            "{}: not a WebAssembly file (it does not begin with \\0asm)",
            label(path)
        )))
    }
}

/// A file that can be uploaded.
pub(crate) struct ModuleFile {
    /// What it holds.
    pub(crate) bytes: Vec<u8>,
    /// Whether it is a zip archive rather than the module itself.
    pub(crate) is_archive: bool,
}

/// Reads a WebAssembly file, or a zip archive (`-`: standard input).
pub(crate) fn module_file(path: &Path) -> Result<ModuleFile, Failure> {
    let bytes = read(path, MODULE_BYTES)?;
    let is_archive = bytes.starts_with(ZIP_MAGIC);
    if is_archive {
        return Ok(ModuleFile { bytes, is_archive });
    }
    Ok(ModuleFile { bytes: checked_wasm(path, bytes)?, is_archive })
}

fn read(path: &Path, limit_bytes: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let outcome = if is_standard_input(path) {
        io::stdin().lock().take(limit_bytes + 1).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(limit_bytes + 1).read_to_end(&mut bytes))
    };
    outcome.map_err(|error| Failure::Usage(format!("{}: {}", label(path), plain(&error))))?;
    if bytes.len() as u64 > limit_bytes {
        return Err(Failure::Usage(format!("{}: larger than {} MiB", label(path), limit_bytes >> 20)));
    }
    Ok(bytes)
}

/// The error without the number of the operating system: `No such file or directory`.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

pub(crate) fn is_standard_input(path: &Path) -> bool {
    path == Path::new("-")
}

/// How messages call the file.
pub(crate) fn label(path: &Path) -> String {
    if is_standard_input(path) { "standard input".to_owned() } else { path.display().to_string() }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{check_json, json_file, module_file};

    #[test]
    fn broken_json_is_located() {
        let failure =
            check_json("order.asl.json", "{\n  \"StartAt\": \"A\"\n  \"States\": {}\n}").unwrap_err();
        assert_eq!(failure.exit_code(), 2);
        assert_eq!(failure.to_string(), "order.asl.json:3:3: not JSON: expected `,` or `}`");
        let failure = check_json("--input", "").unwrap_err();
        assert_eq!(failure.to_string(), "--input:1:0: not JSON: EOF while parsing a value");
        assert!(check_json("--input", "{} {}").is_err());
        assert!(check_json("--input", " [1, \"x\"]\n").is_ok());
    }

    #[test]
    fn deep_json_is_no_problem_of_the_client() {
        let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
        assert!(check_json("--input", &deep).is_ok());
    }

    #[test]
    fn files_are_named_in_messages() {
        let failure = json_file(Path::new("/nowhere/order.asl.json")).unwrap_err();
        assert_eq!(failure.to_string(), "/nowhere/order.asl.json: No such file or directory");
        assert_eq!(failure.exit_code(), 2);
    }

    #[test]
    fn files_are_returned_as_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.json");
        std::fs::write(&path, "{ \"a\" :1}\n").unwrap();
        assert_eq!(json_file(&path).unwrap(), "{ \"a\" :1}\n");
        let failure = module_file(&path).err().unwrap();
        assert!(failure.to_string().contains("not a WebAssembly file"), "{failure}");
        std::fs::write(&path, b"{\xff").unwrap();
        assert!(json_file(&path).unwrap_err().to_string().contains("not UTF-8 text (byte 1)"));
        std::fs::write(&path, b"\0asm\x0d\0\x01\0").unwrap();
        let file = module_file(&path).unwrap();
        assert_eq!((file.bytes.len(), file.is_archive), (8, false));
        std::fs::write(&path, b"PK\x03\x04").unwrap();
        assert!(module_file(&path).unwrap().is_archive);
    }
}

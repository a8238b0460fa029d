//! Uploads as they arrive: a WebAssembly file, or a zip archive that holds one (Lambda API: ZipFile).
//!
//! Archives are hostile: what is unpacked is bounded, and the names in them are only compared, never used as paths.

use std::io::{Cursor, Read};

use stepwell_sandbox::{Manifest, ManifestError};
use zip::ZipArchive;
use zip::result::ZipError;

use super::ModuleError;
use super::error::invalid;
use crate::limits;

/// How a zip archive begins; an empty one begins with the second.
const ZIP_MAGIC: [&[u8]; 2] = [b"PK\x03\x04", b"PK\x05\x06"];
/// How each entry of a zip archive's directory begins.
const DIRECTORY_ENTRY: &[u8] = b"PK\x01\x02";
/// The manifest in an archive.
const MANIFEST: &str = "stepwell.json";
/// What is taken for the module when it is there, in this order.
const USUAL_NAMES: [&str; 2] = ["bootstrap.wasm", "main.wasm"];

/// What an upload holds.
#[derive(Debug)]
pub(crate) struct Unpacked {
    /// The content, unchecked.
    pub(crate) wasm: Vec<u8>,
    /// The manifest that came with it.
    pub(crate) manifest: Option<Manifest>,
}

/// Whether an upload is an archive.
pub(crate) fn is_archive(bytes: &[u8]) -> bool {
    ZIP_MAGIC.iter().any(|magic| bytes.starts_with(magic))
}

/// Takes the module, and the manifest if there is one, out of an upload. What is no archive is the module itself.
/// `handler` names the entry to take, with or without `.wasm`, if there is one of that name. The module is at most
/// `max_bytes` long.
///
/// Errors: `Rejected`, `Manifest`.
pub(crate) async fn unpack(
    bytes: Vec<u8>,
    handler: Option<&str>,
    max_bytes: usize,
) -> Result<Unpacked, ModuleError> {
    if !is_archive(&bytes) {
        return Ok(Unpacked { wasm: bytes, manifest: None });
    }
    let handler = handler.map(str::to_owned);
    let work = move || read(&bytes, handler.as_deref(), max_bytes);
    let broken_off =
        |error: tokio::task::JoinError| ModuleError::Rejected(format!("the zip archive: {error}"));
    tokio::task::spawn_blocking(work).await.map_err(broken_off)?
}

/// Does the blocking work of [`unpack`], for what is an archive.
pub(crate) fn read(bytes: &[u8], handler: Option<&str>, max_bytes: usize) -> Result<Unpacked, ModuleError> {
    // Before the directory is read: it takes many times its length in memory.
    let entries = bytes.windows(DIRECTORY_ENTRY.len()).filter(|window| *window == DIRECTORY_ENTRY).count();
    if entries > limits::ARCHIVE_ENTRIES {
        return Err(refused(&format!("has more than {} entries", limits::ARCHIVE_ENTRIES)));
    }
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| unreadable(&error))?;
    let names: Vec<String> = archive.file_names().map(str::to_owned).collect();
    let module = module_name(&names, handler)?.to_owned();
    let manifest = if names.iter().any(|name| name == MANIFEST) {
        let text = entry(&mut archive, MANIFEST, limits::MANIFEST_BYTES)?;
        Some(manifest(&text)?)
    } else {
        None
    };
    Ok(Unpacked { wasm: entry(&mut archive, &module, max_bytes)?, manifest })
}

/// Reads a manifest from JSON text. Errors: `Manifest`, `Invalid`.
pub(crate) fn manifest(text: &[u8]) -> Result<Manifest, ModuleError> {
    if text.len() > limits::MANIFEST_BYTES {
        return Err(invalid("manifest", "is longer than 1 MiB"));
    }
    // A list of values in the order of the members would be read as well.
    if text.trim_ascii_start().first().is_some_and(|first| *first == b'[') {
        return Err(
            ManifestError { field: "JSON".to_owned(), reason: "is not a JSON object".to_owned() }.into()
        );
    }
    Ok(Manifest::parse(text)?)
}

/// Chooses the module among the names of an archive.
fn module_name<'a>(names: &'a [String], handler: Option<&str>) -> Result<&'a str, ModuleError> {
    let wasm: Vec<&str> = names.iter().map(String::as_str).filter(|name| is_wasm(name)).collect();
    let wanted = handler.into_iter().flat_map(|handler| [handler.to_owned(), format!("{handler}.wasm")]);
    for name in wanted.chain(USUAL_NAMES.map(str::to_owned)) {
        if let Some(found) = wasm.iter().find(|found| **found == name) {
            return Ok(found);
        }
    }
    match wasm[..] {
        [only] => Ok(only),
        [] => Err(refused("holds no file whose name ends with .wasm")),
        _ => {
            Err(refused("holds several .wasm files, and none of them is called bootstrap.wasm or main.wasm"))
        }
    }
}

/// Whether an entry may be a module. Archivers of macOS add a second entry for each file.
fn is_wasm(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    file.rsplit_once('.').is_some_and(|(_, extension)| extension == "wasm")
        && !file.starts_with("._")
        && !name.starts_with("__MACOSX/")
}

/// Unpacks one entry of at most `max_bytes`.
fn entry(
    archive: &mut ZipArchive<Cursor<&[u8]>>,
    name: &str,
    max_bytes: usize,
) -> Result<Vec<u8>, ModuleError> {
    let file = archive.by_name(name).map_err(|error| unreadable(&error))?;
    let shown: String = name.chars().take(limits::QUOTED_MEMBER_CHARACTERS).collect();
    let mut bytes = Vec::new();
    // One byte more than is accepted; what the archive says of the length may be a lie.
    file.take(max_bytes as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| refused(&format!("is damaged at {shown}: {error}")))?;
    if bytes.len() > max_bytes {
        return Err(refused(&format!(
            "holds {shown} with more than the {max_bytes} bytes that are accepted"
        )));
    }
    Ok(bytes)
}

fn unreadable(error: &ZipError) -> ModuleError {
    if let ZipError::UnsupportedArchive(reason) = error {
        return refused(&format!("cannot be read: {reason}"));
    }
    refused(&format!("is damaged: {error}"))
}

fn refused(what: &str) -> ModuleError {
    ModuleError::Rejected(format!("the zip archive {what}"))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use zip::write::{SimpleFileOptions, ZipWriter};

    use super::*;

    fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in entries {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            writer.write_all(content).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn unpacked(entries: &[(&str, &[u8])], handler: Option<&str>) -> Result<Vec<u8>, String> {
        read(&archive(entries), handler, 1_000)
            .map(|unpacked| unpacked.wasm)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_module_is_found_by_handler_by_usual_name_or_alone() {
        let several: [(&str, &[u8]); 4] =
            [("a.wasm", b"a"), ("main.wasm", b"m"), ("bootstrap.wasm", b"b"), ("x/c.wasm", b"c")];
        assert_eq!(unpacked(&several, None).unwrap(), b"b");
        assert_eq!(unpacked(&several, Some("a")).unwrap(), b"a");
        assert_eq!(unpacked(&several, Some("x/c.wasm")).unwrap(), b"c");
        assert_eq!(unpacked(&several, Some("index.handler")).unwrap(), b"b");
        assert_eq!(unpacked(&several[..2], None).unwrap(), b"m");
        let odd: [(&str, &[u8]); 3] =
            [("../../etc/evil.wasm", b"e"), ("__MACOSX/._evil.wasm", b"x"), ("README", b"r")];
        assert_eq!(unpacked(&odd, None).unwrap(), b"e");
        let refusal = unpacked(&[("a.wasm", b"a"), ("b.wasm", b"b")], None).unwrap_err();
        assert!(refusal.contains("several .wasm files"), "{refusal}");
        let refusal = unpacked(&[("a.py", b"a")], None).unwrap_err();
        assert!(refusal.contains("no file whose name ends with .wasm"), "{refusal}");
        assert!(unpacked(&[], None).is_err());
    }

    #[test]
    fn the_manifest_comes_along_and_its_mistakes_are_named() {
        let manifest = br#"{"environment":{"MODE":"test"}}"#;
        let bytes = archive(&[("m.wasm", b"m"), (MANIFEST, manifest)]);
        let unpacked = read(&bytes, None, 10).unwrap();
        assert_eq!(unpacked.manifest.unwrap().environment["MODE"], "test");
        let bytes = archive(&[("m.wasm", b"m"), (MANIFEST, br#"{"limits":{"memoryMib":0}}"#)]);
        let refusal = read(&bytes, None, 10).unwrap_err().to_string();
        assert!(refusal.contains("limits.memoryMib"), "{refusal}");
        // Only at the top: elsewhere it is just a file.
        let bytes = archive(&[("m.wasm", b"m"), ("x/stepwell.json", b"no JSON")]);
        assert!(read(&bytes, None, 10).unwrap().manifest.is_none());
    }

    #[test]
    fn what_is_unpacked_is_bounded() {
        let bomb = vec![0; 50 << 20];
        let bytes = archive(&[("m.wasm", &bomb)]);
        assert!(bytes.len() < 1 << 20);
        let refusal = read(&bytes, None, 1_000).unwrap_err().to_string();
        assert!(refusal.contains("more than the 1000 bytes"), "{refusal}");
        let bytes = archive(&[("m.wasm", b"m"), (MANIFEST, &bomb)]);
        let refusal = read(&bytes, None, 1_000).unwrap_err().to_string();
        assert!(refusal.contains("stepwell.json with more than"), "{refusal}");
        let mut many = b"PK\x03\x04".to_vec();
        many.extend(DIRECTORY_ENTRY.repeat(limits::ARCHIVE_ENTRIES + 1));
        assert!(read(&many, None, 1_000).unwrap_err().to_string().contains("entries"));
    }

    #[test]
    fn damaged_and_encrypted_archives_are_refused() {
        let whole = archive(&[("m.wasm", &(0..200_u8).collect::<Vec<u8>>())]);
        for length in 0..whole.len() {
            assert!(read(&whole[..length], None, 1_000).is_err(), "{length}");
        }
        for index in 0..whole.len() {
            // Whatever comes of it, it is no panic.
            let mut damaged = whole.clone();
            damaged[index] ^= 0x55;
            drop(read(&damaged, None, 1_000));
        }
        let mut encrypted = whole;
        let directory = encrypted.windows(4).position(|window| window == DIRECTORY_ENTRY).unwrap();
        encrypted[directory + 8] |= 1;
        encrypted[6] |= 1;
        let refusal = read(&encrypted, None, 1_000).unwrap_err().to_string();
        assert!(refusal.contains("cannot be read"), "{refusal}");
    }

    #[tokio::test]
    async fn what_is_no_archive_is_the_module() {
        let unpacked = unpack(b"PK no archive".to_vec(), None, 1).await.unwrap();
        assert_eq!(unpacked.wasm, b"PK no archive");
    }
}

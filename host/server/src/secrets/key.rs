//! The key that seals secrets: 32 bytes, in a file that only its owner may read, or in memory.
//!
//! It must never be logged, and never be made anew while secrets are sealed with the one that was there.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use chacha20poly1305::aead::rand_core::RngCore as _;
use chacha20poly1305::aead::{KeyInit as _, OsRng};
use chacha20poly1305::{Key, XChaCha20Poly1305};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use stepwell_store::StoreLocation;

/// Length of the key, in bytes.
const KEY_BYTES: usize = 32;
/// The name of the file beside the data.
const FILE: &str = "secret.key";
/// Longest file that is read as a key, in bytes: 64 hexadecimal digits and line ends.
const FILE_BYTES: usize = 128;

/// Where the key comes from.
pub struct SecretKey {
    source: Source,
    /// Set at first use.
    key: Mutex<Option<Key>>,
}

enum Source {
    /// A random key that goes with the process.
    Memory,
    /// A file that must be there.
    File(PathBuf),
    /// A file that is made when the first secret is set.
    Made(PathBuf),
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SecretKey")
    }
}

impl SecretKey {
    /// A random key that goes with the process, for stores in memory.
    pub fn in_memory() -> SecretKey {
        SecretKey { source: Source::Memory, key: Mutex::default() }
    }

    /// The key in a file, which is made when the first secret is set.
    pub fn made_in(path: PathBuf) -> SecretKey {
        SecretKey { source: Source::Made(path), key: Mutex::default() }
    }

    /// The key in a file that must be there.
    ///
    /// # Errors
    /// When it cannot be read, or holds no key.
    pub fn from_file(path: PathBuf) -> Result<SecretKey, String> {
        let Some(key) = read(&path)? else {
            return Err(format!(
                "{}: there is no such file; make one with `openssl rand -hex 32 > FILE` and mode 0600",
                path.display()
            ));
        };
        Ok(SecretKey { source: Source::File(path), key: Mutex::new(Some(key)) })
    }

    /// The key of a store: in the file that was named, or in one beside the data, or in memory with the store.
    ///
    /// # Errors
    /// When the named file cannot be read, or holds no key.
    pub(crate) fn of_store(store: &StoreLocation, named: Option<&Path>) -> Result<SecretKey, String> {
        match (named, store) {
            (Some(file), _) => {
                SecretKey::from_file(file.to_owned()).map_err(|reason| format!("--secret-key-file: {reason}"))
            }
            (None, StoreLocation::Sled(directory)) => Ok(SecretKey::made_in(directory.join(FILE))),
            // The file has its companions beside it.
            (None, StoreLocation::Redb(file)) => {
                Ok(SecretKey::made_in(file.parent().unwrap_or(Path::new("")).join(FILE)))
            }
            (None, StoreLocation::Memory) => Ok(SecretKey::in_memory()),
        }
    }

    /// What seals and opens. `may_make` says that nothing is sealed yet. Errors: in words for the operator.
    pub(super) fn cipher(&self, may_make: bool) -> Result<XChaCha20Poly1305, String> {
        Ok(XChaCha20Poly1305::new(&self.key(may_make)?))
    }

    /// Another key, for one purpose, which tells nothing of this one. Errors: as above.
    pub(super) fn derive(&self, purpose: &str, may_make: bool) -> Result<[u8; KEY_BYTES], String> {
        let key = self.key(may_make)?;
        let mut hmac = <Hmac<Sha256> as Mac>::new_from_slice(&key).map_err(|error| error.to_string())?;
        hmac.update(purpose.as_bytes());
        Ok(hmac.finalize().into_bytes().into())
    }

    fn key(&self, may_make: bool) -> Result<Key, String> {
        let mut key = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = &*key {
            return Ok(*key);
        }
        let found = match &self.source {
            Source::Memory => random(),
            Source::File(path) | Source::Made(path) => match read(path)? {
                Some(found) => found,
                None if may_make => make(path).map_err(|error| format!("{}: {error}", path.display()))?,
                None => {
                    return Err(format!(
                        "{}: the key is missing, though secrets are sealed with it: restore it, or delete the secrets",
                        path.display()
                    ));
                }
            },
        };
        *key = Some(found);
        Ok(found)
    }
}

fn random() -> Key {
    let mut key = Key::default();
    OsRng.fill_bytes(&mut key);
    key
}

/// Makes the file with a new key. It is there whole, for its owner alone, or not at all.
fn make(path: &Path) -> io::Result<Key> {
    let key = random();
    let digits: String = key.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(digit).collect();
    let unfinished = path.with_extension(format!("unfinished-{}", std::process::id()));
    let written =
        write_private(&unfinished, &format!("{digits}\n")).and_then(|()| fs::rename(&unfinished, path));
    if let Err(error) = written {
        // The first error is the one to report.
        drop(fs::remove_file(&unfinished));
        return Err(error);
    }
    if let Some(folder) = path.parent() {
        fs::File::open(folder)?.sync_all()?;
    }
    tracing::info!(file = %path.display(), "made a key for secrets: keep a copy of it apart from the data");
    Ok(key)
}

/// The hexadecimal digit of a number below 16.
fn digit(number: u8) -> Option<char> {
    char::from_digit(u32::from(number), 16)
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Reads a key: 32 bytes as they are, or 64 hexadecimal digits. A missing file is nothing.
fn read(path: &Path) -> Result<Option<Key>, String> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("{}: {error}", path.display())),
    };
    warn_if_readable(path);
    let Some(key) = parse(&bytes) else {
        return Err(format!(
            "{}: this is no key: it must hold 64 hexadecimal digits, or 32 bytes",
            path.display()
        ));
    };
    Ok(Some(Key::from(key)))
}

fn parse(bytes: &[u8]) -> Option<[u8; KEY_BYTES]> {
    if let Ok(key) = bytes.try_into() {
        return Some(key);
    }
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= FILE_BYTES)?.trim();
    if text.len() != 2 * KEY_BYTES || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut key = [0; KEY_BYTES];
    for (index, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(key)
}

/// Says so when others than the owner can read the key.
fn warn_if_readable(path: &Path) {
    #[cfg(unix)]
    if let Ok(metadata) = fs::metadata(path) {
        let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions());
        if mode & 0o077 != 0 {
            tracing::warn!(file = %path.display(), "others than its owner can read the key for secrets: chmod 600 it");
        }
    }
}

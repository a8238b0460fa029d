//! Operations on files, as the input lists them.

use serde::Deserialize;
use serde_json::{Value, json};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};

/// One operation.
#[derive(Deserialize)]
#[serde(tag = "operation", rename_all = "kebab-case")]
pub(crate) enum Operation {
    /// Writes a file of that many bytes, over what was there.
    Write { path: String, bytes: usize },
    /// Adds that many bytes to a file.
    Append { path: String, bytes: usize },
    /// Tells the length of a file, and how it begins.
    Read { path: String },
    /// Removes a file or an empty directory.
    Remove { path: String },
    /// Makes a directory.
    Mkdir { path: String },
    /// Makes a symbolic link at `path`.
    Symlink { path: String, target: String },
    /// Makes a hard link at `path`.
    Link { path: String, target: String },
    /// Gives a file or directory another name.
    Rename { path: String, to: String },
    /// Lists a directory.
    List { path: String },
    /// Opens a file so many times and keeps it open.
    OpenMany { path: String, count: usize },
    /// Makes a file that long without writing it.
    Sparse { path: String, bytes: u64 },
}

/// How much is written at once.
const CHUNK_BYTES: usize = 64 << 10;
/// How much of a file an answer shows.
const SHOWN_BYTES: usize = 100;

impl Operation {
    /// Does it: `{"ok": ...}`, or `{"error": kind, "message": text}`.
    pub(crate) fn run(&self, open: &mut Vec<File>) -> Value {
        match self.attempt(open) {
            Ok(value) => json!({ "ok": value }),
            Err(error) => json!({ "error": format!("{:?}", error.kind()), "message": error.to_string() }),
        }
    }

    fn attempt(&self, open: &mut Vec<File>) -> io::Result<Value> {
        match self {
            Self::Write { path, bytes } => fill(&mut File::create(path)?, *bytes),
            Self::Append { path, bytes } => {
                fill(&mut OpenOptions::new().append(true).create(true).open(path)?, *bytes)
            }
            Self::Read { path } => {
                let content = fs::read(path)?;
                let shown = String::from_utf8_lossy(&content[..content.len().min(SHOWN_BYTES)]);
                Ok(json!({ "bytes": content.len(), "begins": shown }))
            }
            Self::Remove { path } => {
                if fs::symlink_metadata(path)?.is_dir() {
                    fs::remove_dir(path)?;
                } else {
                    fs::remove_file(path)?;
                }
                Ok(Value::Null)
            }
            Self::Mkdir { path } => fs::create_dir(path).map(|()| Value::Null),
            Self::Symlink { path, target } => symlink(target, path).map(|()| Value::Null),
            Self::Link { path, target } => fs::hard_link(target, path).map(|()| Value::Null),
            Self::Rename { path, to } => fs::rename(path, to).map(|()| Value::Null),
            Self::List { path } => list(path),
            Self::OpenMany { path, count } => {
                for _ in 0..*count {
                    open.push(OpenOptions::new().read(true).open(path)?);
                }
                Ok(json!(open.len()))
            }
            Self::Sparse { path, bytes } => File::create(path)?.set_len(*bytes).map(|()| json!(bytes)),
        }
    }
}

/// Writes that many bytes.
fn fill(file: &mut File, bytes: usize) -> io::Result<Value> {
    let chunk = vec![b'x'; CHUNK_BYTES.min(bytes)];
    let mut remaining = bytes;
    while remaining > 0 {
        let length = remaining.min(chunk.len());
        file.write_all(&chunk[..length])?;
        remaining -= length;
    }
    Ok(json!(bytes))
}

/// Names what is in a directory, sorted.
fn list(path: &str) -> io::Result<Value> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(json!(names))
}

/// Makes a symbolic link, by the only function for it that is stable on WASI.
#[allow(deprecated, reason = "std::os::wasi is not stable")]
fn symlink(target: &str, path: &str) -> io::Result<()> {
    fs::soft_link(target, path)
}

//! Log groups as files: a directory for each group, in it numbered segments of JSON lines, oldest first.
//!
//! A group takes no more than its share of the disk: the oldest segment goes when a new one would be too much. Names come
//! from clients and never reach the file system as they are.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::auth::sha256_hex;
use crate::limits;

/// The files of all groups.
#[derive(Clone, Debug)]
pub(crate) struct LogFiles {
    root: PathBuf,
    group_bytes: u64,
}

/// A place between two lines of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) segment: u64,
    pub(crate) offset: u64,
}

impl Position {
    /// Before everything.
    pub(crate) const START: Position = Position { segment: 0, offset: 0 };
    /// Behind everything.
    pub(crate) const END: Position = Position { segment: u64::MAX, offset: u64::MAX };
}

/// A line, and where it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) text: String,
    pub(crate) begin: Position,
    pub(crate) end: Position,
}

impl LogFiles {
    /// Files below `root`, so many bytes for each group.
    pub(crate) fn new(root: PathBuf, group_bytes: u64) -> LogFiles {
        LogFiles { root, group_bytes: group_bytes.max(limits::LOG_SEGMENTS) }
    }

    /// Appends lines, each with its line feed. What a crash has left of a line is ended first.
    pub(crate) fn append(&self, account: &str, group: &str, lines: &[u8]) -> io::Result<()> {
        let directory = self.directory(account, group);
        fs::create_dir_all(&directory)?;
        let segments = segments(&directory)?;
        let (number, bytes) = segments.last().copied().unwrap_or((1, 0));
        let is_full = bytes > 0 && bytes.saturating_add(lines.len() as u64) > self.segment_bytes();
        let number = if is_full { number + 1 } else { number };
        if is_full {
            let keep = usize::try_from(limits::LOG_SEGMENTS).unwrap_or(usize::MAX) - 1;
            for (old, _) in segments.iter().take(segments.len().saturating_sub(keep)) {
                fs::remove_file(path_of(&directory, *old))?;
            }
        }
        let mut file =
            OpenOptions::new().read(true).create(true).append(true).open(path_of(&directory, number))?;
        if !is_full && bytes > 0 && !ends_a_line(&mut file, bytes)? {
            file.write_all(b"\n")?;
        }
        file.write_all(lines)
    }

    /// Lines from `from` on, at most so many bytes of them, and whether that is all there is.
    pub(crate) fn read(
        &self,
        account: &str,
        group: &str,
        from: Position,
        bytes: u64,
    ) -> io::Result<(Vec<Line>, bool)> {
        let directory = self.directory(account, group);
        let (mut lines, mut left) = (Vec::new(), bytes);
        for (number, _) in segments(&directory)?.into_iter().filter(|(number, _)| *number >= from.segment) {
            let offset = if number == from.segment { from.offset } else { 0 };
            let mut file = match File::open(path_of(&directory, number)) {
                Ok(file) => file,
                // It was the oldest a moment ago.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            file.seek(SeekFrom::Start(offset))?;
            let mut content = Vec::new();
            file.take(left).read_to_end(&mut content)?;
            let is_cut = content.len() as u64 == left;
            let whole = split(&content, number, offset, &mut lines);
            left = left.saturating_sub(whole);
            if is_cut {
                return Ok((lines, false));
            }
        }
        Ok((lines, true))
    }

    /// The last lines before `until`, at most so many, oldest first.
    pub(crate) fn read_back(
        &self,
        account: &str,
        group: &str,
        until: Position,
        most: usize,
    ) -> io::Result<Vec<Line>> {
        let directory = self.directory(account, group);
        let mut found: Vec<Line> = Vec::new();
        for (number, size) in segments(&directory)?.into_iter().rev() {
            if number > until.segment || found.len() >= most {
                continue;
            }
            let end = if number == until.segment { until.offset.min(size) } else { size };
            let mut content = Vec::new();
            File::open(path_of(&directory, number))?.take(end).read_to_end(&mut content)?;
            let mut lines = Vec::new();
            split(&content, number, 0, &mut lines);
            let missing = most - found.len();
            lines.drain(..lines.len().saturating_sub(missing));
            lines.append(&mut found);
            found = lines;
        }
        Ok(found)
    }

    /// Bytes that a group takes.
    pub(crate) fn bytes(&self, account: &str, group: &str) -> u64 {
        let segments = segments(&self.directory(account, group)).unwrap_or_default();
        segments.iter().map(|(_, bytes)| bytes).sum()
    }

    /// Removes a group's lines.
    pub(crate) fn remove(&self, account: &str, group: &str) -> io::Result<()> {
        match fs::remove_dir_all(self.directory(account, group)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    /// Removes the segments that were last written before a time.
    pub(crate) fn expire(&self, account: &str, group: &str, before: SystemTime) -> io::Result<()> {
        let directory = self.directory(account, group);
        for (number, _) in segments(&directory)? {
            let path = path_of(&directory, number);
            if fs::metadata(&path)?.modified()? < before {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    fn segment_bytes(&self) -> u64 {
        self.group_bytes / limits::LOG_SEGMENTS
    }

    fn directory(&self, account: &str, group: &str) -> PathBuf {
        self.root.join(safe(account)).join(safe(group))
    }
}

/// A name that leads nowhere else: letters, digits, `-` and `_` as they are, all else by its bytes. A long one is cut and
/// told apart by its digest.
fn safe(name: &str) -> String {
    let mut safe = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            safe.push(char::from(byte));
        } else {
            safe.push('%');
            safe.push(char::from(b"0123456789ABCDEF"[usize::from(byte >> 4)]));
            safe.push(char::from(b"0123456789ABCDEF"[usize::from(byte & 15)]));
        }
    }
    if safe.is_empty() {
        safe.push('%');
    }
    if safe.len() > limits::LOG_DIRECTORY_BYTES {
        safe.truncate(limits::LOG_DIRECTORY_BYTES);
        safe.push('%');
        safe.push_str(&sha256_hex(name.as_bytes()));
    }
    safe
}

fn path_of(directory: &Path, segment: u64) -> PathBuf {
    directory.join(format!("{segment:010}.jsonl"))
}

/// Number and size of the segments in a directory, oldest first; none of one that is not there.
fn segments(directory: &Path) -> io::Result<Vec<(u64, u64)>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let number =
            name.to_str().and_then(|name| name.strip_suffix(".jsonl")).and_then(|name| name.parse().ok());
        if let Some(number) = number {
            found.push((number, entry.metadata()?.len()));
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn ends_a_line(file: &mut File, bytes: u64) -> io::Result<bool> {
    let mut last = [0];
    file.seek(SeekFrom::Start(bytes - 1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// Adds the whole lines of a piece of a segment. How many bytes they take.
fn split(content: &[u8], segment: u64, offset: u64, lines: &mut Vec<Line>) -> u64 {
    let mut begin = 0;
    for (at, _) in content.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
        let place = |within: usize| Position { segment, offset: offset + within as u64 };
        let text = String::from_utf8_lossy(&content[begin..at]).into_owned();
        lines.push(Line { text, begin: place(begin), end: place(at + 1) });
        begin = at + 1;
    }
    begin as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: &str = "123456789012";

    fn texts(lines: &[Line]) -> Vec<&str> {
        lines.iter().map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn lines_come_back_in_order_from_anywhere() {
        let root = tempfile::tempdir().unwrap();
        let files = LogFiles::new(root.path().to_owned(), 1 << 20);
        files.append(ACCOUNT, "/aws/g", b"one\ntwo\n").unwrap();
        files.append(ACCOUNT, "/aws/g", b"three\n").unwrap();
        let (lines, whole) = files.read(ACCOUNT, "/aws/g", Position::START, 1_000).unwrap();
        assert_eq!((texts(&lines), whole), (vec!["one", "two", "three"], true));
        let (rest, _) = files.read(ACCOUNT, "/aws/g", lines[0].end, 1_000).unwrap();
        assert_eq!(texts(&rest), ["two", "three"]);
        let (cut, whole) = files.read(ACCOUNT, "/aws/g", Position::START, 9).unwrap();
        assert_eq!((texts(&cut), whole), (vec!["one", "two"], false));
        let back = files.read_back(ACCOUNT, "/aws/g", Position::END, 2).unwrap();
        assert_eq!(texts(&back), ["two", "three"]);
        let before = files.read_back(ACCOUNT, "/aws/g", back[0].begin, 2).unwrap();
        assert_eq!(texts(&before), ["one"]);
        assert!(files.read("other", "/aws/g", Position::START, 1_000).unwrap().0.is_empty());
        files.remove(ACCOUNT, "/aws/g").unwrap();
        assert_eq!(files.bytes(ACCOUNT, "/aws/g"), 0);
    }

    #[test]
    fn a_group_keeps_its_newest_lines_within_its_bytes() {
        let root = tempfile::tempdir().unwrap();
        let files = LogFiles::new(root.path().to_owned(), 80 * limits::LOG_SEGMENTS);
        for number in 0..200 {
            files.append(ACCOUNT, "g", format!("line number {number}\n").as_bytes()).unwrap();
            assert!(files.bytes(ACCOUNT, "g") <= 80 * limits::LOG_SEGMENTS);
        }
        let (lines, _) = files.read(ACCOUNT, "g", Position::START, 1 << 20).unwrap();
        assert!(lines.len() > 20, "{}", lines.len());
        assert_eq!(lines.last().unwrap().text, "line number 199");
        assert_eq!(files.read_back(ACCOUNT, "g", Position::END, 20).unwrap(), lines[lines.len() - 20..]);
    }

    #[test]
    fn what_a_crash_has_left_of_a_line_spoils_no_other() {
        let root = tempfile::tempdir().unwrap();
        let files = LogFiles::new(root.path().to_owned(), 1 << 20);
        files.append(ACCOUNT, "g", b"one\ntw").unwrap();
        files.append(ACCOUNT, "g", b"three\n").unwrap();
        let (lines, _) = files.read(ACCOUNT, "g", Position::START, 1_000).unwrap();
        assert_eq!(texts(&lines), ["one", "tw", "three"]);
    }

    #[test]
    fn names_lead_nowhere_else() {
        for name in ["..", "../../x", "/etc/passwd", ".", "", "a/../b", "c:\\d", "e.jsonl"] {
            let safe = safe(name);
            assert!(!safe.contains(['/', '.', '\\', ':']), "{safe}");
        }
        let (one, other) = ("x".repeat(400) + "1", "x".repeat(400) + "2");
        assert!(safe(&one) != safe(&other) && safe(&one).len() < 255);
        assert_ne!(safe("a/b"), safe("a%2Fb"));
    }
}

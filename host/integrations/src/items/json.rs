//! One JSON document with many items: the elements of an array or the members of an object in it (ReaderConfig,
//! "ItemsPointer").
//!
//! The document is gone through byte by byte, and only one element at a time is parsed: it must never be in memory as a
//! whole. What lies beside the way to the items is skipped, and read only as far as its brackets and texts go.

use super::failure::Failure;
use super::{Items, RawItem, limits};
use serde_json::Value;
use std::io::BufRead;

/// Nothing that can be iterated is where the items should be (recorded).
const NOT_ITERABLE: &str = "Attempting to map over non-iterable node.";

pub(super) struct Elements<R> {
    scan: Scan<R>,
    /// The bracket that ends the items; none once it has been seen.
    end: Option<u8>,
    is_first: bool,
    /// Whether the items are the whole document: then nothing may follow.
    is_whole: bool,
}

impl<R: BufRead> Elements<R> {
    pub(super) fn new(reader: R, pointer: Option<&str>) -> Result<Elements<R>, Failure> {
        let mut scan = Scan { reader, offset: 0 };
        scan.skip_mark()?;
        let pointer = pointer.unwrap_or_default();
        for token in pointer.split('/').skip(1) {
            let token = token.replace("~1", "/").replace("~0", "~");
            if !scan.enter(&token)? {
                return Err(Failure::wrong(format!("The ItemsPointer '{pointer}' leads to nothing.")));
            }
        }
        let end = match scan.peek()? {
            Some(b'[') => b']',
            Some(b'{') => b'}',
            Some(_) => return Err(Failure::wrong(NOT_ITERABLE)),
            None => return Err(scan.wrong("ends too early")),
        };
        scan.bump();
        Ok(Elements { scan, end: Some(end), is_first: true, is_whole: pointer.is_empty() })
    }

    /// Goes to the next element: whether there is one.
    fn advance(&mut self) -> Result<bool, Failure> {
        let Some(end) = self.end else { return Ok(false) };
        let next = self.scan.peek()?;
        if next == Some(end) {
            self.scan.bump();
            self.end = None;
            if self.is_whole && self.scan.peek()?.is_some() {
                return Err(self.scan.wrong("goes on behind its end"));
            }
            return Ok(false);
        }
        if !std::mem::take(&mut self.is_first) {
            self.scan.expect(b',')?;
        }
        Ok(true)
    }

    fn key(&mut self) -> Result<Option<String>, Failure> {
        if self.end != Some(b'}') {
            return Ok(None);
        }
        let key = self.scan.key()?;
        Ok(Some(key))
    }
}

impl<R: BufRead + Send> Items for Elements<R> {
    fn next(&mut self) -> Result<Option<RawItem>, Failure> {
        if !self.advance()? {
            return Ok(None);
        }
        let key = self.key()?;
        let mut text = Vec::new();
        self.scan.value(Some(&mut text))?;
        let value: Value =
            serde_json::from_slice(&text).map_err(|error| self.scan.wrong(&format!("is wrong: {error}")))?;
        Ok(Some(RawItem { value, bytes: text.len() + key.as_ref().map_or(0, String::len), key }))
    }

    fn skip(&mut self) -> Result<bool, Failure> {
        if !self.advance()? {
            return Ok(false);
        }
        self.key()?;
        self.scan.value(None)?;
        Ok(true)
    }
}

/// A document and how far it has been read.
struct Scan<R> {
    reader: R,
    offset: u64,
}

impl<R: BufRead> Scan<R> {
    fn wrong(&self, what: &str) -> Failure {
        Failure::Wrong(format!("The JSON document {what} at byte {}.", self.offset))
    }

    fn skip_mark(&mut self) -> Result<(), Failure> {
        for byte in [0xef, 0xbb, 0xbf] {
            if self.reader.fill_buf()?.first() != Some(&byte) {
                break;
            }
            self.bump();
        }
        Ok(())
    }

    fn bump(&mut self) {
        self.reader.consume(1);
        self.offset += 1;
    }

    /// The next byte that is no space, without taking it.
    fn peek(&mut self) -> Result<Option<u8>, Failure> {
        loop {
            let available = self.reader.fill_buf()?;
            let spaces = available.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let (length, next) = (available.len(), available.get(spaces).copied());
            self.reader.consume(spaces);
            self.offset += spaces as u64;
            if next.is_some() || length == 0 {
                return Ok(next);
            }
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Failure> {
        if self.peek()? != Some(byte) {
            return Err(self.wrong(&format!("has no '{}'", char::from(byte))));
        }
        self.bump();
        Ok(())
    }

    /// A member's name and the colon behind it.
    fn key(&mut self) -> Result<String, Failure> {
        if self.peek()? != Some(b'"') {
            return Err(self.wrong("has no name of a member"));
        }
        let mut text = Vec::new();
        self.value(Some(&mut text))?;
        self.expect(b':')?;
        serde_json::from_slice(&text).map_err(|error| self.wrong(&format!("is wrong: {error}")))
    }

    /// Goes into the value to the part of it that a token of a pointer names: whether there is such a part.
    fn enter(&mut self, token: &str) -> Result<bool, Failure> {
        let end = match self.peek()? {
            Some(b'{') => b'}',
            Some(b'[') => b']',
            _ => return Ok(false),
        };
        self.bump();
        let (index, mut at) = (token.parse::<u64>().ok(), 0);
        loop {
            if self.peek()? == Some(end) {
                return Ok(false);
            }
            if at > 0 {
                self.expect(b',')?;
            }
            let is_found = if end == b'}' { self.key()? == token } else { Some(at) == index };
            if is_found {
                return Ok(true);
            }
            self.value(None)?;
            at += 1;
        }
    }

    /// Takes one value, and copies its text.
    fn value(&mut self, mut text: Option<&mut Vec<u8>>) -> Result<(), Failure> {
        let first = self.peek()?.ok_or_else(|| self.wrong("ends too early"))?;
        let mut shape = Shape::new(first);
        let mut bytes = 0;
        loop {
            let available = self.reader.fill_buf()?;
            if available.is_empty() {
                // A number may be the last thing.
                return if shape.may_end() { Ok(()) } else { Err(self.wrong("ends too early")) };
            }
            let end = available.iter().position(|byte| shape.ends_before(*byte));
            let used = end.unwrap_or(available.len());
            if let Some(text) = text.as_deref_mut() {
                text.extend_from_slice(&available[..used]);
                bytes += used;
            }
            self.reader.consume(used);
            self.offset += used as u64;
            if bytes > limits::ITEM_BYTES {
                return Err(Failure::wrong(format!("An item has more than {} bytes.", limits::ITEM_BYTES)));
            }
            if shape.depth > limits::DEPTH {
                return Err(self.wrong("nests too deep"));
            }
            if end.is_some() {
                return if bytes > 0 || text.is_none() { Ok(()) } else { Err(self.wrong("has no value")) };
            }
        }
    }
}

/// How far a value has been gone through: its brackets and texts, nothing else.
struct Shape {
    depth: usize,
    part: Part,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Neither a text nor in brackets: ends before what cannot be part of it.
    Bare,
    /// Between the texts in brackets, or before the value.
    Structure,
    Text,
    /// In a text, behind a backslash.
    Escape,
    Complete,
}

impl Shape {
    fn new(first: u8) -> Shape {
        let is_bare = !matches!(first, b'"' | b'[' | b'{');
        Shape { depth: 0, part: if is_bare { Part::Bare } else { Part::Structure } }
    }

    fn may_end(&self) -> bool {
        matches!(self.part, Part::Bare | Part::Complete)
    }

    /// Whether the value was complete before this byte, which then is not part of it.
    fn ends_before(&mut self, byte: u8) -> bool {
        self.part = match (self.part, byte) {
            (Part::Complete, _) => return true,
            (Part::Bare, _) => {
                return byte.is_ascii_whitespace() || matches!(byte, b',' | b']' | b'}' | b':');
            }
            (Part::Text, b'\\') => Part::Escape,
            (Part::Text, b'"') => self.between(),
            (Part::Text | Part::Escape, _) | (Part::Structure, b'"') => Part::Text,
            (Part::Structure, b'[' | b'{') => {
                self.depth += 1;
                Part::Structure
            }
            (Part::Structure, b']' | b'}') => {
                self.depth = self.depth.saturating_sub(1);
                self.between()
            }
            (Part::Structure, _) => Part::Structure,
        };
        false
    }

    fn between(&self) -> Part {
        if self.depth == 0 { Part::Complete } else { Part::Structure }
    }
}

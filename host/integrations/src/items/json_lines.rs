//! JSON Lines: one value a line.

use super::failure::Failure;
use super::{Items, RawItem, limits};
use std::io::{BufRead, Read as _};

pub(super) struct Lines<R> {
    reader: R,
    line: Vec<u8>,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R) -> Lines<R> {
        Lines { reader, line: Vec::new(), number: 0 }
    }

    /// Reads the next line that is not blank: whether there was one.
    fn advance(&mut self) -> Result<bool, Failure> {
        loop {
            self.line.clear();
            self.number += 1;
            let most = limits::ITEM_BYTES as u64 + 1;
            if self.reader.by_ref().take(most).read_until(b'\n', &mut self.line)? == 0 {
                return Ok(false);
            }
            if self.line.len() > limits::ITEM_BYTES {
                let cause = format!("Line {} has more than {} bytes.", self.number, limits::ITEM_BYTES);
                return Err(Failure::Wrong(cause));
            }
            if self.number == 1 && self.line.starts_with(&[0xef, 0xbb, 0xbf]) {
                self.line.drain(..3);
            }
            if !self.line.iter().all(u8::is_ascii_whitespace) {
                return Ok(true);
            }
        }
    }
}

impl<R: BufRead + Send> Items for Lines<R> {
    fn next(&mut self) -> Result<Option<RawItem>, Failure> {
        if !self.advance()? {
            return Ok(None);
        }
        let value = serde_json::from_slice(&self.line)
            .map_err(|error| Failure::wrong(format!("Line {} is not JSON: {error}", self.number)))?;
        Ok(Some(RawItem { value, key: None, bytes: self.line.len() }))
    }

    fn skip(&mut self) -> Result<bool, Failure> {
        self.advance()
    }
}

//! Delimited text (Developer Guide, "Input formats: CSV file in an Amazon S3 bucket").
//!
//! Cells are texts, whatever they look like. The rules are RFC 4180's with backslashes, which a parser for plain CSV does
//! not have outside of quotes: before any character a backslash makes it a plain one, and is dropped. Rows may have any
//! number of cells: what is missing is empty, what is too much is dropped (recorded).

use super::failure::Failure;
use super::{Items, RawItem, limits};
use serde_json::{Map, Value};
use std::io::BufRead;

/// What some programs put before UTF-8.
const MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// Rows of cells.
pub(super) struct Rows<R> {
    reader: R,
    row: Row,
    /// Bytes of the last row.
    bytes: usize,
}

struct Row {
    delimiter: u8,
    at: At,
    cell: Vec<u8>,
    cells: Vec<Vec<u8>>,
    /// Whether a cell is in quotes: then the row is no empty line.
    is_quoted: bool,
    /// Bytes of the mark seen at the file's start; none behind it.
    mark: Option<usize>,
}

/// Where a row stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    CellStart,
    Plain,
    Quoted,
    /// Behind a quote in a quoted cell: its end, or the first of two.
    QuoteInQuoted,
    Escaped {
        quoted: bool,
    },
    /// Behind a carriage return outside of quotes: a line end if a line feed follows.
    Return,
}

impl Row {
    /// Takes a byte: whether the row ends with it.
    fn take(&mut self, byte: u8) -> bool {
        if let Some(seen) = self.mark.take()
            && byte == MARK[seen]
        {
            self.cell.push(byte);
            self.at = At::Plain;
            if seen + 1 < MARK.len() {
                self.mark = Some(seen + 1);
            } else {
                self.cell.clear();
                self.at = At::CellStart;
            }
            return false;
        }
        if self.at == At::Return {
            if byte == b'\n' {
                self.end_cell();
                return true;
            }
            self.cell.push(b'\r');
            self.at = At::Plain;
        }
        match (self.at, byte) {
            (At::Escaped { quoted }, _) => {
                self.cell.push(byte);
                self.at = if quoted { At::Quoted } else { At::Plain };
            }
            (At::Quoted, b'"') => self.at = At::QuoteInQuoted,
            (At::QuoteInQuoted, b'"') => {
                self.cell.push(byte);
                self.at = At::Quoted;
            }
            (At::CellStart, b'"') => {
                self.at = At::Quoted;
                self.is_quoted = true;
            }
            (At::Quoted, b'\\') => self.at = At::Escaped { quoted: true },
            (_, b'\\') => self.at = At::Escaped { quoted: false },
            (At::Quoted, _) => self.cell.push(byte),
            (_, b'\n') => {
                self.end_cell();
                return true;
            }
            (_, b'\r') => self.at = At::Return,
            (_, byte) if byte == self.delimiter => self.end_cell(),
            (_, _) => {
                self.cell.push(byte);
                self.at = At::Plain;
            }
        }
        false
    }

    fn end_cell(&mut self) {
        self.cells.push(std::mem::take(&mut self.cell));
        self.at = At::CellStart;
    }

    /// The file ends: whether a row does.
    fn end(&mut self) -> bool {
        let is_row = self.at != At::CellStart || !self.cells.is_empty();
        if is_row {
            self.end_cell();
        }
        is_row
    }
}

impl<R: BufRead> Rows<R> {
    pub(super) fn new(reader: R, delimiter: u8) -> Rows<R> {
        let (cell, cells) = (Vec::new(), Vec::new());
        let row = Row { delimiter, at: At::CellStart, cell, cells, is_quoted: false, mark: Some(0) };
        Rows { reader, row, bytes: 0 }
    }

    /// The next row and the bytes that it took. An empty line is none.
    pub(super) fn next(&mut self) -> Result<Option<(Vec<String>, usize)>, Failure> {
        while self.advance()? {
            let cells = std::mem::take(&mut self.row.cells);
            if !self.row.is_quoted && matches!(cells.as_slice(), [cell] if cell.is_empty()) {
                continue;
            }
            let cells = cells.into_iter().map(String::from_utf8).collect::<Result<Vec<String>, _>>();
            let cells = cells.map_err(|_| Failure::wrong("The file is not UTF-8 text."))?;
            return Ok(Some((cells, self.bytes)));
        }
        Ok(None)
    }

    fn advance(&mut self) -> Result<bool, Failure> {
        self.row.cells.clear();
        self.row.is_quoted = false;
        self.bytes = 0;
        loop {
            let available = self.reader.fill_buf()?;
            if available.is_empty() {
                return Ok(self.row.end());
            }
            let end = available.iter().position(|byte| self.row.take(*byte));
            let used = end.map_or(available.len(), |end| end + 1);
            self.reader.consume(used);
            self.bytes += used;
            if self.bytes > limits::ITEM_BYTES + limits::PIECE_BYTES {
                return Err(Failure::wrong(format!("A row has more than {} bytes.", limits::ITEM_BYTES)));
            }
            if end.is_some() {
                return Ok(true);
            }
        }
    }
}

/// Rows as objects, by the names of their columns.
pub(super) struct Records<R> {
    rows: Rows<R>,
    headers: Vec<String>,
}

impl<R: BufRead> Records<R> {
    /// With these names, or those in the first row.
    pub(super) fn new(mut rows: Rows<R>, headers: Option<Vec<String>>) -> Result<Records<R>, Failure> {
        let headers = match headers {
            Some(headers) => headers,
            None => rows.next()?.map(|(cells, _)| cells).unwrap_or_default(),
        };
        let mut sorted: Vec<&String> = headers.iter().collect();
        sorted.sort();
        if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(Failure::wrong("CSV headers cannot contain duplicates."));
        }
        Ok(Records { rows, headers })
    }
}

impl<R: BufRead + Send> Items for Records<R> {
    fn next(&mut self) -> Result<Option<RawItem>, Failure> {
        let Some((cells, bytes)) = self.rows.next()? else { return Ok(None) };
        let mut cells = cells.into_iter();
        let members = self
            .headers
            .iter()
            .map(|header| (header.clone(), Value::String(cells.next().unwrap_or_default())));
        let value = Value::Object(members.collect::<Map<String, Value>>());
        Ok(Some(RawItem { value, key: None, bytes }))
    }

    fn skip(&mut self) -> Result<bool, Failure> {
        Ok(self.rows.next()?.is_some())
    }
}

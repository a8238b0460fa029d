//! What a distributed Map reads: items in files of several formats, one after the other (specification, "ItemReader"; API
//! reference, section 6.9).
//!
//! Formats are plain readers on a thread that may wait. It must never hold more than a page of items and one piece of a
//! file, however large the file is.

mod compression;
mod configuration;
mod csv;
mod failure;
mod json;
mod json_lines;
mod limits;
mod listing;
mod manifest;
mod parquet;
mod sources;

pub use sources::S3Items;

use configuration::{Configuration, Format};
use failure::{Failure, Watched};
use serde_json::Value;
use std::io::{BufReader, Read};

/// An item as a format gives it.
#[derive(Clone, Debug, PartialEq)]
struct RawItem {
    value: Value,
    /// The name of an object's member.
    key: Option<String>,
    /// Bytes that it took in the file, about.
    bytes: usize,
}

/// Items of one file, in order.
trait Items: Send {
    /// The next one. After an error there is none.
    fn next(&mut self) -> Result<Option<RawItem>, Failure>;

    /// Goes past the next item: whether there was one.
    fn skip(&mut self) -> Result<bool, Failure> {
        Ok(self.next()?.is_some())
    }
}

/// The items of a file with this key. Waits for its first bytes.
fn open(
    key: &str,
    format: Format,
    configuration: &Configuration,
    body: impl Read + Send + 'static,
) -> Result<Box<dyn Items>, Failure> {
    let watched = Watched::new(body);
    let is_cut = watched.mark();
    let text = |watched| BufReader::with_capacity(limits::PIECE_BYTES, compression::decoded(key, watched));
    let opened = match format {
        Format::Csv => {
            let rows = csv::Rows::new(text(watched), configuration.delimiter);
            csv::Records::new(rows, configuration.headers.clone())
                .map(|rows| Box::new(rows) as Box<dyn Items>)
        }
        Format::Json => {
            let elements = json::Elements::new(text(watched), configuration.pointer.as_deref());
            elements.map(|elements| Box::new(elements) as _)
        }
        Format::JsonLines => Ok(Box::new(json_lines::Lines::new(text(watched))) as _),
        Format::Parquet => {
            parquet::spooled(watched).and_then(parquet::Rows::new).map(|rows| Box::new(rows) as _)
        }
    };
    opened.map_err(|failure| failure.judged(&is_cut)).map(|items| Box::new(Judged { items, is_cut }) as _)
}

/// Tells a file that cannot be read now from one that is wrong.
struct Judged {
    items: Box<dyn Items>,
    is_cut: failure::Mark,
}

impl Items for Judged {
    fn next(&mut self) -> Result<Option<RawItem>, Failure> {
        self.items.next().map_err(|failure| failure.judged(&self.is_cut))
    }

    fn skip(&mut self) -> Result<bool, Failure> {
        self.items.skip().map_err(|failure| failure.judged(&self.is_cut))
    }
}

#[cfg(test)]
mod tests;

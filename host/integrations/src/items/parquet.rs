//! Parquet: rows of a columnar file, as objects.
//!
//! Such a file is read from its end, so an object that is no file here is copied to the disk first. Repeated columns
//! within lists are as the library's row reader gives them.

use super::failure::Failure;
use super::{Items, RawItem, limits};
use parquet::file::reader::SerializedFileReader;
use parquet::record::reader::RowIter;
use std::fs::File;
use std::io::{self, Read};

pub(super) struct Rows {
    rows: RowIter<'static>,
}

/// The bytes as a file.
pub(super) fn spooled(bytes: impl Read) -> Result<File, Failure> {
    let unavailable = |error: io::Error| Failure::Unavailable(format!("A file cannot be kept: {error}"));
    let mut file = tempfile::tempfile().map_err(unavailable)?;
    let copied = io::copy(&mut bytes.take(limits::PARQUET_BYTES + 1), &mut file)?;
    if copied > limits::PARQUET_BYTES {
        return Err(Failure::wrong(format!("The file has more than {} bytes.", limits::PARQUET_BYTES)));
    }
    Ok(file)
}

impl Rows {
    pub(super) fn new(file: File) -> Result<Rows, Failure> {
        let reader = SerializedFileReader::new(file).map_err(|error| wrong(&error))?;
        let rows = RowIter::from_file_into(Box::new(reader));
        Ok(Rows { rows })
    }
}

impl Items for Rows {
    fn next(&mut self) -> Result<Option<RawItem>, Failure> {
        let Some(row) = self.rows.next() else { return Ok(None) };
        let value = row.map_err(|error| wrong(&error))?.to_json_value();
        let bytes = stepwell_asl::json_bytes(&value);
        Ok(Some(RawItem { value, key: None, bytes }))
    }

    fn skip(&mut self) -> Result<bool, Failure> {
        self.rows.next().transpose().map(|row| row.is_some()).map_err(|error| wrong(&error))
    }
}

fn wrong(error: &parquet::errors::ParquetError) -> Failure {
    Failure::wrong(format!("The Parquet file cannot be read: {error}"))
}

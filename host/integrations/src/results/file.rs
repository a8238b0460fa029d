//! One result file under way: a JSON array, or JSON lines.

use super::PIECE_BYTES;
use crate::objects::{Address, Attributes, ObjectError, ObjectStore, Upload};
use bytes::Bytes;

/// `OutputType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OutputType {
    Json,
    JsonLines,
}

impl OutputType {
    /// How the names of files end. What AWS calls files of lines is not recorded.
    pub(super) fn ending(self) -> &'static str {
        match self {
            OutputType::Json => "json",
            OutputType::JsonLines => "jsonl",
        }
    }
}

pub(super) struct ResultFile {
    key: String,
    upload: Box<dyn Upload>,
    output_type: OutputType,
    piece: Vec<u8>,
    /// Bytes so far.
    bytes: usize,
}

impl ResultFile {
    pub(super) async fn create(
        store: &dyn ObjectStore,
        address: &Address,
        output_type: OutputType,
    ) -> Result<ResultFile, ObjectError> {
        let content_type = match output_type {
            OutputType::Json => "application/json",
            OutputType::JsonLines => "application/jsonl",
        };
        let attributes = Attributes { content_type: Some(content_type.to_owned()), ..Attributes::default() };
        let upload = store.put(address, attributes).await?;
        Ok(ResultFile { key: address.key.clone(), upload, output_type, piece: Vec::new(), bytes: 0 })
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) async fn add(&mut self, text: &str) -> Result<(), ObjectError> {
        let before = match (self.output_type, self.bytes) {
            (OutputType::Json, 0) => "[",
            (OutputType::Json, _) => ",",
            (OutputType::JsonLines, _) => "",
        };
        let behind = match self.output_type {
            OutputType::Json => "",
            OutputType::JsonLines => "\n",
        };
        for part in [before, text, behind] {
            self.piece.extend_from_slice(part.as_bytes());
            self.bytes += part.len();
        }
        if self.piece.len() >= PIECE_BYTES {
            self.upload.write(Bytes::from(std::mem::take(&mut self.piece))).await?;
        }
        Ok(())
    }

    /// Ends the file: its key and how long it is.
    pub(super) async fn finish(mut self) -> Result<(String, usize), ObjectError> {
        if self.output_type == OutputType::Json {
            self.piece.push(b']');
            self.bytes += 1;
        }
        self.upload.write(Bytes::from(self.piece)).await?;
        self.upload.finish().await?;
        Ok((self.key, self.bytes))
    }
}

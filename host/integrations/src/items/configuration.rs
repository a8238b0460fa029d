//! ReaderConfig, taken apart (API reference, section 6.9).
//!
//! A definition has been checked before; where a value stands for nothing, the default does.

use super::failure::Failure;
use serde_json::Value;

/// How items lie in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    Json,
    JsonLines,
    Parquet,
}

/// What kind of files a manifest names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manifest {
    /// An inventory of S3: its files say which columns they have.
    Inventory,
    /// The outcome of UNLOAD in Athena.
    Athena(Format),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Configuration {
    /// None where there is no `InputType`.
    pub(super) format: Option<Format>,
    pub(super) manifest: Option<Manifest>,
    /// LOAD_AND_FLATTEN: the items are those in the objects listed.
    pub(super) flattens: bool,
    pub(super) delimiter: u8,
    /// None: the first row has them.
    pub(super) headers: Option<Vec<String>>,
    pub(super) pointer: Option<String>,
}

impl Configuration {
    pub(super) fn parse(configuration: &Value) -> Result<Configuration, Failure> {
        let text = |name: &str| configuration.get(name).and_then(Value::as_str);
        let format = match text("InputType") {
            Some("CSV") => Some(Format::Csv),
            Some("JSON") => Some(Format::Json),
            Some("JSONL") => Some(Format::JsonLines),
            Some("PARQUET") => Some(Format::Parquet),
            None | Some("MANIFEST") => None,
            Some(other) => return Err(Failure::wrong(format!("InputType '{other}' is not supported."))),
        };
        let manifest = match (text("ManifestType"), format) {
            (Some("ATHENA_DATA"), Some(format)) => Some(Manifest::Athena(format)),
            (Some("ATHENA_DATA"), None) => {
                return Err(Failure::wrong("ManifestType ATHENA_DATA needs an InputType."));
            }
            (Some("S3_INVENTORY"), _) => Some(Manifest::Inventory),
            _ => (text("InputType") == Some("MANIFEST")).then_some(Manifest::Inventory),
        };
        let delimiter = match text("CSVDelimiter") {
            Some("PIPE") => b'|',
            Some("SEMICOLON") => b';',
            Some("SPACE") => b' ',
            Some("TAB") => b'\t',
            _ => b',',
        };
        let headers = configuration.get("CSVHeaders").and_then(Value::as_array);
        let headers = headers.filter(|_| text("CSVHeaderLocation") == Some("GIVEN")).map(|headers| {
            headers.iter().map(|header| header.as_str().unwrap_or_default().to_owned()).collect()
        });
        Ok(Configuration {
            format,
            manifest,
            flattens: text("Transformation") == Some("LOAD_AND_FLATTEN"),
            delimiter,
            headers,
            pointer: text("ItemsPointer").map(str::to_owned),
        })
    }
}

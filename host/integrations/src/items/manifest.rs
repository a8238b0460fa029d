//! Manifests: files that name the files with the items (ReaderConfig, "ManifestType").
//!
//! It must never believe that a named file is there, nor that it is small: a manifest only says where to look.

use super::configuration::{Configuration, Format, Manifest};
use super::csv::Rows;
use super::failure::Failure;
use crate::objects::Address;
use serde_json::Value;

/// A file of a manifest, and how its items lie in it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct NamedFile {
    pub(super) address: Address,
    pub(super) format: Format,
    pub(super) configuration: Configuration,
}

/// The files that a manifest names, in its order.
pub(super) fn files(
    manifest: Manifest,
    configuration: &Configuration,
    account: &str,
    text: &[u8],
) -> Result<Vec<NamedFile>, Failure> {
    match manifest {
        Manifest::Inventory => inventory(configuration, account, text),
        Manifest::Athena(format) => athena(format, configuration, account, text),
    }
}

/// `manifest.json` of an inventory (S3 User Guide, "Locating your inventory list").
fn inventory(configuration: &Configuration, account: &str, text: &[u8]) -> Result<Vec<NamedFile>, Failure> {
    let manifest: Value = serde_json::from_slice(text)
        .map_err(|error| Failure::wrong(format!("The manifest is not JSON: {error}")))?;
    let member = |name: &str| manifest.get(name).and_then(Value::as_str);
    let missing = |name: &str| Failure::wrong(format!("The manifest has no {name}."));
    let format = match member("fileFormat").ok_or_else(|| missing("fileFormat"))? {
        "CSV" => Format::Csv,
        "Parquet" => Format::Parquet,
        other => {
            return Err(Failure::wrong(format!("The manifest's fileFormat '{other}' is not supported.")));
        }
    };
    let bucket = member("destinationBucket").ok_or_else(|| missing("destinationBucket"))?;
    let bucket = bucket.rsplit(':').next().unwrap_or_default();
    let columns = match format {
        Format::Csv => {
            let columns = member("fileSchema").ok_or_else(|| missing("fileSchema"))?.split(',');
            Some(columns.map(|column| column.trim().to_owned()).collect())
        }
        Format::Json | Format::JsonLines | Format::Parquet => None,
    };
    let configuration =
        Configuration { headers: columns, delimiter: b',', pointer: None, ..configuration.clone() };
    let files = manifest.get("files").and_then(Value::as_array).ok_or_else(|| missing("files"))?;
    let file = |file: &Value| {
        let key = file.get("key").and_then(Value::as_str).ok_or_else(|| missing("key of a file"))?;
        let address = Address { account: account.to_owned(), bucket: bucket.to_owned(), key: key.to_owned() };
        Ok(NamedFile { address, format, configuration: configuration.clone() })
    };
    files.iter().map(file).collect()
}

/// One `s3://bucket/key` a line (Athena User Guide, "UNLOAD").
fn athena(
    format: Format,
    configuration: &Configuration,
    account: &str,
    text: &[u8],
) -> Result<Vec<NamedFile>, Failure> {
    let mut rows = Rows::new(text, b',');
    let mut files = Vec::new();
    while let Some((cells, _)) = rows.next()? {
        let place = cells.first().map(|cell| cell.trim()).unwrap_or_default();
        let Some((bucket, key)) = place.strip_prefix("s3://").and_then(|place| place.split_once('/')) else {
            return Err(Failure::wrong(format!("The manifest names '{place}', which is no s3:// address.")));
        };
        let address = Address { account: account.to_owned(), bucket: bucket.to_owned(), key: key.to_owned() };
        files.push(NamedFile { address, format, configuration: configuration.clone() });
    }
    Ok(files)
}

//! `stepwell module put`: a file as it is, or with its manifest in a zip archive.

use std::io::{Cursor, Write as _};
use std::path::PathBuf;

use clap::Args;
use clap::builder::FalseyValueParser;
use serde_json::Value;
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

use super::super::client::Client;
use super::super::exit::Failure;
use super::super::output::Output;
use super::super::source;
use super::grants::GrantArgs;
use super::show;

const AFTER_HELP: &str = "\
Examples:
  stepwell module put charge-card charge_card.wasm
  stepwell module put charge-card charge_card.wasm --manifest stepwell.json --publish
  stepwell module put charge-card charge_card.wasm --env MODE=test --secret API_KEY=stripe \\
      --allow-http https://api.stripe.com

A module may reach what its manifest names, and nothing else. Without --manifest and without a flag
that grants something, a module keeps the manifest that it has; a new one begins with an empty one.";

/// Arguments of `stepwell module put`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct PutArgs {
    /// The module's name
    name: String,
    /// The WebAssembly file, or a zip archive with one; `-` for standard input
    #[arg(value_name = "FILE.wasm")]
    file: PathBuf,
    /// Publish a version, too
    #[arg(long, env = "STEPWELL_MODULE_PUBLISH", value_parser = FalseyValueParser::new())]
    publish: bool,
    #[command(flatten)]
    grants: GrantArgs,
}

pub(super) fn run(client: &Client, output: &mut Output, args: &PutArgs) -> Result<(), Failure> {
    let manifest = args.grants.manifest()?;
    let file = source::module_file(&args.file)?;
    let (content_type, bytes) = match manifest {
        None if file.is_archive => ("application/zip", file.bytes),
        None => ("application/wasm", file.bytes),
        Some(_) if file.is_archive => {
            return Err(Failure::Usage(format!(
                "{}: an archive carries its manifest itself, as stepwell.json",
                source::label(&args.file)
            )));
        }
        Some(manifest) => ("application/zip", archive(&file.bytes, &manifest)?),
    };
    output.progress(&format!("uploading and compiling {} ...", args.name));
    let query: &[(&str, &str)] = if args.publish { &[("publish", "true")] } else { &[] };
    let module = client.put_where(&["modules", &args.name], query, content_type, &bytes)?;
    show::module(output, &module)
}

/// A module and its manifest in one archive, not compressed: the way to the server is short.
fn archive(wasm: &[u8], manifest: &Value) -> Result<Vec<u8>, Failure> {
    let written = || {
        let mut writer = ZipWriter::new(Cursor::new(Vec::with_capacity(wasm.len() + 4_096)));
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        writer.start_file("bootstrap.wasm", options)?;
        writer.write_all(wasm)?;
        writer.start_file("stepwell.json", options)?;
        writer.write_all(manifest.to_string().as_bytes())?;
        Ok::<_, zip::result::ZipError>(writer.finish()?.into_inner())
    };
    written().map_err(|error| Failure::Usage(format!("the module cannot be packed: {error}")))
}

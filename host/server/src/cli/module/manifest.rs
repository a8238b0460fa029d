//! `stepwell module manifest`: what a module may reach, without uploading it again.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::super::client::Client;
use super::super::exit::Failure;
use super::super::output::Output;
use super::super::source;
use super::{qualified, show};

const AFTER_HELP: &str = "\
Examples:
  stepwell module manifest get charge-card > stepwell.json
  stepwell module manifest set charge-card stepwell.json";

/// Arguments of `stepwell module manifest`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct ManifestArgs {
    #[command(subcommand)]
    command: ManifestCommand,
}

#[derive(Debug, Subcommand)]
enum ManifestCommand {
    /// Print a module's manifest, JSON
    #[command(after_help = "Example:\n  stepwell module manifest get charge-card:live")]
    Get {
        /// The module's name, or NAME:VERSION or NAME:ALIAS
        name: String,
    },
    /// Replace a module's manifest; versions keep theirs
    #[command(after_help = "Example:\n  stepwell module manifest set charge-card stepwell.json")]
    Set {
        /// The module's name
        name: String,
        /// The manifest, `-` for standard input
        #[arg(value_name = "FILE.json")]
        file: PathBuf,
    },
}

pub(super) fn run(client: &Client, output: &mut Output, args: ManifestArgs) -> Result<(), Failure> {
    match args.command {
        ManifestCommand::Get { name } => {
            let (name, qualifier) = qualified(&name);
            let manifest = client.get_where(&["modules", name, "manifest"], &qualifier)?;
            output.json(&manifest)
        }
        ManifestCommand::Set { name, file } => {
            let text = source::json_file(&file)?;
            let module = client.put(&["modules", &name, "manifest"], "application/json", text.as_bytes())?;
            show::module(output, &module)
        }
    }
}

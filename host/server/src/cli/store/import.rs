//! `stepwell store import`: an export into a new store.
//!
//! A file is read to its end and compared before the store is touched; standard input can be read only once.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use stepwell_store::transfer::{self, Head, Totals};

use super::super::exit::Failure;
use super::super::output::Output;
use super::super::{source, table};
use super::progress::Progress;
use super::{ProgressArg, StoreArg, finish, open, transfer_failed};

const AFTER_HELP: &str = "\
Examples:
  stepwell store import --store redb:./new-data/store.redb --input backup.stepwell
  ssh backup 'cat stepwell.backup' | stepwell store import --store sled:./new-data --input -

The store must be new or empty. If an import is cut short, the server refuses the store; run the import again, it
starts anew. Copy the folder `modules` and the file `secret.key` from the old data beside the new store.";

/// Arguments of `stepwell store import`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct ImportArgs {
    #[command(flatten)]
    store: StoreArg,
    /// The export; `-` for standard input
    #[arg(long, short, value_name = "FILE", env = "STEPWELL_IMPORT_FILE")]
    input: PathBuf,
    #[command(flatten)]
    progress: ProgressArg,
}

pub(super) async fn run(output: &mut Output, args: &ImportArgs) -> Result<(), Failure> {
    let failed = |error| transfer_failed(&args.store, "--input", &args.input, &error);
    let (head, totals) = if source::is_standard_input(&args.input) {
        read(output, args, io::stdin()).await?
    } else {
        transfer::check_export(open_file(args)?).map_err(failed)?;
        read(output, args, open_file(args)?).await?
    };
    if output.wants_json() {
        return output.json(&json!({
            "store": args.store.store.to_string(),
            "source": head.source,
            "records": totals.records,
            "recordBytes": totals.record_bytes,
            "fileBytes": totals.file_bytes,
        }));
    }
    output.line(&format!(
        "imported {} records ({}) of {} into {}",
        totals.records,
        table::bytes(totals.record_bytes),
        head.source,
        args.store.store
    ))
}

fn open_file(args: &ImportArgs) -> Result<impl Read + use<>, Failure> {
    let file = File::open(&args.input);
    let file = file.map_err(|error| Failure::Usage(format!("--input {}: {error}", args.input.display())))?;
    Ok(BufReader::new(file))
}

async fn read(output: &mut Output, args: &ImportArgs, input: impl Read) -> Result<(Head, Totals), Failure> {
    let backend = open(&args.store.store).await?;
    let mut progress = Progress::new(output, "imported", args.progress.progress);
    let imported = transfer::import(&*backend, input, |totals| progress.tell(totals)).await;
    let imported = imported.map_err(|error| transfer_failed(&args.store, "--input", &args.input, &error));
    let (head, totals) = finish(&backend, imported).await?;
    progress.end(totals);
    Ok((head, totals))
}

//! `stepwell store`: export, import, verify, stats and compact, on the files of a store that no server has open.
//!
//! Nothing here goes over HTTP: these commands open the store themselves, and its lock keeps them and a server apart.
//! They must never create a store that they were only asked to read.

mod compact;
mod export;
mod import;
mod progress;
mod stats;
mod verify;

use std::path::Path;
use std::sync::Arc;

use clap::{Args, Subcommand};
use stepwell_store::transfer::{self, TransferError};
use stepwell_store::{Backend, OpenOptions, StoreError, StoreLocation};

use super::exit::Failure;
use super::output::Output;

const AFTER_HELP: &str = "\
Examples:
  stepwell store export --store sled:./stepwell-data --output backup.stepwell
  stepwell store import --store redb:./new-data/store.redb --input backup.stepwell
  stepwell store verify --store sled:./stepwell-data
  stepwell store stats --store sled:./stepwell-data --records
  stepwell store compact --store redb:./new-data/store.redb

These commands work on the files themselves: stop the server first. An export has everything in the store: machines,
executions, history, what modules are called and secrets (sealed). The code of modules and the key of secrets are files
beside the store: copy the folder `modules` and the file `secret.key` along.";

/// Arguments of `stepwell store`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct StoreArgs {
    #[command(subcommand)]
    command: StoreCommand,
}

#[derive(Debug, Subcommand)]
enum StoreCommand {
    /// Write everything in a store into one file
    Export(export::ExportArgs),
    /// Read an export into a new store, of any engine
    Import(import::ImportArgs),
    /// Read every record and compare its checksum; exit code 1 if something is damaged or missing
    Verify(verify::VerifyArgs),
    /// Show the engine, the size, and with --records what is in the store
    Stats(stats::StatsArgs),
    /// Give free space inside the files back to the file system, where the engine can
    Compact(compact::CompactArgs),
}

/// The flag that names the store.
#[derive(Args, Debug)]
pub(super) struct StoreArg {
    /// The store: `sled:DIR` or `redb:FILE`, as `serve` has it
    #[arg(long, value_name = "STORE", env = "STEPWELL_STORE", default_value = "sled:./stepwell-data")]
    pub(super) store: StoreLocation,
}

/// The flag that asks for progress.
#[derive(Args, Debug)]
pub(super) struct ProgressArg {
    /// Say on standard error how far it is, also when that is not a terminal
    #[arg(long, env = "STEPWELL_PROGRESS", value_parser = clap::builder::FalseyValueParser::new())]
    pub(super) progress: bool,
}

/// Runs one `stepwell store` command.
pub(crate) fn run(output: &mut Output, args: StoreArgs) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| not_done(&format!("cannot start threads: {error}")))?;
    runtime.block_on(async {
        match args.command {
            StoreCommand::Export(args) => export::run(output, &args).await,
            StoreCommand::Import(args) => import::run(output, &args).await,
            StoreCommand::Verify(args) => verify::run(output, &args).await,
            StoreCommand::Stats(args) => stats::run(output, &args).await,
            StoreCommand::Compact(args) => compact::run(output, &args).await,
        }
    })
}

/// Opens a store that is there, does something with it, and closes it.
pub(super) async fn with_store<T>(
    arg: &StoreArg,
    work: impl AsyncFnOnce(&Arc<dyn Backend>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let (exists, place) = match &arg.store {
        StoreLocation::Sled(directory) => (directory.join("sled").is_dir(), directory.as_path()),
        StoreLocation::Redb(file) => (file.is_file(), file.as_path()),
        StoreLocation::Memory => return Err(no_files()),
    };
    if !exists {
        return Err(Failure::Usage(format!(
            "--store {}: there is no store in {}",
            arg.store,
            place.display()
        )));
    }
    let backend = open(&arg.store).await?;
    finish(&backend, work(&backend).await).await
}

/// Opens or creates a store.
pub(super) async fn open(location: &StoreLocation) -> Result<Arc<dyn Backend>, Failure> {
    if *location == StoreLocation::Memory {
        return Err(no_files());
    }
    let wanted = location.clone();
    let opened =
        tokio::task::spawn_blocking(move || stepwell_store::open(&wanted, OpenOptions::default())).await;
    let opened = opened.map_err(|error| not_done(&format!("--store {location}: {error}")))?;
    opened.map_err(|error| Failure::Usage(format!("--store {location}: {error}")))
}

/// Closes a store; a failure before matters more than one of closing.
pub(super) async fn finish<T>(backend: &Arc<dyn Backend>, outcome: Result<T, Failure>) -> Result<T, Failure> {
    let closed = backend.close().await;
    let done = outcome?;
    closed.map_err(|error| not_done(&format!("cannot close the store: {error}")))?;
    Ok(done)
}

fn no_files() -> Failure {
    Failure::Usage(
        "--store memory: has no files, it is gone with its server; give sled:DIR or redb:FILE".to_owned(),
    )
}

/// Something other than the command line is the reason.
pub(super) fn not_done(message: &str) -> Failure {
    Failure::NotSucceeded { message: message.to_owned(), hint: None }
}

/// A failure of the store that a flag names.
fn store_failed(arg: &StoreArg, error: &StoreError) -> Failure {
    not_done(&format!("--store {}: {error}", arg.store))
}

/// A failure of an export or an import: of the file, or of the store.
fn transfer_failed(arg: &StoreArg, flag: &str, file: &Path, error: &TransferError) -> Failure {
    let (store, file) =
        (format!("--store {}: {error}", arg.store), format!("{flag} {}: {error}", file.display()));
    match error {
        TransferError::NotAnExport
        | TransferError::OtherExport { .. }
        | TransferError::OtherRecords { .. }
        | TransferError::Damaged { .. }
        | TransferError::CutOff { .. }
        | TransferError::Read(_) => Failure::Usage(file),
        TransferError::NotEmpty { .. } | TransferError::Unfinished => Failure::Usage(store),
        TransferError::TooSlow | TransferError::Busy | TransferError::Stuck | TransferError::Store(_) => {
            not_done(&store)
        }
    }
}

/// Refuses a store that an import has left unfinished.
pub(super) async fn check_whole(arg: &StoreArg, backend: &Arc<dyn Backend>) -> Result<(), Failure> {
    let whole = transfer::check_whole(&**backend).await;
    whole.map_err(|error| transfer_failed(arg, "--store", Path::new(""), &error))
}

//! `stepwell store export`: everything in a store as one file, or on standard output.
//!
//! It must never leave a file of the asked name that is not whole, nor replace one.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde_json::json;
use stepwell_store::Backend;
use stepwell_store::transfer::{Export, Totals};
use tempfile::NamedTempFile;

use super::super::exit::Failure;
use super::super::output::Output;
use super::super::{source, table};
use super::progress::Progress;
use super::{ProgressArg, StoreArg, not_done, transfer_failed, with_store};

const AFTER_HELP: &str = "\
Examples:
  stepwell store export --store sled:./stepwell-data --output backup.stepwell
  stepwell store export --store redb:./data/store.redb --output - | ssh backup 'cat > stepwell.backup'

Stop the server first, or take the export from the running server:
  curl --fail -o backup.stepwell http://127.0.0.1:8083/api/store/export";

/// Arguments of `stepwell store export`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    store: StoreArg,
    /// The file to write, which must not exist; `-` for standard output
    #[arg(long, short, value_name = "FILE", env = "STEPWELL_EXPORT_FILE")]
    output: PathBuf,
    #[command(flatten)]
    progress: ProgressArg,
}

pub(super) async fn run(output: &mut Output, args: &ExportArgs) -> Result<(), Failure> {
    if source::is_standard_input(&args.output) {
        if io::stdout().is_terminal() {
            return Err(Failure::Usage(
                "--output -: an export is no text: send it to a file or a pipe".to_owned(),
            ));
        }
        let written = with_store(&args.store, async |backend| {
            copy(output, args, backend, &mut BufWriter::new(io::stdout())).await
        });
        let totals = written.await?;
        output.note(&told(totals, "standard output"));
        return Ok(());
    }
    if args.output.exists() {
        return Err(Failure::Usage(format!(
            "--output {}: the file exists, and an export replaces nothing; choose another name",
            args.output.display()
        )));
    }
    let totals = with_store(&args.store, async |backend| to_file(output, args, backend).await).await?;
    if output.wants_json() {
        return output.json(&json!({
            "store": args.store.store.to_string(),
            "file": args.output,
            "records": totals.records,
            "recordBytes": totals.record_bytes,
            "fileBytes": totals.file_bytes,
        }));
    }
    output.line(&told(totals, &args.output.display().to_string()))
}

/// Writes beside the asked name first, and gives the file its name when all of it is on the disk.
async fn to_file(
    output: &mut Output,
    args: &ExportArgs,
    backend: &Arc<dyn Backend>,
) -> Result<Totals, Failure> {
    let failed = |error: io::Error| cannot_write(&args.output, &error);
    let folder = match args.output.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    let unfinished =
        tempfile::Builder::new().prefix(".stepwell-export-").tempfile_in(folder).map_err(failed)?;
    let mut writer = BufWriter::new(unfinished);
    let totals = copy(output, args, backend, &mut writer).await?;
    let unfinished: NamedTempFile = writer.into_inner().map_err(|error| failed(error.into_error()))?;
    unfinished.as_file().sync_all().map_err(failed)?;
    unfinished.persist_noclobber(&args.output).map_err(|error| failed(error.error))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    Ok(totals)
}

/// Writes an export to its end.
async fn copy(
    output: &mut Output,
    args: &ExportArgs,
    backend: &Arc<dyn Backend>,
    writer: &mut impl Write,
) -> Result<Totals, Failure> {
    let mut progress = Progress::new(output, "exported", args.progress.progress);
    let mut export = Export::new(Arc::clone(backend));
    loop {
        let frame = export.next().await;
        let frame = frame.map_err(|error| transfer_failed(&args.store, "--output", &args.output, &error))?;
        let Some(frame) = frame else { break };
        writer.write_all(&frame).map_err(|error| cannot_write(&args.output, &error))?;
        progress.tell(export.totals());
    }
    writer.flush().map_err(|error| cannot_write(&args.output, &error))?;
    progress.end(export.totals());
    Ok(export.totals())
}

fn told(totals: Totals, place: &str) -> String {
    format!(
        "exported {} records ({}) to {place} ({})",
        totals.records,
        table::bytes(totals.record_bytes),
        table::bytes(totals.file_bytes)
    )
}

fn cannot_write(file: &Path, error: &io::Error) -> Failure {
    not_done(&format!("--output {}: cannot write: {error}", file.display()))
}

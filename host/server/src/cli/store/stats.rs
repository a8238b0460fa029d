//! `stepwell store stats`: the engine and the size of a store, and what it holds.

use clap::Args;
use clap::builder::FalseyValueParser;
use serde_json::{Value, json};
use stepwell_store::{Space, SpaceUsage, Stats};

use super::super::exit::Failure;
use super::super::output::Output;
use super::super::table;
use super::{StoreArg, check_whole, store_failed, with_store};

const AFTER_HELP: &str = "\
Examples:
  stepwell store stats --store sled:./stepwell-data
  stepwell store stats --store redb:./data/store.redb --records --json";

/// Arguments of `stepwell store stats`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct StatsArgs {
    #[command(flatten)]
    store: StoreArg,
    /// Count the records of each kind, which reads the whole store
    #[arg(long, env = "STEPWELL_RECORDS", value_parser = FalseyValueParser::new())]
    records: bool,
}

pub(super) async fn run(output: &mut Output, args: &StatsArgs) -> Result<(), Failure> {
    let read = with_store(&args.store, async |backend| {
        check_whole(&args.store, backend).await?;
        let failed = |error| store_failed(&args.store, &error);
        let stats = stepwell_store::stats(&**backend).await.map_err(failed)?;
        let spaces =
            if args.records { Some(stepwell_store::usage(&**backend).await.map_err(failed)?) } else { None };
        Ok((stats, spaces))
    });
    let (stats, spaces) = read.await?;
    if output.wants_json() {
        return output.json(&as_json(&args.store, &stats, spaces.as_deref()));
    }
    output.table(table::fields([
        ("store", table::text(&args.store.store.to_string())),
        ("engine", table::text(&stats.engine)),
        ("on disk", table::text(&table::bytes(stats.file_bytes))),
        ("last commit", table::text(&stats.last_commit.to_string())),
    ]))?;
    let Some(spaces) = spaces else { return Ok(()) };
    output.line("")?;
    let mut rows = table::titled(&["SPACE", "HOLDS", ">RECORDS", ">BYTES"]);
    for usage in &spaces {
        rows.add_row(vec![
            table::text(&usage.space.to_string()),
            table::text(holds(usage.space)),
            table::number(usage.records),
            table::number(table::bytes(usage.bytes)),
        ]);
    }
    output.table(rows)
}

fn as_json(arg: &StoreArg, stats: &Stats, spaces: Option<&[SpaceUsage]>) -> Value {
    let mut shown = json!({
        "store": arg.store.to_string(),
        "engine": stats.engine,
        "fileBytes": stats.file_bytes,
        "lastCommit": stats.last_commit,
    });
    if let Some(spaces) = spaces {
        shown["spaces"] = spaces
            .iter()
            .map(|usage| {
                json!({
                    "space": usage.space.to_string(),
                    "holds": holds(usage.space),
                    "records": usage.records,
                    "bytes": usage.bytes,
                })
            })
            .collect();
    }
    shown
}

/// What a space holds, in an operator's words; empty for one that this table does not know.
fn holds(space: Space) -> &'static str {
    match space.byte() {
        b'm' => "state machines",
        b'd' => "definitions",
        b'w' => "modules",
        b'v' => "versions of modules",
        b'a' => "aliases of modules",
        b'k' => "secrets",
        b'u' => "access keys",
        b'n' => "names of executions",
        b'j' => "history",
        b'c' | b'p' => "checkpoints",
        b'q' => "ended executions with parts of checkpoints",
        b'g' => "logs of module calls",
        b'i' => "lists of executions",
        b't' => "waiting executions, by time",
        b'r' => "closed executions, by time",
        byte if byte == Space::FENCES.byte() => "owners of shards",
        _ => "",
    }
}

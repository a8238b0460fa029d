//! `cargo run --release -p stepwell-bench`: runs the benchmark and prints its figures. `docs/benchmarks.md` explains them.

use anyhow::{Context as _, ensure};
use clap::{Parser, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;
use stepwell_bench::sample::Plan;
use stepwell_bench::{calls, disk, guest, report, transitions};
use tokio::runtime::Runtime;

/// Executions that are open at the same time, one row each.
const EXECUTIONS: [u32; 3] = [1, 64, 1_024];
/// Callers of the sandbox, one row each. Many of them keep its threads from ever going to sleep.
const CALLERS: [u32; 3] = [1, 2, 64];

/// Measures Stepwell against bare baselines, side by side: durable transitions against append and fdatasync on the same
/// disk, module calls against a bare wasmtime loop.
#[derive(Parser)]
struct Options {
    /// Measure only this
    #[arg(long)]
    only: Option<Benchmark>,
    /// Seconds measured for each row, and as many for its baseline
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// Rounds that the seconds are divided into, baseline and product in turn
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: u32,
    /// Folder on the disk to measure, for temporary files
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// Print JSON, with every round
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Benchmark {
    /// Durable transitions per second
    Transitions,
    /// Microseconds per module call
    Calls,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let window = Duration::from_secs(options.seconds) / options.rounds;
    let plan = Plan { rounds: options.rounds, window, warm_up: window / 5 };
    let wanted = |benchmark| options.only.is_none_or(|only| only == benchmark);
    ensure!(
        !cfg!(debug_assertions),
        "figures of a debug build mean nothing: cargo run --release -p stepwell-bench"
    );
    disk::check_real_disk(&options.dir)?;
    // Before anything is measured: a missing guest must not cost minutes.
    let wasm = if wanted(Benchmark::Calls) { Some(guest::stub()?) } else { None };

    let runtime = Runtime::new().context("no runtime")?;
    let directory = tempfile::Builder::new().prefix(".stepwell-bench-").tempdir_in(&options.dir)?;
    let mut durable = Vec::new();
    for concurrent in EXECUTIONS.into_iter().filter(|_| wanted(Benchmark::Transitions)) {
        eprintln!("measuring transitions, {concurrent} concurrent executions ...");
        let level = tempfile::tempdir_in(&directory)?;
        durable.push(transitions::measure(runtime.handle(), level.path(), concurrent, plan)?);
    }
    let mut called = Vec::new();
    if let Some(wasm) = wasm {
        let rig = calls::Rig::open(runtime.handle(), &directory.path().join("modules"), wasm)?;
        for callers in CALLERS {
            eprintln!("measuring calls, {callers} at a time ...");
            called.push(rig.measure(runtime.handle(), callers, plan)?);
        }
    }
    let others = durable.iter().map(|level| level.others).chain(called.iter().map(|level| level.others));
    let conditions = report::conditions(others);
    if options.json {
        print_json(&conditions, &durable, &called);
    } else {
        print_tables(&conditions, plan, &durable, &called);
    }
    Ok(())
}

fn print_json(conditions: &str, durable: &[transitions::Level], called: &[calls::Level]) {
    let figures = serde_json::json!({
        "conditions": conditions,
        "transitions": report::transitions_json(durable),
        "calls": report::calls_json(called),
    });
    println!("{figures:#}");
}

fn print_tables(conditions: &str, plan: Plan, durable: &[transitions::Level], called: &[calls::Level]) {
    println!("{conditions}");
    println!("medians over {} rounds of {:.1} s each", plan.rounds, plan.window.as_secs_f64());
    if !durable.is_empty() {
        println!(
            "\nDurable transitions, against a bare loop of append ({} bytes) + fdatasync",
            disk::APPEND_BYTES
        );
        println!("{}", report::transitions_table(durable));
    }
    if !called.is_empty() {
        println!("\nModule calls ({} bytes of JSON), against a bare wasmtime loop", guest::INPUT.len());
        println!("{}", report::calls_table(called));
    }
}

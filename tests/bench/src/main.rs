//! `target/release/stepwell-bench`: runs the benchmark and prints its figures. `docs/benchmarks.md` explains them.

mod figures;

use anyhow::{Context as _, ensure};
use clap::{Parser, ValueEnum};
use figures::Figures;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use stepwell_bench::jsonata::{binding, evaluations, load};
use stepwell_bench::language::{definitions, growth, machines, steps};
use stepwell_bench::sample::Plan;
use stepwell_bench::served::child::Programs;
use stepwell_bench::served::timers::Timers;
use stepwell_bench::served::{echo, http, stored, timers, waiting};
use stepwell_bench::store_kind::StoreKind;
use stepwell_bench::{calls, disk, guest, hostile, modules, transitions};
use stepwell_jsonata::Jsonata;
use tokio::runtime::{Handle, Runtime};

/// As the server has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Executions that are open at the same time, one row each.
const EXECUTIONS: [u32; 3] = [1, 64, 1_024];
/// Callers of the sandbox, one row each. Many of them keep its threads from ever going to sleep.
const CALLERS: [u32; 3] = [1, 2, 64];
/// States of the definitions that are parsed.
const DEFINITION_STATES: [u64; 3] = [10, 1_000, 5_000];
/// Items of the Map states. What they cost is compared with the first.
const MAP_ITEMS: [u64; 3] = [100, 1_000, 10_000];

/// Executions that wait, and timers, unless told otherwise; and when it has to be quick.
const MANY: [u64; 2] = [1_000_000, 20_000];
/// How long the server is watched while its timers wait, and when it has to be quick.
const IDLE: [Duration; 2] = [Duration::from_mins(1), Duration::from_secs(5)];
/// Seconds and rounds when it has to be quick.
const QUICK: (u64, u32) = (1, 2);

/// Measures Stepwell against bare baselines, side by side: durable transitions against append and fdatasync on the same
/// disk, module calls against a bare wasmtime loop, the language against the JSON work that it cannot avoid, JSONata against
/// its JavaScript reference, the server's HTTP API against all of the bare ones.
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
    /// Everything in a few minutes: a second a row, 20,000 executions and timers. Good to see that it works
    #[arg(long, conflicts_with_all = ["seconds", "rounds"])]
    quick: bool,
    /// What keeps the bytes of transitions, http, express, waiting, timers and stored
    #[arg(long, value_enum, default_value_t)]
    engine: StoreKind,
    /// The server to measure [default: `stepwell` beside this program]
    #[arg(long, value_name = "FILE")]
    stepwell_bin: Option<PathBuf>,
    /// Executions that wait, or that are stored [default: 1000000; quick: 20000]
    #[arg(long, value_parser = clap::value_parser!(u64).range(200..=100_000_000))]
    executions: Option<u64>,
    /// Timers [default: 1000000; quick: 20000]
    #[arg(long, value_parser = clap::value_parser!(u64).range(200..=100_000_000))]
    timers: Option<u64>,
    /// Timers that are due in each second
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    timers_per_second: u64,
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
    /// Guests in every language: calls, compiling, loading, memory
    Modules,
    /// States per second in memory, time to parse definitions, cost of growing Map states
    Language,
    /// Time of a well-behaved module's calls beside hostile modules
    Hostile,
    /// Microseconds per evaluation, cost of large inputs, quick executions beside hostile ones
    Jsonata,
    /// The real server over HTTP: steps, starts, looks
    Http,
    /// Express workflows over HTTP, beside the bare echo server
    Express,
    /// A great many executions that wait: memory, disk, restart, what they cost the others
    Waiting,
    /// A great many durable timers: how late they fire
    Timers,
    /// A great many executions that have ended: looking at them, and listing them
    Stored,
}

impl Options {
    fn wants(&self, benchmark: Benchmark) -> bool {
        self.only.is_none_or(|only| only == benchmark)
    }

    fn plan(&self) -> Plan {
        let (seconds, rounds) = if self.quick { QUICK } else { (self.seconds, self.rounds) };
        let window = Duration::from_secs(seconds) / rounds;
        Plan { rounds, window, warm_up: window / 5 }
    }

    fn many(&self, told: Option<u64>) -> u64 {
        told.unwrap_or(MANY[usize::from(self.quick)])
    }
}

fn main() -> anyhow::Result<()> {
    // Not an option of the command line: nobody but the benchmark starts it.
    if std::env::args().nth(1).as_deref() == Some(echo::ARGUMENT) {
        return echo::run();
    }
    let options = Options::parse();
    ensure!(
        !cfg!(debug_assertions),
        "figures of a debug build mean nothing: cargo build --release --workspace --bins, then target/release/stepwell-bench"
    );
    let plan = options.plan();
    // The others have nothing to do with the disk.
    let on_disk = [
        Benchmark::Transitions,
        Benchmark::Calls,
        Benchmark::Modules,
        Benchmark::Http,
        Benchmark::Express,
        Benchmark::Waiting,
        Benchmark::Timers,
        Benchmark::Stored,
    ];
    if on_disk.into_iter().any(|benchmark| options.wants(benchmark)) {
        disk::check_real_disk(&options.dir)?;
    }
    // Before anything is measured: a missing guest or server must not cost minutes.
    let wasm = if options.wants(Benchmark::Calls) { Some(guest::stub()?) } else { None };
    let programs = Programs::find(std::env::current_exe()?, options.stepwell_bin.clone());
    let served =
        [Benchmark::Http, Benchmark::Express, Benchmark::Waiting, Benchmark::Timers, Benchmark::Stored];
    let served = served.into_iter().any(|benchmark| options.wants(benchmark));
    let programs = if served { Some(programs?) } else { None };

    let runtime = Runtime::new().context("no runtime")?;
    let directory = tempfile::Builder::new().prefix(".stepwell-bench-").tempdir_in(&options.dir)?;
    let mut figures = Figures::default();
    for concurrent in EXECUTIONS.into_iter().filter(|_| options.wants(Benchmark::Transitions)) {
        eprintln!(
            "measuring transitions over {}, {concurrent} concurrent executions ...",
            options.engine.name()
        );
        let level = tempfile::tempdir_in(&directory)?;
        figures.durable.push(transitions::measure(
            runtime.handle(),
            level.path(),
            options.engine,
            concurrent,
            plan,
        )?);
    }
    if let Some(wasm) = wasm {
        let rig = calls::Rig::open(runtime.handle(), &directory.path().join("modules"), wasm)?;
        for callers in CALLERS {
            eprintln!("measuring calls, {callers} at a time ...");
            figures.called.push(rig.measure(runtime.handle(), callers, plan)?);
        }
    }
    if options.wants(Benchmark::Modules) {
        measure_modules(&mut figures, runtime.handle(), directory.path(), plan)?;
    }
    if options.wants(Benchmark::Hostile) {
        eprintln!("measuring calls beside hostile modules ...");
        let place = directory.path().join("beset");
        let (stub, bad) = (guest::stub()?, guest::hostile()?);
        figures.beset = Some(hostile::measure(runtime.handle(), &place, stub, bad, plan)?);
    }
    if options.wants(Benchmark::Language) {
        measure_language(&mut figures, plan)?;
    }
    if options.wants(Benchmark::Jsonata) {
        measure_jsonata(&mut figures, runtime.handle(), &directory.path().join("jsonata"), plan)?;
    }
    if let Some(programs) = programs {
        measure_served(&mut figures, &options, runtime.handle(), directory.path(), &programs)?;
    }
    if options.json {
        figures.print_json();
    } else {
        figures.print_tables(plan);
    }
    Ok(())
}

fn measure_served(
    figures: &mut Figures,
    options: &Options,
    runtime: &Handle,
    directory: &Path,
    programs: &Programs,
) -> anyhow::Result<()> {
    let (store, plan) = (options.engine, options.plan());
    if options.wants(Benchmark::Http) {
        let place = tempfile::tempdir_in(directory)?;
        figures.served = Some(http::measure(runtime, programs, store, place.path(), &http::ROWS, plan)?);
    }
    if options.wants(Benchmark::Express) {
        let place = tempfile::tempdir_in(directory)?;
        let rows = &http::EXPRESS_ROWS;
        figures.express = Some(http::measure(runtime, programs, store, place.path(), rows, plan)?);
    }
    if options.wants(Benchmark::Waiting) {
        let (place, executions) = (tempfile::tempdir_in(directory)?, options.many(options.executions));
        let waiting = waiting::measure(runtime, programs, store, place.path(), executions, plan)?;
        figures.waiting = Some(waiting);
    }
    if options.wants(Benchmark::Timers) {
        let place = tempfile::tempdir_in(directory)?;
        let timers = Timers {
            count: options.many(options.timers),
            per_second: options.timers_per_second,
            idle: IDLE[usize::from(options.quick)],
        };
        figures.fired = Some(timers::measure(runtime, programs, store, place.path(), timers)?);
    }
    if options.wants(Benchmark::Stored) {
        let (place, executions) = (tempfile::tempdir_in(directory)?, options.many(options.executions));
        figures.stored = Some(stored::measure(runtime, programs, store, place.path(), executions, plan)?);
    }
    Ok(())
}

fn measure_language(figures: &mut Figures, plan: Plan) -> anyhow::Result<()> {
    for workload in machines::workloads() {
        eprintln!("measuring step: {} ...", workload.name);
        figures.stepped.push(steps::measure(workload, plan)?);
    }
    for states in DEFINITION_STATES {
        eprintln!("measuring definitions, {states} states ...");
        figures.parsed.push(definitions::measure(states, plan)?);
    }
    for kind in growth::KINDS {
        eprintln!("measuring Map states, {} ...", kind.name);
        figures.mapped.push(growth::measure(kind, &MAP_ITEMS, plan)?);
    }
    Ok(())
}

fn measure_modules(
    figures: &mut Figures,
    runtime: &Handle,
    directory: &Path,
    plan: Plan,
) -> anyhow::Result<()> {
    for name in modules::LANGUAGES {
        let Some(guests) = modules::guests(name) else {
            eprintln!("leaving out guests in {name}, which are not built: make languages");
            continue;
        };
        eprintln!("measuring guests in {name} ...");
        let directory = tempfile::tempdir_in(directory)?;
        figures.languages.push(modules::measure(runtime, directory.path(), name, guests, plan)?);
    }
    Ok(())
}

/// `cache` is a folder for the compiled evaluator.
fn measure_jsonata(figures: &mut Figures, runtime: &Handle, cache: &Path, plan: Plan) -> anyhow::Result<()> {
    eprintln!("compiling the evaluator of JSONata ...");
    let jsonata = Arc::new(Jsonata::new(Some(cache.to_owned())));
    jsonata.warm()?;
    figures.evaluated = Some(evaluations::measure(&jsonata, cache, plan)?);
    eprintln!("measuring JSONata: large inputs ...");
    figures.bound = Some(binding::measure(&jsonata, plan)?);
    eprintln!("measuring JSONata: quick executions beside hostile ones ...");
    figures.loaded = Some(load::measure(runtime, &jsonata, plan)?);
    Ok(())
}

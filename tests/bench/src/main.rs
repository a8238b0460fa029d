//! `cargo run --release -p stepwell-bench`: runs the benchmark and prints its figures. `docs/benchmarks.md` explains them.

use anyhow::{Context as _, ensure};
use clap::{Parser, ValueEnum};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use stepwell_bench::jsonata::{binding, evaluations, expressions, load};
use stepwell_bench::language::{definitions, growth, machines, steps};
use stepwell_bench::sample::Plan;
use stepwell_bench::{calls, disk, guest, hostile, modules, report, transitions};
use stepwell_jsonata::Jsonata;
use tokio::runtime::{Handle, Runtime};

/// Executions that are open at the same time, one row each.
const EXECUTIONS: [u32; 3] = [1, 64, 1_024];
/// Callers of the sandbox, one row each. Many of them keep its threads from ever going to sleep.
const CALLERS: [u32; 3] = [1, 2, 64];
/// States of the definitions that are parsed.
const DEFINITION_STATES: [u64; 3] = [10, 1_000, 5_000];
/// Items of the Map states. What they cost is compared with the first.
const MAP_ITEMS: [u64; 3] = [100, 1_000, 10_000];

/// Measures Stepwell against bare baselines, side by side: durable transitions against append and fdatasync on the same
/// disk, module calls against a bare wasmtime loop, the language against the JSON work that it cannot avoid, JSONata against
/// its JavaScript reference.
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
    /// Guests in every language: calls, compiling, loading, memory
    Modules,
    /// States per second in memory, time to parse definitions, cost of growing Map states
    Language,
    /// Time of a well-behaved module's calls beside hostile modules
    Hostile,
    /// Microseconds per evaluation, cost of large inputs, quick executions beside hostile ones
    Jsonata,
}

/// What was measured.
#[derive(Default)]
struct Figures {
    durable: Vec<transitions::Level>,
    called: Vec<calls::Level>,
    languages: Vec<modules::Language>,
    stepped: Vec<steps::Level>,
    parsed: Vec<definitions::Level>,
    mapped: Vec<growth::Level>,
    evaluated: Option<evaluations::Evaluations>,
    bound: Option<binding::Level>,
    loaded: Option<load::Level>,
    beset: Option<hostile::Level>,
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
    // The others have nothing to do with the disk.
    if [Benchmark::Transitions, Benchmark::Calls, Benchmark::Modules].into_iter().any(wanted) {
        disk::check_real_disk(&options.dir)?;
    }
    // Before anything is measured: a missing guest must not cost minutes.
    let wasm = if wanted(Benchmark::Calls) { Some(guest::stub()?) } else { None };

    let runtime = Runtime::new().context("no runtime")?;
    let directory = tempfile::Builder::new().prefix(".stepwell-bench-").tempdir_in(&options.dir)?;
    let mut figures = Figures::default();
    for concurrent in EXECUTIONS.into_iter().filter(|_| wanted(Benchmark::Transitions)) {
        eprintln!("measuring transitions, {concurrent} concurrent executions ...");
        let level = tempfile::tempdir_in(&directory)?;
        figures.durable.push(transitions::measure(runtime.handle(), level.path(), concurrent, plan)?);
    }
    if let Some(wasm) = wasm {
        let rig = calls::Rig::open(runtime.handle(), &directory.path().join("modules"), wasm)?;
        for callers in CALLERS {
            eprintln!("measuring calls, {callers} at a time ...");
            figures.called.push(rig.measure(runtime.handle(), callers, plan)?);
        }
    }
    if wanted(Benchmark::Modules) {
        figures.measure_modules(runtime.handle(), directory.path(), plan)?;
    }
    if wanted(Benchmark::Hostile) {
        eprintln!("measuring calls beside hostile modules ...");
        let place = directory.path().join("beset");
        let (stub, bad) = (guest::stub()?, guest::hostile()?);
        figures.beset = Some(hostile::measure(runtime.handle(), &place, stub, bad, plan)?);
    }
    if wanted(Benchmark::Language) {
        figures.measure_language(plan)?;
    }
    if wanted(Benchmark::Jsonata) {
        figures.measure_jsonata(runtime.handle(), &directory.path().join("jsonata"), plan)?;
    }
    if options.json {
        figures.print_json();
    } else {
        figures.print_tables(plan);
    }
    Ok(())
}

impl Figures {
    fn measure_language(&mut self, plan: Plan) -> anyhow::Result<()> {
        for workload in machines::workloads() {
            eprintln!("measuring step: {} ...", workload.name);
            self.stepped.push(steps::measure(workload, plan)?);
        }
        for states in DEFINITION_STATES {
            eprintln!("measuring definitions, {states} states ...");
            self.parsed.push(definitions::measure(states, plan)?);
        }
        for kind in growth::KINDS {
            eprintln!("measuring Map states, {} ...", kind.name);
            self.mapped.push(growth::measure(kind, &MAP_ITEMS, plan)?);
        }
        Ok(())
    }

    fn measure_modules(&mut self, runtime: &Handle, directory: &Path, plan: Plan) -> anyhow::Result<()> {
        for name in modules::LANGUAGES {
            let Some(guests) = modules::guests(name) else {
                eprintln!("leaving out guests in {name}, which are not built: make languages");
                continue;
            };
            eprintln!("measuring guests in {name} ...");
            let directory = tempfile::tempdir_in(directory)?;
            self.languages.push(modules::measure(runtime, directory.path(), name, guests, plan)?);
        }
        Ok(())
    }

    /// `cache` is a folder for the compiled evaluator.
    fn measure_jsonata(&mut self, runtime: &Handle, cache: &Path, plan: Plan) -> anyhow::Result<()> {
        eprintln!("compiling the evaluator of JSONata ...");
        let jsonata = Arc::new(Jsonata::new(Some(cache.to_owned())));
        jsonata.warm()?;
        self.evaluated = Some(evaluations::measure(&jsonata, cache, plan)?);
        eprintln!("measuring JSONata: large inputs ...");
        self.bound = Some(binding::measure(&jsonata, plan)?);
        eprintln!("measuring JSONata: quick executions beside hostile ones ...");
        self.loaded = Some(load::measure(runtime, &jsonata, plan)?);
        Ok(())
    }

    fn conditions(&self) -> String {
        let others = self.durable.iter().map(|level| level.others);
        let others = others.chain(self.called.iter().map(|level| level.others));
        let levels = self.languages.iter().flat_map(|language| &language.levels);
        let others = others.chain(levels.map(|level| level.others));
        let others = others.chain(self.stepped.iter().map(|level| level.others));
        let others = others.chain(self.parsed.iter().map(|level| level.others));
        let others = others.chain(self.mapped.iter().map(|level| level.others));
        let evaluated = self.evaluated.iter().flat_map(|evaluated| &evaluated.levels);
        let others = others.chain(evaluated.map(|level| level.others));
        let others = others.chain(self.beset.iter().map(|level| level.others));
        let others = others.chain(self.bound.iter().map(|level| level.others));
        report::conditions(others.chain(self.loaded.iter().map(|level| level.others)))
    }

    fn print_json(&self) {
        let figures = serde_json::json!({
            "conditions": self.conditions(),
            "transitions": report::transitions_json(&self.durable),
            "calls": report::calls_json(&self.called),
            "modules": report::modules_json(&self.languages),
            "hostile": self.beset.as_ref().map(report::hostile_json),
            "steps": report::steps_json(&self.stepped),
            "definitions": report::definitions_json(&self.parsed),
            "maps": report::growth_json(&self.mapped),
            "jsonata": self.evaluated.as_ref().map(report::evaluations_json),
            "jsonataInputs": self.bound.as_ref().map(report::binding_json),
            "jsonataLoad": self.loaded.as_ref().map(report::load_json),
        });
        println!("{figures:#}");
    }

    fn print_tables(&self, plan: Plan) {
        println!("{}", self.conditions());
        println!("medians over {} rounds of {:.1} s each", plan.rounds, plan.window.as_secs_f64());
        if !self.durable.is_empty() {
            println!(
                "\nDurable transitions, against a bare loop of append ({} bytes) + fdatasync",
                disk::APPEND_BYTES
            );
            println!("{}", report::transitions_table(&self.durable));
        }
        if !self.called.is_empty() {
            println!("\nModule calls ({} bytes of JSON), against a bare wasmtime loop", guest::INPUT.len());
            println!("{}", report::calls_table(&self.called));
        }
        if !self.languages.is_empty() {
            println!("\nCalls of guests in every language, against a bare wasmtime loop");
            println!("{}", report::modules_table(&self.languages));
            println!("\nWhat such a module costs: compiled once, loaded at each start, and while calls wait");
            println!("{}", report::module_costs_table(&self.languages));
        }
        if let Some(beset) = &self.beset {
            let modules: u32 = hostile::KINDS.iter().map(|kind| kind.count).sum();
            println!(
                "\n{} calls a second of a module, alone and beside {modules} hostile ones",
                hostile::RATE
            );
            println!("{}", report::neighbour_table(beset));
            println!("\nHow the hostile calls ended");
            println!("{}", report::hostile_table(beset));
        }
        if !self.stepped.is_empty() {
            let bytes = machines::order().to_string().len();
            println!(
                "\nStates of `step` in memory, against writing {bytes} bytes of JSON twice and copying them once"
            );
            println!("{}", report::steps_table(&self.stepped));
            println!("\nDefinitions, parsed and validated, against the JSON parser alone");
            println!("{}", report::definitions_table(&self.parsed));
            println!("\nTransitions of a Map state, against those of the smallest Map");
            println!("{}", report::growth_table(&self.mapped));
        }
        self.print_jsonata();
    }

    fn print_jsonata(&self) {
        if let Some(evaluated) = &self.evaluated {
            println!("\nJSONata expressions over {} bytes of JSON", expressions::order().to_string().len());
            println!("{}", report::evaluations_table(evaluated));
        }
        if let Some(bound) = &self.bound {
            println!("\nJSONata that reads one field, against the same with a small input");
            println!("{}", report::binding_table(bound));
        }
        if let Some(loaded) = &self.loaded {
            println!(
                "\nQuick executions, {} open in each query language, beside hostile ones, against the same without them",
                load::QUICK
            );
            println!("{}", report::load_table(loaded));
            println!("\nHow the hostile executions ended, each with {}", load::ERROR);
            println!("{}", report::outcomes_table(loaded));
        }
    }
}

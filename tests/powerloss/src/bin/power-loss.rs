//! Cuts the power under a store, again and again, and says what was lost. See the README beside this crate.

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("power-loss traces system calls, which it can do on Linux only");
    std::process::exit(2);
}

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    linux::main().unwrap_or_else(|error| {
        eprintln!("the rig cannot go on: {error:#}");
        std::process::ExitCode::from(2)
    })
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{path::PathBuf, process::ExitCode};

    use anyhow::{Context, Result};
    use clap::{Parser, Subcommand};
    use stepwell_powerloss::{
        rig::{self, Report, Settings},
        workload::{
            self,
            engine::{Engine, Syncs},
            stray::{self, Stray},
        },
    };

    /// Cuts the power under a store and checks that nothing acknowledged is lost. Exits with 1 if anything is.
    #[derive(Debug, Parser)]
    #[command(subcommand_negates_reqs = true, args_conflicts_with_subcommands = true)]
    struct Arguments {
        /// The engine under test.
        #[arg(long, required = true)]
        engine: Option<Engine>,
        /// How many cuts.
        #[arg(long, default_value_t = 100)]
        rounds: u32,
        /// Decides what is written, where it is cut and what survives.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Leave the directory and the trace of rounds that failed here.
        #[arg(long)]
        keep: Option<PathBuf>,
        /// Let the store's syncs of files do nothing, to see the rig find losses.
        #[arg(long)]
        without_sync: bool,
        #[command(subcommand)]
        internal: Option<Internal>,
    }

    #[derive(Debug, Subcommand)]
    enum Internal {
        /// The program under test, started by the rig.
        #[command(hide = true)]
        Life {
            /// What to do, as JSON.
            orders: String,
        },
        /// A program that tries to get past the tracer.
        #[command(hide = true)]
        Stray {
            /// What it tries.
            what: Stray,
            /// Where.
            directory: PathBuf,
        },
    }

    pub(crate) fn main() -> Result<ExitCode> {
        let arguments = Arguments::parse();
        match arguments.internal {
            Some(Internal::Life { orders }) => {
                workload::live(&serde_json::from_str(&orders)?)?;
                return Ok(ExitCode::SUCCESS);
            }
            Some(Internal::Stray { what, directory }) => {
                stray::try_in(what, &directory)?;
                return Ok(ExitCode::SUCCESS);
            }
            None => {}
        }
        let settings = Settings {
            engine: arguments.engine.context("--engine is missing")?,
            rounds: arguments.rounds,
            seed: arguments.seed,
            keep: arguments.keep,
            syncs: if arguments.without_sync { Syncs::Skipped } else { Syncs::Real },
            program: std::env::current_exe()?,
        };
        let report = rig::run(&settings, |report| progress(report, settings.rounds))?;
        print(&settings, &report);
        Ok(if report.sound() { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }

    fn progress(report: &Report, rounds: u32) {
        if report.rounds().is_multiple_of(10) || report.rounds() == rounds {
            eprintln!("{} of {rounds} rounds, {} findings", report.rounds(), report.findings.len());
        }
    }

    fn print(settings: &Settings, report: &Report) {
        for finding in report.findings.iter().take(20) {
            println!("{finding}");
        }
        for early in report.early.iter().take(20) {
            println!("sync order: {early}");
        }
        println!("{}, seed {}\n{}", settings.engine, settings.seed, report.table());
        println!(
            "sync order: {} acknowledged batches checked, {} too early; {} of {} stamps were cut in two",
            report.acknowledged,
            report.early.len(),
            report.stamps.1,
            report.stamps.0,
        );
        println!(
            "{} events traced: {} MiB written, {} completed syncs",
            report.events,
            report.written_bytes >> 20,
            report.syncs,
        );
    }
}

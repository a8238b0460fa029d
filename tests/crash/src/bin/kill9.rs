//! `kill9`: kills the server at random moments under load and compares it with what it had acknowledged.
//!
//! Exit code 0: every promise was kept. 1: not, with the evidence on standard output. It must never end with 0 after
//! fewer rounds than asked for.

use clap::Parser;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use stepwell_crash::engine::Engine;
use stepwell_crash::rounds::{Outcome, Plan, run};

/// Most violations that are printed.
const SHOWN: usize = 20;

/// Kills the server again and again while it works, and checks that nothing acknowledged is lost, doubled or torn.
/// The server is named by STEPWELL_BIN, the folder of the built guests by STEPWELL_GUESTS.
#[derive(Debug, Parser)]
#[command(name = "kill9")]
struct Arguments {
    /// The storage engine.
    #[arg(long, value_enum)]
    engine: Engine,
    /// Kills under load.
    #[arg(long, default_value_t = 500)]
    rounds: usize,
    /// Repeats the random moments of a run.
    #[arg(long, default_value_t = fastrand::u64(..))]
    seed: u64,
    /// Executions that a round starts at most.
    #[arg(long, default_value_t = 60)]
    executions: usize,
    /// Rounds between two full checks.
    #[arg(long, default_value_t = 20)]
    full_check_every: usize,
    /// What the server's --store is given; {data} stands for the data directory.
    #[arg(long)]
    store_flag: Option<String>,
    /// Data directory; a temporary one by default, kept if anything was found.
    #[arg(long)]
    data: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let plan = Plan {
        engine: arguments.engine,
        store_flag: arguments.store_flag,
        rounds: arguments.rounds,
        seed: arguments.seed,
        executions: arguments.executions.max(1),
        full_check_every: arguments.full_check_every.max(1),
        data: arguments.data,
    };
    println!("kill9 --engine {} --rounds {} --seed {}", plan.engine, plan.rounds, plan.seed);
    let begun = Instant::now();
    // The harness panics when the server does not start or ends by itself; it has told what the server wrote.
    let Ok(outcome) = catch_unwind(AssertUnwindSafe(|| run(&plan))) else {
        println!("FAILED after {} s: see above, seed {}", begun.elapsed().as_secs(), plan.seed);
        return ExitCode::FAILURE;
    };
    summary(&outcome, begun.elapsed());
    for violation in outcome.violations.iter().take(SHOWN) {
        println!("VIOLATION {violation}");
    }
    if let Some(directory) = &outcome.kept {
        println!("the data is kept in {}", directory.display());
    }
    if outcome.violations.is_empty() && outcome.rounds == plan.rounds {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn summary(outcome: &Outcome, elapsed: Duration) {
    let mut starts = outcome.starts.clone();
    starts.sort();
    let at = |part: usize| starts.get((starts.len() * part / 100).min(starts.len().saturating_sub(1)));
    let milliseconds = |part| at(part).map_or(0, Duration::as_millis);
    println!("| rounds | {} |", outcome.rounds);
    println!("| kills | {} |", outcome.kills);
    println!("| of these during a start | {} |", outcome.kills_of_starts);
    println!("| executions acknowledged | {} |", outcome.figures.acknowledged);
    println!("| executions ended and judged | {} |", outcome.figures.ended);
    println!("| stops acknowledged | {} |", outcome.figures.stopped);
    println!("| changes of secrets and machines acknowledged | {} |", outcome.changes);
    println!("| events of their histories | {} |", outcome.figures.events);
    println!("| times a kill interrupted an execution | {} |", outcome.interrupted);
    println!("| start to first answer, median / longest | {} / {} ms |", milliseconds(50), milliseconds(100));
    println!("| violations | {} |", outcome.violations.len());
    println!("| time | {} s |", elapsed.as_secs());
}

//! Simulates the executor around `step()`: seeded crashes before and after a commit, duplicated, reordered and
//! late events, time-outs, heartbeats and stops. Whatever happens, the history must be whole and the result must be
//! the one that the input asks for.
//!
//! `STEPWELL_SEEDS=n` runs more seeds, `STEPWELL_SEED=n` repeats one.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::disallowed_methods, reason = "the test itself reads its environment and uses both cores")]

mod expressions;
mod fan_out;
mod model;
mod order;
mod redriven;

use model::{Simulation, Workflow};

/// Schedules of each workflow: together more than 100,000.
const SEEDS: u64 = 51_000;
const THREADS: u64 = 2;

fn run<W: Workflow>(seeds: u64) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = number("STEPWELL_SEED") {
        Simulation::<W>::run(seed);
        return;
    }
    let seeds = number("STEPWELL_SEEDS").unwrap_or(seeds);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                for seed in (thread..seeds).step_by(usize::try_from(THREADS).unwrap()) {
                    let run = std::panic::catch_unwind(|| Simulation::<W>::run(seed));
                    assert!(run.is_ok(), "failed; repeat with STEPWELL_SEED={seed}");
                }
            });
        }
    });
}

#[test]
fn an_order_survives_crashes_duplicates_and_reordering() {
    run::<order::Order>(SEEDS);
}

#[test]
fn branches_iterations_heartbeats_and_stops_survive_them_too() {
    run::<fan_out::FanOut>(SEEDS);
}

#[test]
fn what_is_redriven_runs_only_what_had_not_ended_well() {
    run::<redriven::Redriven>(SEEDS / 20);
}

#[test]
fn items_that_are_made_anew_are_the_same() {
    run::<expressions::Expressions>(SEEDS / 10);
}

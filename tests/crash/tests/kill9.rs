//! The short form of `kill9`, one test an engine. How to run the long one: README.md of this crate.

use stepwell_crash::engine::Engine;
use stepwell_crash::rounds::{Plan, run};
use stepwell_crash::seed;
use stepwell_it::announce;

/// Kills under load.
const ROUNDS: usize = 15;

fn survives(engine: Engine) {
    let test = format!("kill9 {engine}");
    if !engine.offered_or_skipped(&test) {
        return;
    }
    let plan = Plan {
        engine,
        store_flag: None,
        rounds: ROUNDS,
        seed: seed(&test),
        executions: 40,
        full_check_every: 8,
        data: None,
    };
    let outcome = run(&plan);
    let violations: Vec<String> = outcome.violations.iter().map(ToString::to_string).collect();
    assert!(violations.is_empty(), "{} violations:\n{}", violations.len(), violations.join("\n"));
    announce(&format!(
        "{test}: {} kills, {} executions, {} events, {} times an execution was interrupted",
        outcome.kills, outcome.figures.ended, outcome.figures.events, outcome.interrupted
    ));
    // Otherwise the kills came too early or too late to prove anything.
    assert!(
        outcome.interrupted > 2 * ROUNDS,
        "only {} times was an execution interrupted",
        outcome.interrupted
    );
    assert_eq!(outcome.figures.ended, outcome.figures.acknowledged);
}

#[test]
fn what_was_acknowledged_survives_kill_9_on_sled() {
    survives(Engine::Sled);
}

#[test]
fn what_was_acknowledged_survives_kill_9_on_redb() {
    survives(Engine::Redb);
}

//! Runs every measurement for a few milliseconds and checks that its counts agree with each other. No times are judged.

use std::time::Duration;
use stepwell_bench::sample::{Plan, Sample};
use stepwell_bench::{calls, chain, guest, report, transitions};
use tokio::runtime::Runtime;

const PLAN: Plan = Plan { rounds: 3, window: Duration::from_millis(100), warm_up: Duration::from_millis(10) };

fn check(sample: &Sample) {
    assert!(sample.count > 0 && sample.elapsed >= PLAN.window, "{} in {:?}", sample.count, sample.elapsed);
    assert!(sample.latencies.is_sorted() && sample.per_second() > 0.0);
}

#[test]
fn transitions_are_counted_exactly() {
    let runtime = Runtime::new().unwrap();
    let mut levels = Vec::new();
    for concurrent in [1, 64] {
        let directory = tempfile::tempdir().unwrap();
        // `measure` itself compares what it counted with the histories in the store.
        let level = transitions::measure(runtime.handle(), directory.path(), concurrent, PLAN).unwrap();
        assert_eq!(level.rounds.len(), 3);
        assert_eq!(level.committed.ended, level.started);
        assert_eq!(level.committed.transitions, level.started * chain::TRANSITIONS);
        let in_windows: u64 = level.rounds.iter().map(|round| round.executor.count).sum();
        assert!(in_windows <= level.committed.transitions);
        for round in &level.rounds {
            check(&round.disk);
            check(&round.executor);
            assert_eq!(round.disk.count, round.disk.latencies.len() as u64);
            assert!(round.flushes > 0 && round.bytes >= round.executor.count);
            if concurrent == 1 {
                // One execution can never have two transitions in one flush.
                assert!(round.flushes.abs_diff(round.executor.count) <= 1, "{round:?}");
            }
        }
        levels.push(level);
    }
    let table = report::transitions_table(&levels);
    assert_eq!(table.lines().count(), 3, "{table}");
    let json = report::transitions_json(&levels);
    assert_eq!(json[1]["executions"], 64);
    assert!(json[0]["ratio"].as_f64().unwrap() > 0.0);
}

#[test]
fn calls_are_counted_on_both_sides() {
    let runtime = Runtime::new().unwrap();
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(guest::INPUT.len(), 50);
    let rig = calls::Rig::open(runtime.handle(), directory.path(), guest::stub().unwrap()).unwrap();
    let levels: Vec<_> = [1, 2].map(|callers| rig.measure(runtime.handle(), callers, PLAN).unwrap()).into();
    for level in &levels {
        assert_eq!(level.rounds.len(), 3);
        for sample in level.rounds.iter().flat_map(|round| [&round.bare, &round.sandbox]) {
            check(sample);
            assert_eq!(sample.count, sample.latencies.len() as u64);
        }
    }
    let table = report::calls_table(&levels);
    assert_eq!(table.lines().count(), 5, "{table}");
    let json = report::calls_json(&levels);
    assert_eq!(json[1]["callers"], 2);
    assert!(json[0]["p50Ratio"].as_f64().unwrap() > 0.0);
}

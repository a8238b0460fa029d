//! Runs every measurement for a few milliseconds and checks that its counts agree with each other. No times are judged.

use std::time::Duration;
use stepwell_bench::language::{definitions, growth, machines, steps};
use stepwell_bench::sample::{Plan, Sample};
use stepwell_bench::store_kind::StoreKind;
use stepwell_bench::{calls, chain, guest, hostile, report, transitions};
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
    let rows = [(StoreKind::Sled, 1), (StoreKind::Sled, 64), (StoreKind::Redb, 1), (StoreKind::Memory, 64)];
    for (store, concurrent) in rows {
        let directory = tempfile::tempdir().unwrap();
        // `measure` itself compares what it counted with the histories in the store.
        let level =
            transitions::measure(runtime.handle(), directory.path(), store, concurrent, PLAN).unwrap();
        assert_eq!(level.rounds.len(), 3);
        assert_eq!(level.committed.ended, level.started);
        assert_eq!(level.committed.transitions, level.started * chain::TRANSITIONS);
        let in_windows: u64 = level.rounds.iter().map(|round| round.executor.count).sum();
        assert!(in_windows <= level.committed.transitions);
        for round in &level.rounds {
            check(&round.disk);
            check(&round.executor);
            assert_eq!(round.disk.count, round.disk.latencies.len() as u64);
            assert_eq!(round.flushes > 0, store.is_durable());
            assert!(round.bytes >= round.executor.count);
            if concurrent == 1 {
                // One execution can never have two transitions in one flush.
                assert!(round.flushes.abs_diff(round.executor.count) <= 1, "{round:?}");
            }
        }
        levels.push(level);
    }
    let table = report::transitions_table(&levels);
    assert_eq!(table.lines().count(), rows.len() + 1, "{table}");
    let appended = format!("the same {} bytes", levels[0].append_bytes);
    assert!(report::transitions_bound(&levels).unwrap().contains(&appended));
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

#[test]
fn neighbours_are_measured_alone_and_beside_hostile_modules() {
    let runtime = Runtime::new().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let plan = Plan { rounds: 2, ..PLAN };
    let (stub, bad) = (guest::stub().unwrap(), guest::hostile().unwrap());
    // `measure` itself looks at every answer, and at how every hostile call ended.
    let level = hostile::measure(runtime.handle(), directory.path(), stub, bad, plan).unwrap();
    assert_eq!(level.rounds.len(), 2);
    for calls in level.rounds.iter().flat_map(|round| [&round.alone, &round.beside]) {
        check(&calls.made);
        check(&calls.due);
        assert_eq!(calls.made.count, calls.made.latencies.len() as u64);
    }
    for kind in hostile::KINDS {
        assert!(level.ended[kind.name] >= 2 * u64::from(kind.count), "{}", kind.name);
    }
    assert_eq!(report::neighbour_table(&level).lines().count(), 3);
    assert_eq!(report::hostile_table(&level).lines().count(), hostile::KINDS.len() + 1);
    assert_eq!(report::hostile_json(&level)["hostileModules"], 30);
}

#[test]
fn every_workload_of_the_language_ends_with_all_of_its_states() {
    let plan = Plan { rounds: 2, window: Duration::ZERO, warm_up: Duration::ZERO };
    // `measure` itself compares states, events and output with what the workload says.
    let levels = machines::workloads().map(|workload| steps::measure(workload, plan).unwrap());
    for level in &levels {
        assert_eq!(level.rounds.len(), 2);
        for round in &level.rounds {
            assert!(round.step.count % level.workload.states == 0 && round.step.count > 0, "{round:?}");
            assert!(round.bare.count > 0 && round.bare.elapsed > Duration::ZERO);
        }
    }
    let bytes = machines::order().to_string().len();
    assert!((190..=220).contains(&bytes), "{bytes}");
    let table = report::steps_table(&levels);
    assert_eq!(table.lines().count(), 5, "{table}");
    let json = report::steps_json(&levels);
    assert_eq!(json[0]["states"], 50);
    assert_eq!(json[3]["events"], 7_006);
}

#[test]
fn definitions_have_as_many_states_as_they_are_said_to_have() {
    let plan = Plan { rounds: 1, window: Duration::ZERO, warm_up: Duration::ZERO };
    // `measure` itself counts the states, and refuses a text that no request could bring.
    let levels = [10, 5_000].map(|states| definitions::measure(states, plan).unwrap());
    assert!(levels[1].bytes / levels[0].bytes >= 400);
    for round in levels.iter().flat_map(|level| &level.rounds) {
        assert!(round.json.count > 0 && round.machine.count > 0);
    }
    assert!(definitions::measure(15, plan).is_err());
    let table = report::definitions_table(&levels);
    assert_eq!(table.lines().count(), 3, "{table}");
    assert_eq!(report::definitions_json(&levels)[1]["states"], 5_000);
}

#[test]
fn what_a_transition_of_a_map_writes_does_not_grow_with_the_map() {
    let plan = Plan { rounds: 2, window: Duration::ZERO, warm_up: Duration::ZERO };
    let mut levels = Vec::new();
    for kind in growth::KINDS {
        // `measure` itself looks at every execution's outputs and events.
        let level = growth::measure(kind, &[250, 2_500], plan).unwrap();
        assert_eq!(level.rounds.len(), 2);
        for costs in &level.rounds {
            let per_transition = |cost: &growth::Cost| cost.bytes / cost.sample.count;
            let (small, large) = (per_transition(&costs[0]), per_transition(&costs[1]));
            // Bytes, not times: a checkpoint written anew each time would be several times as large. Both have checkpoints.
            assert!(costs[0].sample.count >= 500 && small > 0, "{costs:?}");
            assert!(large < small * 3 / 2, "{}: {small} bytes grow to {large}", kind.name);
        }
        levels.push(level);
    }
    let table = report::growth_table(&levels);
    assert_eq!(table.lines().count(), 7, "{table}");
    let json = report::growth_json(&levels);
    assert_eq!(json[1]["sizes"][1]["items"], 2_500);
}

//! Runs the parts that drive the real server for a second each and checks that what they count fits together. No times are
//! judged.
//!
//! The server is the one that `STEPWELL_BIN` names, or the one beside the benchmark (`cargo build --workspace --bins`).

use std::path::PathBuf;
use std::time::Duration;
use stepwell_bench::report;
use stepwell_bench::sample::Plan;
use stepwell_bench::served::child::Programs;
use stepwell_bench::served::http::{self, Workload};
use stepwell_bench::served::timers::{self, Timers};
use stepwell_bench::served::waiting;
use stepwell_bench::store_kind::StoreKind;
use tokio::runtime::Runtime;

const PLAN: Plan =
    Plan { rounds: 2, window: Duration::from_millis(500), warm_up: Duration::from_millis(100) };

fn programs() -> Programs {
    let named = std::env::var_os("STEPWELL_BIN").map(PathBuf::from);
    Programs::find(PathBuf::from(env!("CARGO_BIN_EXE_stepwell-bench")), named).expect("the server")
}

#[test]
fn the_api_is_measured_beside_all_of_its_baselines() {
    let (runtime, directory) = (Runtime::new().unwrap(), tempfile::tempdir().unwrap());
    let rows = [
        (Workload::Steps, 4),
        (Workload::OneStep, 1),
        (Workload::Starts, 4),
        (Workload::Looks, 2),
        (Workload::SyncPass, 2),
        (Workload::SyncStep, 2),
        (Workload::ExpressStarts, 2),
    ];
    // `measure` itself looks at every execution's end and at some histories.
    let served =
        http::measure(runtime.handle(), &programs(), StoreKind::Sled, directory.path(), &rows, PLAN).unwrap();
    assert_eq!(served.levels.len(), rows.len());
    for level in &served.levels {
        assert_eq!(level.rounds.len(), 2);
        let turns: u64 = level.rounds.iter().map(|round| round.server.clients.count).sum();
        assert!(turns > 0 && turns.is_multiple_of(level.workload.things()), "{:?}: {turns}", level.workload);
        for round in &level.rounds {
            assert!(round.disk.count > 0 && round.wasmtime.count > 0 && round.echo.clients.count > 0);
            assert!(round.server.resident_bytes > 0);
            assert!(!round.echo.clients.latencies.is_empty());
        }
        let cpu: Duration = level.rounds.iter().map(|round| round.server.server_cpu).sum();
        assert!(cpu > Duration::ZERO, "a server that did something used the processor: {:?}", level.workload);
    }
    assert!(served.after.peak_resident_bytes >= served.idle.resident_bytes);
    assert!(served.after.cpu > served.idle.cpu);
    for table in [report::http_table(&served), report::baselines_table(&served)] {
        assert_eq!(table.lines().count(), rows.len() + 1, "{table}");
    }
    let table = report::beaten_table(&served);
    assert!(table.contains("2092") && !table.contains("NaN"), "{table}");
    assert_eq!(report::http_json(&served)["levels"][1]["clients"], 1);
}

#[test]
fn executions_that_wait_are_all_there_after_kill_9() {
    let (runtime, directory) = (Runtime::new().unwrap(), tempfile::tempdir().unwrap());
    // `measure` itself looks at executions at random after the restart, and at what became of those that it stopped.
    let waiting =
        waiting::measure(runtime.handle(), &programs(), StoreKind::Sled, directory.path(), 500, PLAN)
            .unwrap();
    assert_eq!((waiting.executions, waiting.looks.count, waiting.stops.count), (500, 500, 500));
    assert!(waiting.disk_bytes > 0 && waiting.full.cpu > waiting.empty.cpu);
    let restart = waiting.restart.unwrap();
    assert!(restart.described <= restart.started && restart.usage.resident_bytes > 0);
    assert!(
        waiting.rounds.iter().all(|round| round.full.server_cpu + round.empty.server_cpu > Duration::ZERO)
    );
    assert_eq!(report::come_back_table(&waiting).unwrap().lines().count(), 2);
    let table = report::waiting_table(&waiting);
    assert!(table.contains("bytes on disk per execution"), "{table}");
    assert_eq!(report::waiting_json(&waiting)["executions"], 500);
}

#[test]
fn timers_fire_and_none_fires_early() {
    let (runtime, directory) = (Runtime::new().unwrap(), tempfile::tempdir().unwrap());
    let timers = Timers { count: 400, per_second: 200, idle: Duration::from_secs(1) };
    // `measure` itself refuses a timer that fires early or never.
    let fired =
        timers::measure(runtime.handle(), &programs(), StoreKind::Memory, directory.path(), timers).unwrap();
    assert_eq!(fired.late.len(), 400);
    assert!(fired.late.is_sorted() && fired.firing >= Duration::from_secs(1));
    assert_eq!(report::timers_table(&fired).lines().count(), 2);
    assert_eq!(report::timers_json(&fired)["late"]["histories"], 400);
}

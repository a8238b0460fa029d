//! The figures of the HTTP API, and those of the peers beside them.

use super::{megabytes, numbers, percent, sample_json, text, titled};
use crate::sample::median;
use crate::served::http::{Level, Round, Served, Workload};
use crate::served::load::Load;
use comfy_table::{Cell, Table};
use serde_json::{Value, json};

/// The best that peers reached on the same kind of machine, each figure the best of any of them: durable steps per second,
/// p50 of a one-step workflow in milliseconds, processor time per step in milliseconds, resident memory in megabytes.
const PEERS: [f64; 4] = [2_092.0, 8.3, 0.59, 53.0];
/// How many times better is aimed at; memory at most that of the peers.
const AIM: f64 = 10.0;

/// Medians of one level.
struct Medians {
    per_second: f64,
    per_sync: f64,
    per_bare_call: f64,
    per_echo: f64,
    p50_milliseconds: f64,
    p99_milliseconds: f64,
    server_microseconds: f64,
    client_microseconds: f64,
    written: f64,
    syncs_per_second: f64,
    bare_calls_per_second: f64,
    echoes_per_second: f64,
    echo_p50_milliseconds: f64,
    echo_server_microseconds: f64,
    echo_client_microseconds: f64,
    /// Not a median: the most that was seen at the end of a window.
    resident_bytes: u64,
}

impl Medians {
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    fn of(level: &Level) -> Medians {
        let over = |figure: &dyn Fn(&Round) -> f64| median(level.rounds.iter().map(figure));
        let rate = |round: &Round| round.server.clients.per_second();
        Medians {
            per_second: over(&rate),
            per_sync: over(&|round| rate(round) / round.disk.per_second()),
            per_bare_call: over(&|round| rate(round) / round.wasmtime.per_second()),
            per_echo: over(&|round| rate(round) / round.echo.clients.per_second()),
            p50_milliseconds: over(&|round| round.server.clients.percentile_microseconds(50) / 1e3),
            p99_milliseconds: over(&|round| round.server.clients.percentile_microseconds(99) / 1e3),
            server_microseconds: over(&|round| round.server.server_microseconds()),
            client_microseconds: over(&|round| round.server.clients.cpu_microseconds()),
            written: over(&|round| {
                round.server.written_bytes as f64 / round.server.clients.count.max(1) as f64
            }),
            syncs_per_second: over(&|round| round.disk.per_second()),
            bare_calls_per_second: over(&|round| round.wasmtime.per_second()),
            echoes_per_second: over(&|round| round.echo.clients.per_second()),
            echo_p50_milliseconds: over(&|round| round.echo.clients.percentile_microseconds(50) / 1e3),
            echo_server_microseconds: over(&|round| round.echo.server_microseconds()),
            echo_client_microseconds: over(&|round| round.echo.clients.cpu_microseconds()),
            resident_bytes: level.rounds.iter().map(|round| round.server.resident_bytes).max().unwrap_or(0),
        }
    }
}

/// What the server did.
pub fn http_table(served: &Served) -> String {
    let mut table = titled(&[
        "things",
        "clients",
        "per second",
        "of syncs",
        "of calls",
        "of echoes",
        "p50 ms",
        "p99 ms",
        "cpu us",
        "clients' us",
        "written",
        "RSS MB",
        "others %",
    ]);
    for level in &served.levels {
        let medians = Medians::of(level);
        let of = |applies: bool, ratio: f64| if applies { format!("{ratio:.3}") } else { String::new() };
        table.add_row(numbers(&[
            level.workload.name().to_owned(),
            level.clients.to_string(),
            format!("{:.0}", medians.per_second),
            of(level.workload.commits(), medians.per_sync),
            of(level.workload.calls(), medians.per_bare_call),
            of(true, medians.per_echo),
            format!("{:.2}", medians.p50_milliseconds),
            format!("{:.2}", medians.p99_milliseconds),
            format!("{:.0}", medians.server_microseconds),
            format!("{:.0}", medians.client_microseconds),
            format!("{:.0}", medians.written),
            megabytes(medians.resident_bytes),
            percent(level.others),
        ]));
    }
    text(&table)
}

/// What they are compared with.
pub fn baselines_table(served: &Served) -> String {
    let titles =
        ["things", "clients", "syncs/s", "bare calls/s", "echoes/s", "p50 ms", "echo cpu us", "clients' us"];
    let mut table = titled(&titles);
    for level in &served.levels {
        let medians = Medians::of(level);
        table.add_row(numbers(&[
            level.workload.name().to_owned(),
            level.clients.to_string(),
            format!("{:.0}", medians.syncs_per_second),
            format!("{:.0}", medians.bare_calls_per_second),
            format!("{:.0}", medians.echoes_per_second),
            format!("{:.2}", medians.echo_p50_milliseconds),
            format!("{:.0}", medians.echo_server_microseconds),
            format!("{:.0}", medians.echo_client_microseconds),
        ]));
    }
    text(&table)
}

/// The four figures to beat: the peers' and ours, in their units. What was not measured is not a number.
fn compared(served: &Served) -> [f64; 4] {
    let medians = |workload: Workload| {
        served.levels.iter().filter(move |level| level.workload == workload).map(Medians::of)
    };
    let best = medians(Workload::Steps).max_by(|one, other| one.per_second.total_cmp(&other.per_second));
    let quick = medians(Workload::OneStep).next();
    [
        best.as_ref().map_or(f64::NAN, |best| best.per_second),
        quick.map_or(f64::NAN, |quick| quick.p50_milliseconds),
        best.map_or(f64::NAN, |best| best.server_microseconds / 1e3),
        {
            #[expect(clippy::cast_precision_loss, reason = "sizes stay far below 2^52")]
            let bytes = served.after.peak_resident_bytes as f64;
            bytes / 1e6
        },
    ]
}

/// The figures to beat. All but the first are the better the smaller they are.
pub fn beaten_table(served: &Served) -> String {
    let names = [
        "durable WebAssembly steps/s",
        "p50 of a 1-step workflow, ms",
        "processor time per step, ms",
        "most resident memory, MB",
    ];
    let mut table: Table = titled(&["", "best of the peers", "Stepwell", "times better", "aim"]);
    for (index, (name, (peers, ours))) in
        names.into_iter().zip(PEERS.into_iter().zip(compared(served))).enumerate()
    {
        let better = if index == 0 { ours / peers } else { peers / ours };
        let aim = if index == 3 { 1.0 } else { AIM };
        let mut row = vec![Cell::new(name)];
        row.extend(numbers(&[
            format!("{peers}"),
            format!("{ours:.2}"),
            format!("{better:.1}"),
            format!("{aim}"),
        ]));
        table.add_row(row);
    }
    text(&table)
}

/// All of it for programs.
pub fn http_json(served: &Served) -> Value {
    let level = |level: &Level| {
        let medians = Medians::of(level);
        let round = |round: &Round| {
            json!({
                "disk": sample_json(&round.disk),
                "wasmtime": sample_json(&round.wasmtime),
                "echo": load_json(&round.echo),
                "server": load_json(&round.server),
            })
        };
        json!({
            "things": level.workload.name(),
            "clients": level.clients,
            "perSecond": medians.per_second,
            "ofSyncs": medians.per_sync,
            "ofBareCalls": medians.per_bare_call,
            "ofEchoes": medians.per_echo,
            "p50Milliseconds": medians.p50_milliseconds,
            "p99Milliseconds": medians.p99_milliseconds,
            "serverCpuMicroseconds": medians.server_microseconds,
            "clientsCpuMicroseconds": medians.client_microseconds,
            "writtenBytes": medians.written,
            "residentBytes": medians.resident_bytes,
            "othersShare": level.others,
            "rounds": level.rounds.iter().map(round).collect::<Vec<_>>(),
        })
    };
    let [steps_per_second, one_step, cpu, resident] = PEERS;
    json!({
        "store": served.store.name(),
        "ends": served.ends.words(),
        "throttled": served.throttled,
        "idleResidentBytes": served.idle.resident_bytes,
        "peakResidentBytes": served.after.peak_resident_bytes,
        "bestOfThePeers": {
            "stepsPerSecond": steps_per_second,
            "oneStepP50Milliseconds": one_step,
            "cpuMillisecondsPerStep": cpu,
            "residentMegabytes": resident,
        },
        "levels": served.levels.iter().map(level).collect::<Vec<_>>(),
    })
}

/// A window of a server and its clients.
pub(super) fn load_json(load: &Load) -> Value {
    json!({
        "clients": sample_json(&load.clients),
        "serverCpuMicroseconds": load.server_microseconds(),
        "writtenBytes": load.written_bytes,
        "residentBytes": load.resident_bytes,
    })
}

//! The figures of a great many executions that wait.

use super::http::load_json;
use super::{megabytes, numbers, percent, sample_json, text, titled};
use crate::sample::median;
use crate::served::waiting::{BUSY, Round, Waiting};
use comfy_table::Cell;
use serde_json::{Value, json};

/// How many times slower the last starts, and workflows on the full store, may be.
const BOUND: f64 = 1.3;

/// How many times slower something became.
struct Slowdowns {
    starts: f64,
    steps: f64,
    cpu: f64,
}

impl Slowdowns {
    fn of(waiting: &Waiting) -> Slowdowns {
        let over = |figure: &dyn Fn(&Round) -> f64| median(waiting.rounds.iter().map(figure));
        Slowdowns {
            starts: waiting.filled.first_tenth / waiting.filled.last_tenth,
            steps: over(&|round| round.empty.clients.per_second() / round.full.clients.per_second()),
            cpu: over(&|round| round.full.server_microseconds() / round.empty.server_microseconds()),
        }
    }
}

/// What they cost, and what they cost the others.
pub fn waiting_table(waiting: &Waiting) -> String {
    let slower = Slowdowns::of(waiting);
    let over = |figure: &dyn Fn(&Round) -> f64| median(waiting.rounds.iter().map(figure));
    let mut table = titled(&["", "empty store", "full store", "times slower", "bound"]);
    let mut row = |name: String, empty: String, full: String, slower: Option<f64>| {
        let bound = slower.map(|_| BOUND.to_string());
        let slower = slower.map(|slower| format!("{slower:.2}"));
        let mut cells = vec![Cell::new(name)];
        cells.extend(numbers(&[empty, full, slower.unwrap_or_default(), bound.unwrap_or_default()]));
        table.add_row(cells);
    };
    let filled = waiting.filled;
    row(
        "StartExecution/s, first and last tenth".to_owned(),
        format!("{:.0}", filled.first_tenth),
        format!("{:.0}", filled.last_tenth),
        Some(slower.starts),
    );
    row(
        format!("10-step workflows, steps/s, {BUSY} clients"),
        format!("{:.0}", over(&|round| round.empty.clients.per_second())),
        format!("{:.0}", over(&|round| round.full.clients.per_second())),
        Some(slower.steps),
    );
    row(
        "processor time per step, us".to_owned(),
        format!("{:.0}", over(&|round| round.empty.server_microseconds())),
        format!("{:.0}", over(&|round| round.full.server_microseconds())),
        Some(slower.cpu),
    );
    row(
        "RSS, MB".to_owned(),
        megabytes(waiting.empty.resident_bytes),
        megabytes(waiting.full.resident_bytes),
        None,
    );
    row(
        "most RSS so far, MB".to_owned(),
        megabytes(waiting.empty.peak_resident_bytes),
        megabytes(waiting.full.peak_resident_bytes),
        None,
    );
    let each = waiting.disk_bytes / waiting.executions.max(1);
    row("bytes on disk per execution".to_owned(), String::new(), each.to_string(), None);
    for (name, sample) in [("DescribeExecution", &waiting.looks), ("StopExecution", &waiting.stops)] {
        let p50 = format!("{:.2}", sample.percentile_microseconds(50) / 1e3);
        row(format!("{name} at random, p50 ms"), String::new(), p50, None);
    }
    row("others % during workflows".to_owned(), String::new(), percent(waiting.others), None);
    text(&table)
}

/// How the server came back after kill -9. None where nothing outlives the process.
pub fn come_back_table(waiting: &Waiting) -> Option<String> {
    let restart = waiting.restart?;
    let titles = ["s to DescribeExecution", "s to StartExecution", "RSS MB", "most RSS MB"];
    let mut table = titled(&titles);
    table.add_row(numbers(&[
        format!("{:.2}", restart.described.as_secs_f64()),
        format!("{:.2}", restart.started.as_secs_f64()),
        megabytes(restart.usage.resident_bytes),
        megabytes(restart.usage.peak_resident_bytes),
    ]));
    Some(text(&table))
}

/// All of it for programs.
pub fn waiting_json(waiting: &Waiting) -> Value {
    let slower = Slowdowns::of(waiting);
    let restart = waiting.restart.map(|restart| {
        json!({
            "secondsToDescribeExecution": restart.described.as_secs_f64(),
            "secondsToStartExecution": restart.started.as_secs_f64(),
            "residentBytes": restart.usage.resident_bytes,
            "peakResidentBytes": restart.usage.peak_resident_bytes,
        })
    });
    let round = |round: &Round| json!({"empty": load_json(&round.empty), "full": load_json(&round.full)});
    json!({
        "store": waiting.store.name(),
        "ends": waiting.ends.words(),
        "executions": waiting.executions,
        "startsPerSecond": waiting.filled.per_second,
        "startsPerSecondFirstTenth": waiting.filled.first_tenth,
        "startsPerSecondLastTenth": waiting.filled.last_tenth,
        "throttled": waiting.filled.throttled,
        "timesSlower": {"starts": slower.starts, "steps": slower.steps, "cpu": slower.cpu, "bound": BOUND},
        "residentBytes": {"empty": waiting.empty.resident_bytes, "full": waiting.full.resident_bytes},
        "peakResidentBytes": waiting.full.peak_resident_bytes,
        "diskBytes": waiting.disk_bytes,
        "restart": restart,
        "describe": sample_json(&waiting.looks),
        "stop": sample_json(&waiting.stops),
        "othersShare": waiting.others,
        "rounds": waiting.rounds.iter().map(round).collect::<Vec<_>>(),
    })
}

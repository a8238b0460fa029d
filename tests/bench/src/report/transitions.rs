//! The figures of durable transitions.

use super::{numbers, percent, sample_json, text, titled};
use crate::sample::median;
use crate::transitions::{Level, Round};
use serde_json::{Value, json};

/// How many times one append and fdatasync of the same bytes one sequential transition may take.
const BOUND: f64 = 1.5;

/// Medians of one level.
struct Medians {
    per_second: f64,
    syncs_per_second: f64,
    ratio: f64,
    p50_milliseconds: f64,
    p99_milliseconds: f64,
    cpu_microseconds: f64,
    per_flush: f64,
    flushes_per_second: f64,
    bytes: f64,
    written: f64,
}

impl Medians {
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    fn of(level: &Level) -> Medians {
        let over = |figure: &dyn Fn(&Round) -> f64| median(level.rounds.iter().map(figure));
        let per_transition = |bytes: u64, round: &Round| bytes as f64 / round.executor.count as f64;
        Medians {
            per_second: over(&|round| round.executor.per_second()),
            syncs_per_second: over(&|round| round.disk.per_second()),
            ratio: over(&|round| round.executor.per_second() / round.disk.per_second()),
            p50_milliseconds: over(&|round| round.executor.percentile_microseconds(50) / 1e3),
            p99_milliseconds: over(&|round| round.executor.percentile_microseconds(99) / 1e3),
            cpu_microseconds: over(&|round| round.executor.cpu_microseconds()),
            per_flush: over(&|round| round.executor.count as f64 / round.flushes as f64),
            flushes_per_second: over(&|round| round.flushes as f64 / round.executor.elapsed.as_secs_f64()),
            bytes: over(&|round| per_transition(round.bytes, round)),
            written: over(&|round| per_transition(round.written, round)),
        }
    }
}

/// The table.
pub fn transitions_table(levels: &[Level]) -> String {
    let mut table = titled(&[
        "store",
        "executions",
        "transitions/s",
        "syncs/s",
        "ratio",
        "p50 ms",
        "p99 ms",
        "cpu us",
        "per flush",
        "flushes/s",
        "bytes",
        "written",
        "others %",
    ]);
    for level in levels {
        let medians = Medians::of(level);
        let flushed = |figure: f64, digits: usize| {
            if level.store.is_durable() { format!("{figure:.digits$}") } else { "none".to_owned() }
        };
        table.add_row(numbers(&[
            level.store.name().to_owned(),
            level.concurrent.to_string(),
            format!("{:.0}", medians.per_second),
            format!("{:.0}", medians.syncs_per_second),
            format!("{:.2}", medians.ratio),
            format!("{:.2}", medians.p50_milliseconds),
            format!("{:.2}", medians.p99_milliseconds),
            format!("{:.0}", medians.cpu_microseconds),
            flushed(medians.per_flush, 1),
            flushed(medians.flushes_per_second, 0),
            format!("{:.0}", medians.bytes),
            format!("{:.0}", medians.written),
            percent(level.others),
        ]));
    }
    text(&table)
}

/// What one transition after the other takes, beside its bound. None when that was not measured, or not on a disk.
pub fn transitions_bound(levels: &[Level]) -> Option<String> {
    let level = levels.iter().find(|level| level.concurrent == 1 && level.store.is_durable())?;
    Some(format!(
        "One transition after the other takes {:.2} times one append + fdatasync of the same {} bytes (bound: {BOUND}).",
        1.0 / Medians::of(level).ratio,
        level.append_bytes
    ))
}

/// All of it for programs.
pub fn transitions_json(levels: &[Level]) -> Value {
    let level = |level: &Level| {
        let medians = Medians::of(level);
        let round = |round: &Round| {
            json!({
                "disk": sample_json(&round.disk),
                "executor": sample_json(&round.executor),
                "flushes": round.flushes,
                "bytes": round.bytes,
                "written": round.written,
            })
        };
        json!({
            "store": level.store.name(),
            "executions": level.concurrent,
            "appendBytes": level.append_bytes,
            "transitionsPerSecond": medians.per_second,
            "syncsPerSecond": medians.syncs_per_second,
            "ratio": medians.ratio,
            "p50Milliseconds": medians.p50_milliseconds,
            "p99Milliseconds": medians.p99_milliseconds,
            "cpuMicroseconds": medians.cpu_microseconds,
            "transitionsPerFlush": level.store.is_durable().then_some(medians.per_flush),
            "flushesPerSecond": medians.flushes_per_second,
            "bytesPerTransition": medians.bytes,
            "writtenBytesPerTransition": medians.written,
            "othersShare": level.others,
            "rounds": level.rounds.iter().map(round).collect::<Vec<_>>(),
        })
    };
    levels.iter().map(level).collect()
}

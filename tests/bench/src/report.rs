//! The figures, as tables for people and as JSON for programs: medians over rounds, and every round.

mod hostile;
mod http;
mod jsonata;
mod language;
mod modules;
mod stored;
mod timers;
mod transitions;
mod waiting;

pub use hostile::{hostile_json, hostile_table, neighbour_table};
pub use http::{baselines_table, beaten_table, http_json, http_table};
pub use jsonata::{
    binding_json, binding_table, evaluations_json, evaluations_table, load_json, load_table, outcomes_table,
};
pub use language::{definitions_json, definitions_table, growth_json, growth_table, steps_json, steps_table};
pub use modules::{module_costs_table, modules_json, modules_table};
pub use stored::{stored_json, stored_table};
pub use timers::{timers_json, timers_table};
pub use transitions::{transitions_bound, transitions_json, transitions_table};
pub use waiting::{come_back_table, waiting_json, waiting_table};

use crate::calls;
use crate::quiet::NOISY;
use crate::sample::{Sample, median};
use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, Table};
use serde_json::{Value, json};

/// Says whether the rows can be trusted, for all shares of the processors that others used while a row was measured.
pub fn conditions(others: impl IntoIterator<Item = Option<f64>>) -> String {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let worst = others.into_iter().try_fold(0.0_f64, |worst, others| others.map(|others| worst.max(others)));
    match worst {
        None => format!("{processors} processors; this system does not tell whether they were quiet"),
        Some(worst) if worst <= NOISY => format!("{processors} processors, quiet"),
        Some(worst) => format!(
            "{processors} processors, NOT QUIET: other programs used up to {:.0} % of them. The figures are too bad, and \
             ratios can be wrong either way.",
            worst * 100.0
        ),
    }
}

/// Medians of one level of the calls benchmark: of the sandbox, of the bare loop, and of their ratios.
struct CallMedians {
    sandbox: CallFigures,
    bare: CallFigures,
    p50_ratio: f64,
    rate_ratio: f64,
}

struct CallFigures {
    p50_microseconds: f64,
    p99_microseconds: f64,
    per_second: f64,
    cpu_microseconds: f64,
}

impl CallMedians {
    fn of(level: &calls::Level) -> CallMedians {
        let over = |figure: &dyn Fn(&calls::Round) -> f64| median(level.rounds.iter().map(figure));
        let side = |side: fn(&calls::Round) -> &Sample| CallFigures {
            p50_microseconds: over(&|round| side(round).percentile_microseconds(50)),
            p99_microseconds: over(&|round| side(round).percentile_microseconds(99)),
            per_second: over(&|round| side(round).per_second()),
            cpu_microseconds: over(&|round| side(round).cpu_microseconds()),
        };
        CallMedians {
            sandbox: side(|round| &round.sandbox),
            bare: side(|round| &round.bare),
            p50_ratio: over(&|round| {
                round.sandbox.percentile_microseconds(50) / round.bare.percentile_microseconds(50)
            }),
            rate_ratio: over(&|round| round.sandbox.per_second() / round.bare.per_second()),
        }
    }
}

/// The table of the calls benchmark.
pub fn calls_table(levels: &[calls::Level]) -> String {
    let mut table = titled(&[
        "callers",
        "",
        "p50 us",
        "p99 us",
        "calls/s",
        "cpu us",
        "p50 ratio",
        "calls/s ratio",
        "others %",
    ]);
    for level in levels {
        let medians = CallMedians::of(level);
        let callers = level.callers.to_string();
        let row = [
            format!("{:.2}", medians.p50_ratio),
            format!("{:.2}", medians.rate_ratio),
            percent(level.others),
        ];
        let rows = [
            (callers, "Sandbox::invoke", &medians.sandbox, row),
            (String::new(), "bare wasmtime", &medians.bare, Default::default()),
        ];
        for (callers, side, figures, [p50_ratio, rate_ratio, others]) in rows {
            table.add_row(numbers(&[
                callers,
                side.to_owned(),
                format!("{:.1}", figures.p50_microseconds),
                format!("{:.1}", figures.p99_microseconds),
                format!("{:.0}", figures.per_second),
                format!("{:.1}", figures.cpu_microseconds),
                p50_ratio,
                rate_ratio,
                others,
            ]));
        }
    }
    text(&table)
}

/// The calls benchmark for programs.
pub fn calls_json(levels: &[calls::Level]) -> Value {
    let level = |level: &calls::Level| {
        let medians = CallMedians::of(level);
        let side = |figures: &CallFigures| {
            json!({
                "p50Microseconds": figures.p50_microseconds,
                "p99Microseconds": figures.p99_microseconds,
                "callsPerSecond": figures.per_second,
                "cpuMicroseconds": figures.cpu_microseconds,
            })
        };
        let round = |round: &calls::Round| json!({"bare": sample_json(&round.bare), "sandbox": sample_json(&round.sandbox)});
        json!({
            "callers": level.callers,
            "sandbox": side(&medians.sandbox),
            "bare": side(&medians.bare),
            "p50Ratio": medians.p50_ratio,
            "callsPerSecondRatio": medians.rate_ratio,
            "othersShare": level.others,
            "rounds": level.rounds.iter().map(round).collect::<Vec<_>>(),
        })
    };
    levels.iter().map(level).collect()
}

fn sample_json(sample: &Sample) -> Value {
    json!({
        "count": sample.count,
        "seconds": sample.elapsed.as_secs_f64(),
        "perSecond": sample.per_second(),
        "p50Microseconds": sample.percentile_microseconds(50),
        "p99Microseconds": sample.percentile_microseconds(99),
        "cpuMicroseconds": sample.cpu_microseconds(),
    })
}

/// Millions of bytes.
#[expect(clippy::cast_precision_loss, reason = "sizes stay far below 2^52")]
fn megabytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1e6)
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "?".to_owned(), |share| format!("{:.0}", share * 100.0))
}

fn titled(titles: &[&str]) -> Table {
    let mut table = Table::new();
    let titles: Vec<String> = titles.iter().map(|title| (*title).to_owned()).collect();
    table.load_preset(NOTHING).set_header(numbers(&titles));
    table
}

fn numbers(texts: &[String]) -> Vec<Cell> {
    texts.iter().map(|text| Cell::new(text).set_alignment(CellAlignment::Right)).collect()
}

fn text(table: &Table) -> String {
    table.trim_fmt()
}

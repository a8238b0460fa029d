//! The figures of the language benchmarks, as tables and as JSON. What is compared is processor time.

use super::{numbers, percent, sample_json, text, titled};
use crate::language::{definitions, growth, steps};
use crate::sample::median;
use serde_json::{Value, json};

/// Medians of one workload of `step`.
struct StepMedians {
    per_second: f64,
    events_per_second: f64,
    microseconds: f64,
    bare_microseconds: f64,
    ratio: f64,
}

impl StepMedians {
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    fn of(level: &steps::Level) -> StepMedians {
        let over = |figure: &dyn Fn(&steps::Round) -> f64| median(level.rounds.iter().map(figure));
        let microseconds = over(&|round| round.step.cpu_microseconds());
        StepMedians {
            per_second: 1e6 / microseconds,
            events_per_second: 1e6 / microseconds * level.workload.events as f64
                / level.workload.states as f64,
            microseconds,
            bare_microseconds: over(&|round| round.bare.cpu_microseconds()),
            ratio: over(&|round| round.step.cpu_microseconds() / round.bare.cpu_microseconds()),
        }
    }
}

/// The table of `step`.
pub fn steps_table(levels: &[steps::Level]) -> String {
    let titles = ["workload", "states/s", "events/s", "us/state", "bare us", "ratio", "others %"];
    let mut table = titled(&titles);
    for level in levels {
        let medians = StepMedians::of(level);
        table.add_row(numbers(&[
            level.workload.name.to_owned(),
            format!("{:.0}", medians.per_second),
            format!("{:.0}", medians.events_per_second),
            format!("{:.2}", medians.microseconds),
            format!("{:.2}", medians.bare_microseconds),
            format!("{:.2}", medians.ratio),
            percent(level.others),
        ]));
    }
    text(&table)
}

/// The same for programs.
pub fn steps_json(levels: &[steps::Level]) -> Value {
    let level = |level: &steps::Level| {
        let medians = StepMedians::of(level);
        let round = |round: &steps::Round| json!({"bare": sample_json(&round.bare), "step": sample_json(&round.step)});
        json!({
            "workload": level.workload.name,
            "states": level.workload.states,
            "events": level.workload.events,
            "statesPerSecond": medians.per_second,
            "eventsPerSecond": medians.events_per_second,
            "microsecondsPerState": medians.microseconds,
            "bareMicrosecondsPerState": medians.bare_microseconds,
            "ratio": medians.ratio,
            "othersShare": level.others,
            "rounds": level.rounds.iter().map(round).collect::<Vec<_>>(),
        })
    };
    levels.iter().map(level).collect()
}

/// Medians of one size of definition.
struct DefinitionMedians {
    microseconds: f64,
    json_microseconds: f64,
    ratio: f64,
    per_kib: f64,
    per_state: f64,
}

impl DefinitionMedians {
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    fn of(level: &definitions::Level) -> DefinitionMedians {
        let over = |figure: &dyn Fn(&definitions::Round) -> f64| median(level.rounds.iter().map(figure));
        let microseconds = over(&|round| round.machine.cpu_microseconds());
        DefinitionMedians {
            microseconds,
            json_microseconds: over(&|round| round.json.cpu_microseconds()),
            ratio: over(&|round| round.machine.cpu_microseconds() / round.json.cpu_microseconds()),
            per_kib: microseconds / kib(level),
            per_state: microseconds / level.states as f64,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn kib(level: &definitions::Level) -> f64 {
    level.bytes as f64 / 1_024.0
}

/// The table of definitions.
pub fn definitions_table(levels: &[definitions::Level]) -> String {
    let titles = ["states", "KiB", "parse us", "us/KiB", "us/state", "JSON us", "ratio", "others %"];
    let mut table = titled(&titles);
    for level in levels {
        let medians = DefinitionMedians::of(level);
        table.add_row(numbers(&[
            level.states.to_string(),
            format!("{:.1}", kib(level)),
            format!("{:.1}", medians.microseconds),
            format!("{:.1}", medians.per_kib),
            format!("{:.2}", medians.per_state),
            format!("{:.1}", medians.json_microseconds),
            format!("{:.2}", medians.ratio),
            percent(level.others),
        ]));
    }
    text(&table)
}

/// The same for programs.
pub fn definitions_json(levels: &[definitions::Level]) -> Value {
    let level = |level: &definitions::Level| {
        let medians = DefinitionMedians::of(level);
        let round = |round: &definitions::Round| json!({"json": sample_json(&round.json), "machine": sample_json(&round.machine)});
        json!({
            "states": level.states,
            "bytes": level.bytes,
            "microseconds": medians.microseconds,
            "jsonMicroseconds": medians.json_microseconds,
            "microsecondsPerKib": medians.per_kib,
            "microsecondsPerState": medians.per_state,
            "ratio": medians.ratio,
            "othersShare": level.others,
            "rounds": level.rounds.iter().map(round).collect::<Vec<_>>(),
        })
    };
    levels.iter().map(level).collect()
}

/// Medians of one size of one kind of Map; the ratios are to the smallest in the same round.
struct GrowthMedians {
    microseconds: f64,
    ratio: f64,
    item_microseconds: f64,
    item_ratio: f64,
    bytes: f64,
    bytes_ratio: f64,
}

impl GrowthMedians {
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    fn of(level: &growth::Level, index: usize) -> GrowthMedians {
        let over =
            |figure: &dyn Fn(&[growth::Cost]) -> f64| median(level.rounds.iter().map(|round| figure(round)));
        let cpu = |cost: &growth::Cost| cost.sample.cpu_microseconds();
        let item = |cost: &growth::Cost| cpu(cost) * cost.sample.count as f64 / cost.items as f64;
        let bytes = |cost: &growth::Cost| cost.bytes as f64 / cost.sample.count as f64;
        GrowthMedians {
            microseconds: over(&|round| cpu(&round[index])),
            ratio: over(&|round| cpu(&round[index]) / cpu(&round[0])),
            item_microseconds: over(&|round| item(&round[index])),
            item_ratio: over(&|round| item(&round[index]) / item(&round[0])),
            bytes: over(&|round| bytes(&round[index])),
            bytes_ratio: over(&|round| bytes(&round[index]) / bytes(&round[0])),
        }
    }
}

/// The table of Map states.
pub fn growth_table(levels: &[growth::Level]) -> String {
    let mut table =
        titled(&["Map", "items", "cpu us", "ratio", "us/item", "ratio", "bytes", "ratio", "others %"]);
    for level in levels {
        for (index, items) in level.sizes.iter().enumerate() {
            let medians = GrowthMedians::of(level, index);
            table.add_row(numbers(&[
                if index == 0 { level.kind.name.to_owned() } else { String::new() },
                items.to_string(),
                format!("{:.1}", medians.microseconds),
                format!("{:.2}", medians.ratio),
                format!("{:.1}", medians.item_microseconds),
                format!("{:.2}", medians.item_ratio),
                format!("{:.0}", medians.bytes),
                format!("{:.2}", medians.bytes_ratio),
                if index == 0 { percent(level.others) } else { String::new() },
            ]));
        }
    }
    text(&table)
}

/// The same for programs.
pub fn growth_json(levels: &[growth::Level]) -> Value {
    let size = |level: &growth::Level, index: usize, items: u64| {
        let medians = GrowthMedians::of(level, index);
        let round = |round: &Vec<growth::Cost>| json!({"executor": sample_json(&round[index].sample), "bytes": round[index].bytes});
        json!({
            "items": items,
            "cpuMicroseconds": medians.microseconds,
            "ratio": medians.ratio,
            "cpuMicrosecondsPerItem": medians.item_microseconds,
            "itemRatio": medians.item_ratio,
            "bytesPerTransition": medians.bytes,
            "bytesRatio": medians.bytes_ratio,
            "rounds": level.rounds.iter().map(round).collect::<Vec<_>>(),
        })
    };
    let level = |level: &growth::Level| {
        let sizes = level.sizes.iter().enumerate().map(|(index, items)| size(level, index, *items));
        json!({"map": level.kind.name, "sizes": sizes.collect::<Vec<_>>(), "othersShare": level.others})
    };
    levels.iter().map(level).collect()
}

//! The figures of guests in every language.

use super::{CallMedians, calls_json, numbers, percent, text, titled};
use crate::modules::Language;
use serde_json::{Value, json};

/// What calls cost: the sandbox, the bare loop, and their ratio.
pub fn modules_table(languages: &[Language]) -> String {
    let mut table =
        titled(&["guest", "callers", "p50 us", "bare p50", "ratio", "calls/s", "bare", "ratio", "others %"]);
    for language in languages {
        for level in &language.levels {
            let medians = CallMedians::of(level);
            table.add_row(numbers(&[
                language.name.to_owned(),
                level.callers.to_string(),
                format!("{:.1}", medians.sandbox.p50_microseconds),
                format!("{:.1}", medians.bare.p50_microseconds),
                format!("{:.2}", medians.p50_ratio),
                format!("{:.0}", medians.sandbox.per_second),
                format!("{:.0}", medians.bare.per_second),
                format!("{:.2}", medians.rate_ratio),
                percent(level.others),
            ]));
        }
    }
    text(&table)
}

/// What modules cost apart from their calls.
#[expect(clippy::cast_precision_loss, reason = "sizes stay far below 2^52")]
pub fn module_costs_table(languages: &[Language]) -> String {
    let mut table = titled(&["guest", "KiB", "compile ms", "load ms", "KiB in flight"]);
    for language in languages {
        table.add_row(numbers(&[
            language.name.to_owned(),
            format!("{:.0}", language.module_bytes as f64 / 1_024.0),
            format!("{:.0}", language.compile.as_secs_f64() * 1e3),
            format!("{:.1}", language.load.as_secs_f64() * 1e3),
            format!("{:.0}", language.bytes_in_flight as f64 / 1_024.0),
        ]));
    }
    text(&table)
}

/// All of it for programs.
pub fn modules_json(languages: &[Language]) -> Value {
    let language = |language: &Language| {
        json!({
            "guest": language.name,
            "moduleBytes": language.module_bytes,
            "compileMilliseconds": language.compile.as_secs_f64() * 1e3,
            "loadMilliseconds": language.load.as_secs_f64() * 1e3,
            "bytesInFlight": language.bytes_in_flight,
            "calls": calls_json(&language.levels),
        })
    };
    languages.iter().map(language).collect()
}

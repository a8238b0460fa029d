//! The figures of looking at a great many executions that have ended.

use super::{megabytes, numbers, percent, sample_json, text, titled};
use crate::sample::{Sample, median};
use crate::served::stored::{LOOKS, Stored};
use comfy_table::Cell;
use serde_json::{Value, json};

/// Medians over the rounds of one look: of the baseline, of the server with many, of their ratio.
fn medians(stored: &Stored, row: usize, percent: usize) -> [f64; 3] {
    let figure = |sample: &Sample| sample.percentile_microseconds(percent);
    let over = |of: &dyn Fn(&[Sample; 2]) -> f64| median(stored.rounds.iter().map(|round| of(&round[row])));
    [
        over(&|pair| figure(&pair[0])),
        over(&|pair| figure(&pair[1])),
        over(&|pair| figure(&pair[1]) / figure(&pair[0])),
    ]
}

/// How long looks take.
pub fn stored_table(stored: &Stored) -> String {
    let few = format!("p50 us, {}", stored.few);
    let many = format!("p50 us, {}", stored.executions);
    let mut table = titled(&["", &few, &many, "times slower", "p99 us", "times slower"]);
    for (row, look) in LOOKS.into_iter().enumerate() {
        let [few, many, slower] = medians(stored, row, 50);
        let [_, p99, p99_slower] = medians(stored, row, 99);
        let mut cells = vec![Cell::new(look.words())];
        cells.extend(numbers(&[
            format!("{few:.0}"),
            format!("{many:.0}"),
            format!("{slower:.2}"),
            format!("{p99:.0}"),
            format!("{p99_slower:.2}"),
        ]));
        table.add_row(cells);
    }
    let each = stored.disk_bytes / stored.executions.max(1);
    format!(
        "{}\nstarted and ended at {:.0} a second; {each} bytes on disk each; RSS {} MB; others {} %",
        text(&table),
        stored.filled.per_second,
        megabytes(stored.usage.resident_bytes),
        percent(stored.others),
    )
}

/// All of it for programs.
pub fn stored_json(stored: &Stored) -> Value {
    let looks = LOOKS.into_iter().enumerate().map(|(row, look)| {
        let rounds: Vec<Value> = stored
            .rounds
            .iter()
            .map(|round| json!({"few": sample_json(&round[row][0]), "many": sample_json(&round[row][1])}))
            .collect();
        json!({"look": look.words(), "timesSlower": medians(stored, row, 50)[2], "rounds": rounds})
    });
    json!({
        "store": stored.store.name(),
        "executions": stored.executions,
        "few": stored.few,
        "startsPerSecond": stored.filled.per_second,
        "diskBytes": stored.disk_bytes,
        "residentBytes": stored.usage.resident_bytes,
        "looks": looks.collect::<Vec<_>>(),
        "othersShare": stored.others,
    })
}

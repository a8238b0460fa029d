//! The figures of the neighbour of hostile modules, as tables and as JSON.

use super::{numbers, percent, sample_json, text, titled};
use crate::hostile::{KINDS, Level, Neighbour, RATE, Round};
use crate::sample::{Sample, median};
use serde_json::{Value, json};

/// Which time of a call: its name, and where it is.
type Time = (&'static str, fn(&Neighbour) -> &Sample);

const TIMES: [Time; 2] = [("from being made", |calls| &calls.made), ("from being due", |calls| &calls.due)];

/// A percentile alone and beside hostile modules, in microseconds, and the ratio of the two; medians over the rounds.
struct Compared {
    alone: f64,
    beside: f64,
    ratio: f64,
}

impl Compared {
    fn of(level: &Level, time: Time, percentile: usize) -> Compared {
        let over = |figure: &dyn Fn(&Round) -> f64| median(level.rounds.iter().map(figure));
        let alone = |round: &Round| time.1(&round.alone).percentile_microseconds(percentile);
        let beside = |round: &Round| time.1(&round.beside).percentile_microseconds(percentile);
        Compared {
            alone: over(&alone),
            beside: over(&beside),
            ratio: over(&|round| beside(round) / alone(round)),
        }
    }
}

/// The table of the neighbour.
pub fn neighbour_table(level: &Level) -> String {
    let titles = [
        "time of a call",
        "p50 us",
        "beside",
        "ratio",
        "p99 us",
        "beside",
        "ratio",
        "longest us",
        "others %",
    ];
    let mut table = titled(&titles);
    for time in TIMES {
        let (p50, p99) = (Compared::of(level, time, 50), Compared::of(level, time, 99));
        let longest = level
            .rounds
            .iter()
            .map(|round| time.1(&round.beside).percentile_microseconds(100))
            .fold(0.0, f64::max);
        table.add_row(numbers(&[
            time.0.to_owned(),
            format!("{:.0}", p50.alone),
            format!("{:.0}", p50.beside),
            format!("{:.2}", p50.ratio),
            format!("{:.0}", p99.alone),
            format!("{:.0}", p99.beside),
            format!("{:.2}", p99.ratio),
            format!("{longest:.0}"),
            percent(level.others),
        ]));
    }
    text(&table)
}

/// The table of hostile calls. None of them got through, or there would be no figures.
pub fn hostile_table(level: &Level) -> String {
    let mut table = titled(&["hostile", "modules", "calls ended", "in", "got through"]);
    for kind in KINDS {
        let ended = level.ended.get(kind.name).copied().unwrap_or_default();
        table.add_row(numbers(&[
            kind.name.to_owned(),
            kind.count.to_string(),
            ended.to_string(),
            kind.error.to_owned(),
            "0".to_owned(),
        ]));
    }
    text(&table)
}

/// The same for programs.
pub fn hostile_json(level: &Level) -> Value {
    let compared = |time: Time, percentile: usize| {
        let compared = Compared::of(level, time, percentile);
        json!({"aloneMicroseconds": compared.alone, "besideMicroseconds": compared.beside, "ratio": compared.ratio})
    };
    let neighbour =
        |calls: &Neighbour| json!({"made": sample_json(&calls.made), "due": sample_json(&calls.due)});
    let round = |round: &Round| json!({"alone": neighbour(&round.alone), "beside": neighbour(&round.beside)});
    let times =
        TIMES.map(|time| json!({"time": time.0, "p50": compared(time, 50), "p99": compared(time, 99)}));
    json!({
        "callsPerSecond": RATE,
        "hostileModules": KINDS.iter().map(|kind| kind.count).sum::<u32>(),
        "times": times,
        "hostileEnded": level.ended,
        "othersShare": level.others,
        "rounds": level.rounds.iter().map(round).collect::<Vec<_>>(),
    })
}

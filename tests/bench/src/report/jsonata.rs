//! The figures of the JSONata benchmarks, as tables and as JSON. Of evaluations processor time is compared, of executions
//! how many there were in a second.

use super::{numbers, percent, sample_json, text, titled};
use crate::jsonata::evaluations::{self, Evaluations};
use crate::jsonata::{binding, load};
use crate::sample::{Sample, median};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Medians of one expression, in microseconds of processor time; NaN where there is no reference.
struct EvaluationMedians {
    warm: f64,
    fresh: f64,
    reference: f64,
    ratio: f64,
}

impl EvaluationMedians {
    fn of(level: &evaluations::Level) -> EvaluationMedians {
        let cpu = Sample::cpu_microseconds;
        let referred = || level.rounds.iter().filter_map(|round| Some((round, round.reference.as_ref()?)));
        EvaluationMedians {
            warm: median(level.rounds.iter().map(|round| cpu(&round.warm))),
            fresh: median(level.rounds.iter().map(|round| cpu(&round.fresh))),
            reference: median(referred().map(|(_, reference)| cpu(reference))),
            ratio: median(referred().map(|(round, reference)| cpu(&round.warm) / cpu(reference))),
        }
    }
}

/// The table of expressions, and what is to be said beneath it.
pub fn evaluations_table(evaluated: &Evaluations) -> String {
    let mut table = titled(&["expression", "us", "reference us", "ratio", "fresh instance us", "others %"]);
    let figure = |value: f64| if value.is_nan() { "-".to_owned() } else { format!("{value:.2}") };
    for level in &evaluated.levels {
        let medians = EvaluationMedians::of(level);
        table.add_row(numbers(&[
            level.example.name.to_owned(),
            figure(medians.warm),
            figure(medians.reference),
            figure(medians.ratio),
            format!("{:.0}", medians.fresh),
            percent(level.others),
        ]));
    }
    let reference = match &evaluated.reference {
        Ok(version) => format!("reference: {version}"),
        Err(missing) => format!("reference: skipped: {}", missing.0),
    };
    let memory = match instance_mib(evaluated) {
        Some(mib) => format!("memory of an idle warm instance: {mib:.1} MiB"),
        None => "memory of an idle warm instance: unknown".to_owned(),
    };
    format!("{}\n{reference}\n{memory}", text(&table))
}

fn instance_mib(evaluated: &Evaluations) -> Option<f64> {
    let bytes = median(evaluated.instance_bytes.iter().copied());
    (!bytes.is_nan()).then_some(bytes / f64::from(1 << 20))
}

/// The same for programs.
pub fn evaluations_json(evaluated: &Evaluations) -> Value {
    let level = |level: &evaluations::Level| {
        let medians = EvaluationMedians::of(level);
        let round = |round: &evaluations::Round| {
            let reference = round.reference.as_ref().map(sample_json);
            json!({"reference": reference, "warm": sample_json(&round.warm), "fresh": sample_json(&round.fresh)})
        };
        json!({
            "name": level.example.name,
            "expression": level.example.expression,
            "microseconds": medians.warm,
            "referenceMicroseconds": medians.reference,
            "ratio": medians.ratio,
            "freshInstanceMicroseconds": medians.fresh,
            "othersShare": level.others,
            "rounds": level.rounds.iter().map(round).collect::<Vec<_>>(),
        })
    };
    json!({
        "reference": evaluated.reference.as_ref().ok(),
        "referenceSkipped": evaluated.reference.as_ref().err().map(|missing| &missing.0),
        "instanceMib": instance_mib(evaluated),
        "instanceBytes": evaluated.instance_bytes,
        "expressions": evaluated.levels.iter().map(level).collect::<Vec<_>>(),
    })
}

/// Median of the microseconds of a case, and of its ratios to the first of the same round.
fn binding_medians(level: &binding::Level, index: usize) -> (f64, f64) {
    let cpu = |round: &Vec<Sample>, index: usize| round[index].cpu_microseconds();
    let microseconds = median(level.rounds.iter().map(|round| cpu(round, index)));
    (microseconds, median(level.rounds.iter().map(|round| cpu(round, index) / cpu(round, 0))))
}

/// The table of large inputs.
pub fn binding_table(level: &binding::Level) -> String {
    let mut table = titled(&["expression", "input KiB", "us", "ratio", "others %"]);
    for (index, case) in binding::CASES.iter().enumerate() {
        let (microseconds, ratio) = binding_medians(level, index);
        table.add_row(numbers(&[
            case.expression.to_owned(),
            (case.bytes >> 10).to_string(),
            format!("{microseconds:.2}"),
            format!("{ratio:.2}"),
            if index == 0 { percent(level.others) } else { String::new() },
        ]));
    }
    text(&table)
}

/// The same for programs.
pub fn binding_json(level: &binding::Level) -> Value {
    let case = |(index, case): (usize, &binding::Case)| {
        let (microseconds, ratio) = binding_medians(level, index);
        json!({
            "expression": case.expression,
            "bytes": case.bytes,
            "microseconds": microseconds,
            "ratio": ratio,
            "rounds": level.rounds.iter().map(|round| sample_json(&round[index])).collect::<Vec<_>>(),
        })
    };
    let cases: Vec<Value> = binding::CASES.iter().enumerate().map(case).collect();
    json!({"cases": cases, "othersShare": level.others})
}

/// A stream of quick executions.
type Stream = (&'static str, fn(&load::Quick) -> &load::Stream);

const STREAMS: [Stream; 2] = [("JSONPath", |quick| &quick.jsonpath), ("JSONata", |quick| &quick.jsonata)];

/// Medians of one stream, without hostile executions or with them.
struct LoadMedians {
    per_second: f64,
    ratio: f64,
    p50_milliseconds: f64,
    p99_milliseconds: f64,
    /// Of all rounds, not their median.
    longest_milliseconds: f64,
    held_up: u64,
}

impl LoadMedians {
    /// `side` says which of a round's windows.
    fn of(level: &load::Level, stream: Stream, side: fn(&load::Round) -> &load::Quick) -> LoadMedians {
        let over = |figure: &dyn Fn(&load::Round) -> f64| median(level.rounds.iter().map(figure));
        let streams = || level.rounds.iter().map(|round| stream.1(side(round)));
        LoadMedians {
            per_second: over(&|round| sample(stream, side(round)).per_second()),
            ratio: over(&|round| {
                sample(stream, side(round)).per_second() / sample(stream, &round.alone).per_second()
            }),
            p50_milliseconds: over(&|round| sample(stream, side(round)).percentile_microseconds(50) / 1e3),
            p99_milliseconds: over(&|round| sample(stream, side(round)).percentile_microseconds(99) / 1e3),
            longest_milliseconds: streams().map(milliseconds).fold(0.0, f64::max),
            held_up: streams().map(|stream| stream.held_up).sum(),
        }
    }
}

fn sample(stream: Stream, quick: &load::Quick) -> &Sample {
    &stream.1(quick).sample
}

fn milliseconds(stream: &load::Stream) -> f64 {
    stream.longest.as_secs_f64() * 1e3
}

/// A window of a round: how many hostile executions are open, and which window.
type Side = (usize, fn(&load::Round) -> &load::Quick);

/// Both windows of a round.
const SIDES: [Side; 2] =
    [(0, |round| &round.alone), (crate::jsonata::hostile::EXPRESSIONS.len(), |round| &round.beside)];

/// The table of quick executions.
pub fn load_table(level: &load::Level) -> String {
    let mut table = titled(&[
        "quick",
        "hostile",
        "executions/s",
        "ratio",
        "p50 ms",
        "p99 ms",
        "longest ms",
        "held up",
        "others %",
    ]);
    for stream in STREAMS {
        for (hostile, side) in SIDES {
            let medians = LoadMedians::of(level, stream, side);
            let first = hostile == 0;
            table.add_row(numbers(&[
                if first { stream.0.to_owned() } else { String::new() },
                hostile.to_string(),
                format!("{:.0}", medians.per_second),
                format!("{:.2}", medians.ratio),
                format!("{:.2}", medians.p50_milliseconds),
                format!("{:.2}", medians.p99_milliseconds),
                format!("{:.0}", medians.longest_milliseconds),
                medians.held_up.to_string(),
                if first { percent(level.others) } else { String::new() },
            ]));
        }
    }
    text(&table)
}

/// Hostile executions by why they failed: how many, and the longest in seconds.
fn reasons(level: &load::Level) -> BTreeMap<&str, (u64, f64)> {
    let mut reasons = BTreeMap::new();
    for outcome in level.rounds.iter().flat_map(|round| &round.hostile) {
        let (count, longest) = reasons.entry(outcome.reason.as_str()).or_insert((0, 0.0_f64));
        *count += 1;
        *longest = longest.max(outcome.took.as_secs_f64());
    }
    reasons
}

/// The table of hostile executions.
pub fn outcomes_table(level: &load::Level) -> String {
    let mut table = titled(&["ended", "longest s", "why"]);
    for (reason, (count, longest)) in reasons(level) {
        table.add_row(numbers(&[count.to_string(), format!("{longest:.1}"), reason.to_owned()]));
    }
    text(&table)
}

/// The load for programs.
pub fn load_json(level: &load::Level) -> Value {
    let window = |stream: Stream, quick: &load::Quick| {
        let load::Stream { sample, held_up, .. } = stream.1(quick);
        json!({
            "executions": sample.count,
            "seconds": sample.elapsed.as_secs_f64(),
            "perSecond": sample.per_second(),
            "p50Microseconds": sample.percentile_microseconds(50),
            "p99Microseconds": sample.percentile_microseconds(99),
            "longestMilliseconds": milliseconds(stream.1(quick)),
            "heldUp": held_up,
            "storeTransitions": quick.transitions,
            "storeExecutions": quick.executions,
        })
    };
    let side = |stream: Stream, (hostile, side): Side| {
        let medians = LoadMedians::of(level, stream, side);
        json!({
            "hostile": hostile,
            "executionsPerSecond": medians.per_second,
            "ratio": medians.ratio,
            "p50Milliseconds": medians.p50_milliseconds,
            "p99Milliseconds": medians.p99_milliseconds,
            "longestMilliseconds": medians.longest_milliseconds,
            "heldUp": medians.held_up,
            "rounds": level.rounds.iter().map(|round| window(stream, side(round))).collect::<Vec<_>>(),
        })
    };
    let stream = |stream: Stream| {
        let sides: Vec<Value> = SIDES.into_iter().map(|each| side(stream, each)).collect();
        json!({"queryLanguage": stream.0, "levels": sides})
    };
    let outcome = |outcome: &load::Outcome| json!({"name": outcome.hostile.name, "reason": outcome.reason, "seconds": outcome.took.as_secs_f64()});
    let round = |round: &load::Round| round.hostile.iter().map(outcome).collect::<Vec<_>>();
    let reason = |(reason, (count, longest)): (&str, (u64, f64))| json!({"reason": reason, "ended": count, "longestSeconds": longest});
    json!({
        "quick": STREAMS.map(stream),
        "hostile": reasons(level).into_iter().map(reason).collect::<Vec<_>>(),
        "hostileRounds": level.rounds.iter().map(round).collect::<Vec<_>>(),
        "othersShare": level.others,
    })
}

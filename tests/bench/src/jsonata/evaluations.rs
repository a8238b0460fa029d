//! Microseconds of one evaluation in a warm instance and in a fresh one, against the JavaScript reference.
//!
//! The two sides do not do the same work. The reference gets its input as parsed objects and leaves its result as one;
//! ours, as in an execution, writes what is read as JSON text, hands it into the sandbox, where it is parsed, and parses
//! the text of the result. Both have parsed the expression before.

use super::expressions::{EXAMPLES, Example, Ready, order};
use super::instances;
use super::reference::{Missing, Reference};
use crate::quiet::QuietWatch;
use crate::sample::{Plan, Sample};
use anyhow::ensure;
use serde_json::Value;
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;
use stepwell_jsonata::Jsonata;

/// Evaluations between two looks at the clock; the reference has as many.
const BATCH: u64 = 16;

/// All expressions.
#[derive(Clone, Debug)]
pub struct Evaluations {
    /// Versions of the reference, or why there is none.
    pub reference: Result<String, Missing>,
    /// One for each expression.
    pub levels: Vec<Level>,
    /// Resident bytes of one idle warm instance, a figure for each round; none where the system does not tell.
    pub instance_bytes: Vec<f64>,
}

/// One expression.
#[derive(Clone, Debug)]
pub struct Level {
    /// The expression.
    pub example: Example,
    /// The rounds.
    pub rounds: Vec<Round>,
    /// Share of the processors that others used meanwhile; none when unknown.
    pub others: Option<f64>,
}

/// The reference, then ours; one evaluation each.
#[derive(Clone, Debug)]
pub struct Round {
    /// The JavaScript reference, if there is one.
    pub reference: Option<Sample>,
    /// In a warm instance.
    pub warm: Sample,
    /// Each in an instance of its own. What it takes to get rid of the warm one is not counted.
    pub fresh: Sample,
}

/// Measures all expressions, ours on this thread alone. `cache` is where the compiled evaluator lies.
pub fn measure(jsonata: &Jsonata, cache: &Path, plan: Plan) -> anyhow::Result<Evaluations> {
    let mut reference = Reference::open()?;
    if let Err(Missing(reason)) = &reference {
        eprintln!("the JavaScript reference is skipped: {reason}");
    }
    let mut levels = Vec::new();
    for example in EXAMPLES {
        eprintln!("measuring JSONata: {} ...", example.name);
        levels.push(measure_one(example, jsonata, reference.as_mut().ok(), plan)?);
    }
    let reference = reference.map(|reference| reference.version.clone());
    let instance_bytes = (0..plan.rounds.max(1)).map(|_| instances::resident_bytes(cache));
    let instance_bytes = instance_bytes.collect::<anyhow::Result<Vec<_>>>()?.into_iter().flatten().collect();
    Ok(Evaluations { reference, levels, instance_bytes })
}

fn measure_one(
    example: Example,
    jsonata: &Jsonata,
    mut reference: Option<&mut Reference>,
    plan: Plan,
) -> anyhow::Result<Level> {
    let ready = Ready::new(example.expression, &order())?;
    let child_cpu =
        |reference: &Option<&mut Reference>| reference.as_ref().map_or(Duration::ZERO, |r| r.cpu());
    let mut expected = None;
    if let Some(reference) = reference.as_deref_mut() {
        expected = Some(reference.run(example.expression, ready.states(), plan.warm_up)?.1);
    }
    let (mut rounds, quiet, cpu) = (Vec::new(), QuietWatch::start(), child_cpu(&reference));
    for _ in 0..plan.rounds.max(1) {
        let baseline = match reference.as_deref_mut() {
            None => None,
            Some(reference) => {
                reference.run(example.expression, ready.states(), plan.warm_up)?;
                let (sample, result) = reference.run(example.expression, ready.states(), plan.window)?;
                expected = Some(result);
                Some(sample)
            }
        };
        warm(&ready, jsonata, plan.warm_up)?;
        let (warm, result) = warm(&ready, jsonata, plan.window)?;
        if let Some(expected) = &expected {
            let name = example.name;
            ensure!(same(expected, &result), "{name}: the reference has {expected}, and we have {result}");
        }
        let fresh = fresh(&ready, jsonata, plan.window / 5, &result)?;
        rounds.push(Round { reference: baseline, warm, fresh });
    }
    let others = quiet.others_beside(child_cpu(&reference).saturating_sub(cpu));
    Ok(Level { example, rounds, others })
}

/// Evaluates until the window is over, in one warm instance; gives the last result too.
fn warm(ready: &Ready, jsonata: &Jsonata, length: Duration) -> anyhow::Result<(Sample, Value)> {
    let mut result = Value::Null;
    let sample = Sample::of_loop(length, || {
        for _ in 0..BATCH {
            result = black_box(black_box(ready).evaluate(jsonata)?);
        }
        Ok(BATCH)
    })?;
    Ok((sample, result))
}

/// Evaluates until so much time has been measured, each time in a fresh instance.
fn fresh(ready: &Ready, jsonata: &Jsonata, length: Duration, expected: &Value) -> anyhow::Result<Sample> {
    let mut sum = Sample::default();
    while sum.count == 0 || sum.elapsed < length {
        instances::drop_warm(jsonata)?;
        let mut result = Value::Null;
        let sample = Sample::of_loop(Duration::ZERO, || {
            result = ready.evaluate(jsonata)?;
            Ok(1)
        })?;
        ensure!(result == *expected, "a fresh instance gives {result} instead of {expected}");
        sum.add(sample);
    }
    Ok(sum)
}

/// Whether two values are the same JSON: numbers compare by value, as JavaScript writes 1 for 1.0, and members of
/// objects in any order.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let equal = |(name, value): (&String, &Value)| other.get(name).is_some_and(|o| same(value, o));
            one.len() == other.len() && one.iter().all(equal)
        }
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_compare_by_value_and_nothing_else_does() {
        assert!(same(&json!({"a": [1, "x"], "b": 2.0}), &json!({"b": 2, "a": [1.0, "x"]})));
        for (one, other) in
            [(json!([1]), json!([1, 1])), (json!({"a": 1}), json!({"b": 1})), (json!(1), json!("1"))]
        {
            assert!(!same(&one, &other), "{one} {other}");
        }
    }

    #[test]
    fn the_order_is_as_large_as_said() {
        let bytes = order().to_string().len();
        assert!((1_300..1_700).contains(&bytes), "{bytes}");
    }
}

//! What a large `$states.input` costs an expression that reads one field of it.
//!
//! The baseline is the same expression on a small input, in the same round. What is not read must not be handed to the
//! evaluator; the last case shows what it costs when all of it is.

use super::expressions::Ready;
use crate::quiet::QuietWatch;
use crate::sample::{Plan, Sample};
use anyhow::ensure;
use serde_json::{Value, json};
use std::hint::black_box;
use std::time::Duration;
use stepwell_jsonata::Jsonata;

/// Evaluations between two looks at the clock.
const BATCH: u64 = 8;
const SMALL_BYTES: usize = 1 << 10;
const LARGE_BYTES: usize = 200 << 10;
/// Reads one field.
const FIELD: &str = "$states.input.order.total * 2";
/// Reads the same field, but nobody can tell beforehand.
const WHOLE: &str = "($s := $states; $s.input.order.total * 2)";

/// A way to read the field.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// The expression.
    pub expression: &'static str,
    /// Bytes of the input as JSON, about.
    pub bytes: usize,
}

/// The cases, the baseline first.
pub const CASES: [Case; 4] = [
    Case { expression: FIELD, bytes: SMALL_BYTES },
    Case { expression: FIELD, bytes: LARGE_BYTES },
    Case { expression: WHOLE, bytes: SMALL_BYTES },
    Case { expression: WHOLE, bytes: LARGE_BYTES },
];

/// All cases.
#[derive(Clone, Debug)]
pub struct Level {
    /// The rounds; in each of them a sample for each case, in the order of [`CASES`].
    pub rounds: Vec<Vec<Sample>>,
    /// Share of the processors that others used meanwhile; none when unknown.
    pub others: Option<f64>,
}

/// Measures all cases, on this thread alone.
pub fn measure(jsonata: &Jsonata, plan: Plan) -> anyhow::Result<Level> {
    let ready = CASES.iter().map(|case| Ready::new(case.expression, &input(case.bytes)));
    let ready = ready.collect::<anyhow::Result<Vec<_>>>()?;
    let (mut rounds, quiet) = (Vec::new(), QuietWatch::start());
    for _ in 0..plan.rounds.max(1) {
        let mut samples = Vec::new();
        for ready in &ready {
            run(ready, jsonata, plan.warm_up)?;
            samples.push(run(ready, jsonata, plan.window)?);
        }
        rounds.push(samples);
    }
    Ok(Level { rounds, others: quiet.others() })
}

fn run(ready: &Ready, jsonata: &Jsonata, length: Duration) -> anyhow::Result<Sample> {
    Sample::of_loop(length, || {
        for _ in 0..BATCH {
            let value = black_box(black_box(ready).evaluate(jsonata)?);
            ensure!(value.as_f64() == Some(259.0), "twice 129.5 is {value}");
        }
        Ok(BATCH)
    })
}

/// An order beside so many bytes of others.
fn input(bytes: usize) -> Value {
    let line = json!({"sku": "CUP-07", "count": 2, "price": 12.5, "note": "blue, with a handle"});
    let lines = bytes / (line.to_string().len() + 1);
    json!({"order": {"id": "order-1042", "total": 129.5}, "history": vec![line; lines]})
}

//! What the tests of this crate share: one evaluator per process, whose machine code is kept between runs.

#![allow(dead_code, reason = "every test file uses its own part")]

use serde_json::Value;
use std::path::Path;
use std::sync::OnceLock;
use stepwell_asl::Timestamp;
use stepwell_asl::jsonata::{Evaluation, EvaluationError};
use stepwell_jsonata::{Call, Jsonata};

/// 2026-01-02T03:04:05.678Z
pub(crate) const NOW: Timestamp = Timestamp(1_767_323_045_678);
pub(crate) const SEED: u64 = 7;

pub(crate) fn jsonata() -> &'static Jsonata {
    static JSONATA: OnceLock<Jsonata> = OnceLock::new();
    JSONATA.get_or_init(|| Jsonata::new(Some(Path::new(env!("CARGO_TARGET_TMPDIR")).join("jsonata"))))
}

pub(crate) fn evaluation<'a>(expression: &'a str, bindings: &[(&'a str, Value)]) -> Evaluation<'a> {
    let bindings = bindings.iter().map(|(name, value)| (*name, value.to_string())).collect();
    Evaluation { expression, bindings, now: NOW, seed: SEED }
}

pub(crate) fn evaluate_with(
    expression: &str,
    bindings: &[(&str, Value)],
) -> Result<Option<Value>, EvaluationError> {
    jsonata().evaluate_watched(&Call::new(&evaluation(expression, bindings)), &mut || ())
}

pub(crate) fn evaluate(expression: &str) -> Result<Option<Value>, EvaluationError> {
    evaluate_with(expression, &[])
}

/// The value of an expression that has one.
pub(crate) fn value(expression: &str) -> Value {
    match evaluate(expression) {
        Ok(Some(value)) => value,
        other => panic!("{expression}: {other:?}"),
    }
}

/// The error of an expression that has one, as text with its code.
pub(crate) fn error(expression: &str) -> String {
    match evaluate(expression) {
        Err(error) => error.to_string(),
        Ok(value) => panic!("{expression}: {value:?}"),
    }
}

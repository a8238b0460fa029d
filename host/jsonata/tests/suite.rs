//! Runs the official test suite of JSONata. The cases live outside the repository; without them this test says so and
//! passes. It must never make an exception for a case: [`KNOWN_FAILURES`] only says which are known to fail and why,
//! so that another one is noticed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use serde_json::Value;
use std::path::PathBuf;
use stepwell_asl::jsonata::{Evaluation, EvaluationError};
use stepwell_jsonata::Call;

/// Cases that fail, with the reason. This list only shrinks.
const KNOWN_FAILURES: &[(&str, &str)] = &[
    (
        "jsonata/parent-operator/parent#25",
        "asks for the order of keys, but the datasets are stored with sorted keys",
    ),
    ("jsonata/range-operator/case021", "ten million numbers need more than 256 MiB"),
    ("jsonata/range-operator/case024", "ten million numbers need more than 256 MiB"),
];

fn cases_file(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("STEPWELL_CONFORMANCE").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance"),
        PathBuf::from,
    );
    let file = folder.join("cases").join(name);
    file.is_file().then_some(file)
}

fn read(file: &PathBuf) -> Value {
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// Numbers compare by value: the suite writes 1 and 1.0 for the same number.
fn same(expected: &Value, actual: &Value) -> bool {
    match (expected, actual) {
        (Value::Number(expected), Value::Number(actual)) => expected.as_f64() == actual.as_f64(),
        (Value::Array(expected), Value::Array(actual)) => {
            expected.len() == actual.len() && expected.iter().zip(actual).all(|(a, b)| same(a, b))
        }
        (Value::Object(expected), Value::Object(actual)) => {
            expected.len() == actual.len()
                && expected.iter().all(|(key, value)| actual.get(key).is_some_and(|found| same(value, found)))
        }
        _ => expected == actual,
    }
}

/// The same items, whatever their order.
fn same_unordered(expected: &Value, actual: &Value) -> bool {
    let (Some(expected), Some(actual)) = (expected.as_array(), actual.as_array()) else {
        return same(expected, actual);
    };
    let mut rest: Vec<&Value> = actual.iter().collect();
    expected.len() == actual.len()
        && expected.iter().all(|wanted| {
            let found = rest.iter().position(|item| same(wanted, item));
            found.map(|at| rest.swap_remove(at)).is_some()
        })
}

fn check(case: &Value, datasets: &Value) -> Result<(), String> {
    let input = case.get("data").or_else(|| datasets.get(case["dataset"].as_str()?));
    let bindings = case["bindings"].as_object();
    let bindings = bindings.into_iter().flatten().map(|(name, value)| (name.as_str(), value.to_string()));
    let evaluation = Evaluation {
        expression: case["expr"].as_str().ok_or("a case without expression")?,
        bindings: bindings.collect(),
        now: common::NOW,
        seed: common::SEED,
    };
    let call = Call { evaluation: &evaluation, input: input.map(Value::to_string), allow_eval: true };
    let outcome = common::jsonata().evaluate_watched(&call, &mut || ());
    let code = case["code"].as_str().or_else(|| case["error"]["code"].as_str());
    let is_same = if case["unordered"] == true { same_unordered } else { same };
    match (&outcome, code) {
        (Err(EvaluationError::Thrown { code: Some(actual), .. }), Some(code)) if actual == code => Ok(()),
        // The suite's own runner says U1001 when it stops an evaluation.
        (Err(EvaluationError::Exceeded(_)), Some("U1001")) => Ok(()),
        (Ok(Some(value)), None) if case.get("result").is_some_and(|wanted| is_same(wanted, value)) => Ok(()),
        (Ok(None), None) if case["undefinedResult"] == true => Ok(()),
        _ => Err(format!("{outcome:?}")),
    }
}

#[test]
fn official_suite() {
    let (Some(cases), Some(datasets)) =
        (cases_file("jsonata_suite.json"), cases_file("jsonata_datasets.json"))
    else {
        println!("skipped: no conformance cases here (set STEPWELL_CONFORMANCE to their folder)");
        return;
    };
    let (suite, datasets) = (read(&cases), read(&datasets));
    let cases = suite["cases"].as_array().unwrap();
    let mut unexpected = Vec::new();
    let mut passed = 0;
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let known = KNOWN_FAILURES.iter().find(|(known, _)| *known == name);
        match (check(case, &datasets), known) {
            (Ok(()), None) => passed += 1,
            (Ok(()), Some(_)) => unexpected.push(format!("{name} passes: take it from the list")),
            (Err(actual), Some((_, reason))) => println!("known {name}: {reason}; got {actual}"),
            (Err(actual), None) => {
                let wanted = ["result", "undefinedResult", "code", "error"].map(|key| case.get(key));
                let expr = &case["expr"];
                unexpected.push(format!("{name}: {expr}\n  expected {wanted:?}\n  got {actual}"));
            }
        }
    }
    println!("official JSONata suite: {passed} of {} passed", cases.len());
    assert!(unexpected.is_empty(), "{}", unexpected.join("\n"));
    assert!(passed * 1000 >= cases.len() * 997);
}

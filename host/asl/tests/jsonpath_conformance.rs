//! Runs the JSONPath engine against the conformance cases, answers that the Java library gave: same value,
//! same definiteness, same message. The cases live outside the repository; without them this test says so
//! and passes. It must never hold a case or an exception for one.

use std::path::PathBuf;

use serde_json::Value;
use stepwell_asl::jsonpath::JsonPath;

/// How many cases have to pass. This number only grows.
const PASSED_AT_LEAST: usize = 153;

fn cases_file() -> Option<PathBuf> {
    let folder = std::env::var_os("STEPWELL_CONFORMANCE").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance"),
        PathBuf::from,
    );
    let file = folder.join("cases/jsonpath.json");
    file.is_file().then_some(file)
}

/// The suite's documents are stored with sorted keys, its answers in the original order of the keys. Where a
/// path lists the entries of an object, only the order of the result may therefore differ.
fn same(path: &str, expected: &Value, actual: &Value) -> bool {
    let lists_entries = ["*", "..", "keys()"].iter().any(|part| path.contains(part));
    match (expected.as_array(), actual.as_array()) {
        (Some(expected), Some(actual)) if lists_entries => {
            let mut rest: Vec<&Value> = actual.iter().collect();
            expected.len() == actual.len()
                && expected.iter().all(|wanted| {
                    let found = rest.iter().position(|value| *value == wanted);
                    found.map(|at| rest.swap_remove(at)).is_some()
                })
        }
        _ => expected == actual,
    }
}

fn check(case: &Value) -> Result<(), String> {
    let text = case["path"].as_str().ok_or("a case without path")?;
    let expected = &case["expected"];
    let message = expected["message"].as_str();
    let path = match JsonPath::parse(text) {
        Ok(path) => path,
        Err(error) if expected.get("definite").is_none() && message == Some(error.message()) => return Ok(()),
        Err(error) => return Err(format!("not parsed: {error}")),
    };
    if expected["definite"].as_bool() != Some(path.is_definite()) {
        return Err(format!("definite: {}", path.is_definite()));
    }
    match (path.select(&case["doc"]), message) {
        (Ok(value), None) if same(text, &expected["value"], &value) => Ok(()),
        (Err(error), Some(message)) if error.message() == message => Ok(()),
        (result, _) => Err(format!("{result:?}")),
    }
}

#[test]
fn jsonpath_cases() {
    let Some(file) = cases_file() else {
        println!("skipped: no conformance cases here (set STEPWELL_CONFORMANCE to their folder)");
        return;
    };
    let text = std::fs::read_to_string(&file).unwrap();
    let suite: Value = serde_json::from_str(&text).unwrap();
    let cases = suite["cases"].as_array().unwrap();
    let mut failed = 0;
    for case in cases {
        if let Err(reason) = check(case) {
            failed += 1;
            println!("FAILED {}\n  expected {}\n  got {reason}", case["name"], case["expected"]);
        }
    }
    let passed = cases.len() - failed;
    println!("jsonpath conformance: {passed} passed, {failed} failed");
    assert!(passed >= PASSED_AT_LEAST, "{passed} cases passed, at least {PASSED_AT_LEAST} have to");
}

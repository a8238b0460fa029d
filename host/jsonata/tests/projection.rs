//! An expression must not be able to tell that only a part of a variable was handed to it. The expressions are those of
//! the official suite, with their data in a variable; without the suite only a few of our own are tried.

mod common;

use serde_json::{Map, Value, json};
use std::path::PathBuf;
use stepwell_asl::jsonata::{EvaluationError, Trial};

/// A value, or the code of an error: a trial has other words for it.
type Outcome = Result<Option<Value>, String>;

fn outcome(result: Result<Option<Value>, EvaluationError>) -> Outcome {
    result.map_err(|error| match &error {
        EvaluationError::Thrown { code: Some(code), .. } => code.clone(),
        EvaluationError::Thrown { code: None, .. }
        | EvaluationError::Unsupported
        | EvaluationError::Exceeded(_) => error.to_string(),
    })
}

/// With the part that the expression names, and with everything.
fn both(expression: &str, data: &Value) -> Option<(Outcome, Outcome)> {
    let trial = Trial::parse(expression).ok()?;
    let variables: Map<String, Value> = [("data".to_owned(), data.clone())].into_iter().collect();
    let part = trial.evaluate(&Value::Null, &variables, (common::NOW, common::SEED), common::jsonata());
    let whole = common::evaluate_with(expression, &[("data", data.clone())]);
    Some((outcome(part), outcome(whole)))
}

/// The suite's expressions that begin with a field of the data: of `$data` instead.
fn of_the_suite() -> Vec<(String, Value)> {
    let folder = std::env::var_os("STEPWELL_CONFORMANCE").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance"),
        PathBuf::from,
    );
    let read = |name: &str| -> Option<Value> {
        serde_json::from_str(&std::fs::read_to_string(folder.join("cases").join(name)).ok()?).ok()
    };
    let (Some(suite), Some(datasets)) = (read("jsonata_suite.json"), read("jsonata_datasets.json")) else {
        println!("skipped: no conformance cases here (set STEPWELL_CONFORMANCE to their folder)");
        return Vec::new();
    };
    let cases = suite["cases"].as_array().into_iter().flatten();
    let found = cases.filter_map(|case| {
        let expression = case["expr"].as_str()?;
        let data = case.get("data").or_else(|| datasets.get(case["dataset"].as_str()?))?;
        let begins_with_field = expression.starts_with(|first: char| first.is_alphabetic() || first == '`');
        let is_word = ["function", "and", "or", "in", "true", "false", "null"]
            .iter()
            .any(|word| expression.starts_with(word));
        (begins_with_field && !is_word).then(|| (format!("$data.{expression}"), data.clone()))
    });
    found.collect()
}

#[test]
fn what_is_left_out_changes_nothing() {
    let data = json!({
        "a": {"b": [{"c": 1, "d": {"e": "x"}}, {"c": 2}], "f": null, "g": []},
        "h": "text", "i": [[1, 2], [3]], "j": {},
    });
    let own = [
        "$data.a.b.c",
        "$data.a.b[0].d.e & $data.h",
        "$data.a.f",
        "$data.a.g",
        "$data.i",
        "$data.a.b.d.%.c",
        "$data.a.b[d.e = 'x'].%.%.h",
        "$data.*",
        "$data.**.c",
        "$keys($data.a)",
        "$data.a{h: $count(b)}",
        "$data ~> |a|{'z': 1}|",
        "$data.a.b@$x.{'c': $x.c}",
        "$data.a.b#$i.$i",
        "$exists($data.j)",
        "$data.missing.b",
        "$exists($data.a.missing)",
        "($data := 1; $data)",
        "$data.a.b^(>c).c",
        "$data.(a.b.c)",
        "$data.[a, h]",
        "$data.a.b.c[]",
        "$each($data.a, function($v, $k) { $k })",
        "$lookup($data, 'h')",
        "$data.i.$[0]",
        "$sum($data.a.b.c) = $sum($data.a.b.$lookup($, 'c'))",
    ];
    let own = own.into_iter().map(|expression| (expression.to_owned(), data.clone()));
    let mut compared = 0;
    for (expression, data) in own.chain(of_the_suite()) {
        let Some((part, whole)) = both(&expression, &data) else { continue };
        assert_eq!(part, whole, "{expression}");
        compared += 1;
    }
    println!("compared {compared} expressions");
    assert!(compared > 20);
}

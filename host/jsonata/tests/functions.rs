//! The functions that Step Functions adds to JSONata, and what a value is on the way in and out.

mod common;

use common::{SEED, error, evaluate, evaluate_with, evaluation, jsonata, value};
use serde_json::{Value, json};
use std::time::Instant;
use stepwell_asl::Timestamp;
use stepwell_asl::jsonata::{EvaluationError, Evaluator};
use stepwell_jsonata::{Call, Jsonata, limits};

#[test]
fn partition() {
    assert_eq!(value("$partition([1,2,3], 2)"), json!([[1, 2], [3]]));
    assert_eq!(value("$partition([1,2,3], 5)"), json!([[1, 2, 3]]));
    assert_eq!(value("$partition([], 5)"), json!([]));
    assert_eq!(value("[1,2,3] ~> $partition(1.5)"), json!([[1, 2], [3]]));
    assert_eq!(value("$partition('a', 2)"), json!([["a"]]));
    assert_eq!(evaluate("$partition(nothing, 2)"), Ok(None));
    assert_eq!(evaluate("$partition([1], nothing)"), Ok(None));
    let signature = "does not match function signature";
    assert_eq!(
        error("$partition([1], 'a')"),
        format!("T0410: Argument 2 of function \"partition\" {signature}")
    );
    assert_eq!(error("$partition()"), format!("T0410: Argument 1 of function \"partition\" {signature}"));
    assert_eq!(
        error("$partition([1], 2, 3)"),
        format!("T0410: Argument 3 of function \"partition\" {signature}")
    );
    assert!(error("$partition([1], 0)").contains("positive integer"));
}

#[test]
fn range() {
    assert_eq!(value("$range(0, 10, 2)"), json!([0, 2, 4, 6, 8, 10]));
    assert_eq!(value("$range(3, -3, -3)"), json!([3, 0, -3]));
    assert_eq!(value("$range(1, 1, 1)"), json!([1]));
    assert_eq!(value("$range(1, 0, 1)"), json!([]));
    assert_eq!(evaluate("$range(nothing, 0, 1)"), Ok(None));
    assert!(error("$range(1, 2, 0)").contains("other than zero"));
    assert!(error("$range(1, '2', 1)").starts_with("T0410: Argument 2 of function \"range\""));
}

#[test]
fn hash() {
    for (algorithm, hash) in [
        ("MD5", "900150983cd24fb0d6963f7d28e17f72"),
        ("SHA-1", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("SHA-256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ] {
        assert_eq!(value(&format!("$hash('abc', '{algorithm}')")), json!(hash));
    }
    assert_eq!(value("$length($hash('abc', 'SHA-384')) & ' ' & $length($hash('', 'SHA-512'))"), "96 128");
    assert_eq!(evaluate("$hash(nothing, 'MD5')"), Ok(None));
    assert!(error("$hash('abc', 'MD4')").contains("must be one of MD5"));
    assert!(error("$hash(1, 'MD5')").starts_with("T0410: Argument 1"));
}

#[test]
fn parse() {
    assert_eq!(value(r#"$parse('{"a":[1.50,null]}').a[0]"#), json!(1.5));
    assert_eq!(value("$parse('null')"), Value::Null);
    assert_eq!(evaluate("$parse(nothing)"), Ok(None));
    assert!(error("$parse('{')").contains("is not JSON"));
    assert!(error("$parse(1)").starts_with("T0410: Argument 1"));
}

#[test]
fn functions_as_values() {
    assert_eq!(value("$map(['1','[2]'], $parse)"), json!([1, [2]]));
    assert_eq!(value("$map(['a'], $hash(?, 'MD5'))"), json!("0cc175b9c0f1b6a831c399e269772661"));
    assert_eq!(value("$each({'a': '1'}, $parse)"), json!(1));
    assert_eq!(value("($f := $partition; $f([1,2], 1))"), json!([[1], [2]]));
    assert_eq!(value("$count($distinct($map([1..9], $uuid)))"), json!(9));
    assert_eq!(value("'1' ~> $parse ~> $string"), json!("1"));
    assert_eq!(value("($random := function(){42}; $random())"), json!(42));
    assert_eq!(value("$map([1], $millis)"), json!(common::NOW.0));
}

#[test]
fn the_time_is_told() {
    assert_eq!(value("$now()"), json!("2026-01-02T03:04:05.678Z"));
    assert_eq!(value("$millis()"), json!(1_767_323_045_678_i64));
    assert_eq!(
        value("$now('[Y0001]-[M01]-[D01] [H01]:[m01] [z]', '+0130')"),
        json!("2026-01-02 04:34 GMT+01:30")
    );
    assert_eq!(value("$millis() = $millis() and $now() = $fromMillis($millis())"), json!(true));
    assert_eq!(value("$toMillis('13:45', '[H]:[m]') ~> $fromMillis()"), json!("2026-01-02T13:45:00.000Z"));
    assert!(error("$now(1)").starts_with("T0410"));
}

#[test]
fn chance_is_the_seeds() {
    let all = "[$random(), $uuid(), $shuffle([1..50])]";
    let with_seed = |seed| {
        let evaluation = stepwell_asl::jsonata::Evaluation { seed, ..evaluation(all, &[]) };
        jsonata().evaluate(&evaluation).unwrap().unwrap()
    };
    let first = with_seed(SEED);
    for _ in 0..20 {
        assert_eq!(with_seed(SEED), first);
    }
    assert_eq!(Jsonata::new(None).evaluate(&evaluation(all, &[])), Ok(Some(first.clone())));
    let other = with_seed(SEED + 1);
    assert!((0..3).all(|part| other[part] != first[part]), "{other} {first}");
    assert_ne!(value("[$random(), $random()]")[0], value("[$random(), $random()]")[1]);
    assert_eq!(value("$random(5) = $random(5) and $random(5) != $random(6)"), json!(true));
    assert_eq!(value("$random(5) >= 0 and $random(5) < 1"), json!(true));
    let uuid = value("$uuid()");
    let uuid = uuid.as_str().unwrap();
    assert_eq!((uuid.len(), &uuid[14..15]), (36, "4"), "{uuid}");
    assert_eq!(value("$sort($shuffle([1..50])) = [1..50]"), json!(true));
    assert!(error("$random('a')").starts_with("T0410"));
}

#[test]
fn values_keep_what_they_are() {
    assert_eq!(evaluate("nothing"), Ok(None));
    assert_eq!(evaluate("null"), Ok(Some(Value::Null)));
    assert_eq!(value("{'a': nothing, 'b': null}"), json!({"b": null}));
    assert_eq!(evaluate("$"), Ok(None));
    assert_eq!(evaluate("$$.a"), Ok(None));
}

#[test]
fn functions_are_no_values() {
    for expression in ["function($x){$x}", "$sum", "$parse", "/a/", "[1, $sum]", "{'a': [{'b': /a/}]}"] {
        assert_eq!(evaluate(expression), Err(EvaluationError::Unsupported), "{expression}");
    }
}

#[test]
fn numbers_are_exact() {
    for text in [
        "9007199254740991",
        "-9007199254740991",
        "0",
        "0.1",
        "1e21",
        "1e-7",
        "123456789012345680000",
        "0.1234567890123456",
    ] {
        let number: Value = serde_json::from_str(text).unwrap();
        let same = evaluate_with("$number", &[("number", number.clone())]).unwrap().unwrap();
        assert_eq!(same.as_f64(), number.as_f64(), "{text}");
        assert_eq!(same.is_f64(), number.is_f64(), "{text}");
    }
    assert_eq!(value("0.1 + 0.2").to_string(), "0.30000000000000004");
    assert_eq!(value("2.0 * 3").to_string(), "6");
    assert_eq!(value("-0").to_string(), "0");
    assert_eq!(error("[1e308 * 10]"), "D1001: Number out of range: inf");
    assert_eq!(value("1e20").as_f64(), Some(1e20));
}

#[test]
fn errors_have_codes() {
    let coded = |expression| match evaluate(expression) {
        Err(EvaluationError::Thrown { code: Some(code), message }) => (code, message),
        other => panic!("{expression}: {other:?}"),
    };
    assert_eq!(coded("$unknown()").0, "T1006");
    assert_eq!(coded("1 + 'a'").0, "T2002");
    assert_eq!(coded("2()"), ("T1006".to_owned(), "Attempted to invoke a non-function".to_owned()));
    assert_eq!(coded("$eval('1')").0, "T1006");
    assert_eq!(coded("$map(['1'], $eval)").0, "T1006");
    assert_eq!(coded("($f := $eval; $f('1'))").0, "T1006");
    let evaluation = evaluation("$eval('$[0]')", &[]);
    let call = Call { allow_eval: true, input: Some("[1]".to_owned()), ..Call::new(&evaluation) };
    assert_eq!(jsonata().evaluate_watched(&call, &mut || ()), Ok(Some(json!(1))));
}

#[test]
fn depth_of_values() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let most = limits::MAX_ANSWER_DEPTH as usize;
    assert!(evaluate(&nested(most)).unwrap().is_some());
    let deeper = evaluate(&nested(most + 1));
    assert!(
        matches!(&deeper, Err(EvaluationError::Exceeded(text)) if text.contains("120 levels")),
        "{deeper:?}"
    );
    // What the host reads, variables can hold, even inside another value.
    let deep: Value = serde_json::from_str(&nested(127)).unwrap();
    assert_eq!(evaluate_with("$exists($deep.a)", &[("deep", json!({ "a": deep }))]), Ok(Some(json!(true))));
}

#[test]
fn large_values() {
    let items: Vec<Value> = (0..20_000).map(|at| json!({"id": at, "name": format!("name {at}")})).collect();
    let large = json!({"items": items});
    let names = evaluate_with("$count($states.items[id % 2 = 0].name)", &[("states", large.clone())]);
    assert_eq!(names, Ok(Some(json!(10_000))));
    assert_eq!(evaluate_with("$states", &[("states", large.clone())]), Ok(Some(large)));
    let long = evaluate("$pad('', 17000000, 'x')");
    assert!(matches!(&long, Err(EvaluationError::Exceeded(text)) if text.contains("16 MiB")), "{long:?}");
}

#[test]
fn a_slow_evaluation_is_told_again_and_again() {
    let watched = |expression: &str| {
        let mut times = 0;
        let evaluation = evaluation(expression, &[]);
        let call = Call::new(&evaluation);
        let value = jsonata().evaluate_watched(&call, &mut || times += 1);
        (value, times)
    };
    jsonata().warm().unwrap();
    // Far less than a millisecond, but somebody else may take the processor from this thread.
    assert!((0..5).any(|_| watched("1 + 1") == (Ok(Some(json!(2))), 0)));
    let (value, times) = watched("($f := function($n){$f($n + 1)}; $f(0))");
    assert!(matches!(value, Err(EvaluationError::Exceeded(_))) && times > 10, "{value:?} {times}");
}

#[test]
fn any_cache_will_do() {
    let directory = tempfile::tempdir().unwrap();
    let cached = || Jsonata::new(Some(directory.path().to_owned())).evaluate(&evaluation("1", &[]));
    assert_eq!(cached(), Ok(Some(json!(1))));
    let file = std::fs::read_dir(directory.path().join("compiled")).unwrap().next().unwrap().unwrap().path();
    std::fs::write(&file, b"damaged").unwrap();
    assert_eq!(cached(), Ok(Some(json!(1))));
    assert!(std::fs::metadata(&file).unwrap().len() > 1_000_000);
    let no_directory = Jsonata::new(Some(file));
    assert_eq!(no_directory.evaluate(&evaluation("1", &[])), Ok(Some(json!(1))));
}

#[test]
fn a_program_that_does_not_compile_is_as_good_as_none() {
    for program in ["/no/such/program", "/bin/false", "/bin/true"] {
        let directory = tempfile::tempdir().unwrap();
        let jsonata = Jsonata::new(Some(directory.path().to_owned())).compiled_by(program.into());
        assert_eq!(jsonata.evaluate(&evaluation("1", &[])), Ok(Some(json!(1))), "{program}");
    }
}

#[test]
fn threads_share_an_evaluator() {
    std::thread::scope(|scope| {
        for thread in 0..8_i64 {
            scope.spawn(move || {
                for round in 0..200_i64 {
                    let numbers = [("a", json!(thread)), ("b", json!(round))];
                    let sum = evaluate_with("$a * 1000 + $b", &numbers);
                    assert_eq!(sum, Ok(Some(json!(thread * 1000 + round))));
                }
            });
        }
    });
}

#[test]
fn calls_are_fast() {
    jsonata().warm().unwrap();
    let states = json!({"input": {"items": [{"price": 3}, {"price": 4}], "name": "order"}});
    let evaluation = evaluation(
        "{'sum': $sum($states.input.items.price), 'for': $states.input.name}",
        &[("states", states)],
    );
    let started = Instant::now();
    for _ in 0..5_000 {
        assert_eq!(jsonata().evaluate(&evaluation), Ok(Some(json!({"sum": 7, "for": "order"}))));
    }
    println!("{:?} a call", started.elapsed() / 5_000);
    let other = stepwell_asl::jsonata::Evaluation { now: Timestamp(0), ..evaluation };
    assert!(jsonata().evaluate(&other).is_ok());
}

//! Tests of the intrinsic functions: tables, hostile texts, and two suites from outside the repository, which are
//! skipped with a message where they are absent: executions recorded on AWS, and another project's unit cases.
//!
//! Longer than other files because most of it is tables.

use super::{Argument, IntrinsicCall};
use crate::context_object::ContextObject;
use crate::event::{Event, EventKind};
use crate::execution::{BranchId, Execution, ExecutionContext};
use crate::jsonata::NoEvaluator;
use crate::limits::{self, Quotas};
use crate::states_error::StatesError;
use crate::timestamp::Timestamp;
use crate::{StateMachine, step};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::path::PathBuf;

const FAILURE: &str = "States.IntrinsicFailure";

/// An execution that stands in a state: `seed` seeds its random choices.
fn execution(seed: u64, machine_name: &str) -> Execution {
    let definition = r#"{"StartAt": "S", "States": {"S": {"Type": "Wait", "Seconds": 9, "End": true}}}"#;
    let machine = StateMachine::parse(definition).unwrap();
    let at = Timestamp::parse("2026-01-02T03:04:05Z").unwrap();
    let context = ExecutionContext {
        execution_arn: "arn:aws:states:us-east-1:123456789012:execution:m:e".to_owned(),
        execution_name: "e".to_owned(),
        role_arn: "arn:aws:iam::123456789012:role/r".to_owned(),
        state_machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:m".to_owned(),
        state_machine_name: machine_name.to_owned(),
        region: "us-east-1".to_owned(),
        start_time: at,
        seed,
        quotas: Quotas::default(),
        version: None,
        alias: None,
        test_case: None,
        token_key: crate::TokenKey::default(),
        starter: None,
    };
    step(&machine, Execution::new(context, json!({})), Event { at, kind: EventKind::Start }, &NoEvaluator)
        .execution
}

fn evaluate_in(execution: &Execution, text: &str, input: &Value) -> Result<Value, StatesError> {
    let branch = &execution.branches[&BranchId::ROOT];
    let context = ContextObject::new(execution, BranchId::ROOT, branch, None);
    IntrinsicCall::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).evaluate(input, &context)
}

fn evaluate(text: &str, input: &Value) -> Result<Value, StatesError> {
    evaluate_in(&execution(1, "m"), text, input)
}

/// Checks values of calls that read `input`.
fn check(input: &Value, table: &[(&str, Value)]) {
    for (text, expected) in table {
        assert_eq!(evaluate(text, input).as_ref(), Ok(expected), "{text}");
    }
}

/// Checks that calls fail as intrinsic functions do, with these words in the cause.
fn check_failures(input: &Value, table: &[(&str, &str)]) {
    for (text, words) in table {
        let error = evaluate(text, input).expect_err(text);
        assert_eq!(error.error.as_deref(), Some(FAILURE), "{text}");
        let cause = error.cause.unwrap_or_default();
        assert!(cause.contains(words), "{text}: {cause}");
    }
}

#[test]
fn reads_every_kind_of_argument() {
    let input = json!({"a": {"b": [1, 2, 3]}, "k,)'": 5, "list": [{"n": 1, "t": "x"}, {"n": 2, "t": "y)"}]});
    check(
        &input,
        &[
            ("States.Array()", json!([])),
            ("States.Array( )", json!([])),
            (
                "States.Array(1, -2,3.5 , 1e2,\ttrue,false, null)\n",
                json!([1, -2, 3.5, 100.0, true, false, null]),
            ),
            ("States.Array(9223372036854775807, -9223372036854775808)", json!([i64::MAX, i64::MIN])),
            ("States.Array(-0)", json!([0])),
            ("States.Array('', 'a, b)', 'é😀')", json!(["", "a, b)", "é😀"])),
            (r"States.Array('\'', '\{\}', '\\', '\\\'')", json!(["'", "{}", "\\", "\\'"])),
            ("States.Array('a\nb')", json!(["a\nb"])),
            ("States.Array($)", json!([input])),
            ("States.Array($.a.b[1], $['a']['b'][0])", json!([2, 1])),
            ("States.Array($['k,)\\''])", json!([5])),
            ("States.Array($.list[?(@.t == 'y)')].n, $.list[0,1].n)", json!([[2], [1, 2]])),
            ("States.Array($.list[?(@.t =~ /[)],?y.*|y[)]/)].n)", json!([[2]])),
            ("States.Array($..nothing, $.nothing[*])", json!([[], []])),
            ("States.Array($$.State.Name)", json!(["S"])),
            ("States.Array(States.Array(States.Array()))", json!([[[]]])),
        ],
    );
}

#[test]
fn refuses_what_is_no_call() {
    let deep = "States.Array(".repeat(limits::INTRINSIC_DEPTH + 1) + &")".repeat(limits::INTRINSIC_DEPTH + 1);
    let wide = format!("States.Array({}1)", "1,".repeat(limits::INTRINSIC_ARGUMENTS));
    for text in [
        "",
        "States",
        "States.Array",
        "States.Array(",
        "States.Array)",
        "States.Array (1)",
        " States.Array(1)",
        "States.Array(1,)",
        "States.Array(,1)",
        "States.Array(1 2)",
        "States.Array(1))",
        "States.Array()x",
        "States.Array()[0]",
        "States.array()",
        "states.Array()",
        "States.Nothing()",
        "States.Array(1.)",
        "States.Array(01)",
        "States.Array(+1)",
        "States.Array(1e999)",
        "States.Array(True)",
        "States.Array(nothing)",
        "States.Array(\"a\")",
        "States.Array([1])",
        "States.Array({})",
        "States.Array('a)",
        "States.Array('a\\')",
        "States.Array('a\\",
        r"States.Array('a\n')",
        r#"States.Array('a\"b')"#,
        "States.Array($.)",
        "States.Array($.a[)",
        "States.Array($.a b)",
        "States.UUID(1)",
        "States.Format()",
        "States.ArrayLength()",
        "States.ArrayLength($, $)",
        "States.MathRandom(1)",
        "States.MathRandom(1, 2, 3, 4)",
        "States.JsonMerge($, $)",
        "States.MathAdd(1, '1')",
        "States.MathAdd(null, 1)",
        "States.ArrayGetItem($, 'a')",
        "States.ArrayPartition($, true)",
        &deep,
        &wide,
    ] {
        assert!(IntrinsicCall::parse(text).is_err(), "{text}");
    }
    for function in super::function::Function::ALL {
        assert_eq!(super::function::Function::from_name(function.name()), Some(function));
    }
}

#[test]
fn says_what_is_wrong_with_a_text() {
    for (text, message) in [
        ("States.Nothing()", "There is no intrinsic function 'States.Nothing'"),
        ("States.MathAdd(1)", "States.MathAdd takes 2 arguments, but 1 are given"),
        ("States.MathRandom(1)", "States.MathRandom takes 2 to 3 arguments, but 1 are given"),
        ("States.MathAdd(1,'-1')", "Argument 2 of States.MathAdd must be a number or a path"),
        (r#"States.Array('\"')"#, "There is no escape '\\\"' in strings"),
        ("States.Array(1", "The call ends where ',' is expected"),
        ("States.Array(1; 2)", "Expected ',', but found '; 2)'"),
    ] {
        assert_eq!(IntrinsicCall::parse(text).unwrap_err().to_string(), message);
    }
}

#[test]
fn keeps_the_text_and_lists_the_paths() {
    let text = "States.Format('{}', States.Array($.a, $$.Execution.Id), $..b[?(@.c == 'd,e')], 1)";
    let call = IntrinsicCall::parse(text).unwrap();
    assert_eq!(call.as_str(), text);
    let paths: Vec<&str> = call.paths().map(super::QueryPath::as_str).collect();
    assert_eq!(paths, ["$.a", "$$.Execution.Id", "$..b[?(@.c == 'd,e')]"]);
    assert!(matches!(call.call.arguments.first(), Some(Argument::Text { .. })));
}

#[test]
fn a_path_that_leads_nowhere_is_a_runtime_error() {
    let error = evaluate("States.Format('{}', $.b)", &json!({"a": 1})).unwrap_err();
    assert_eq!(
        error,
        StatesError::runtime(
            "The function 'States.Format('{}', $.b)' had the following error: The JsonPath argument for the \
             field '$.b' could not be found in the input '{\"a\":1}'"
        )
    );
}

#[test]
fn arrays() {
    let input = json!({"a": [1, 2, 3, 4, 5], "n": [[1], {"a": 1, "b": 2}, null, 1.0], "o": {"b": 2, "a": 1}});
    check(
        &input,
        &[
            ("States.ArrayPartition($.a, 2)", json!([[1, 2], [3, 4], [5]])),
            ("States.ArrayPartition($.a, 2.5)", json!([[1, 2, 3], [4, 5]])),
            ("States.ArrayPartition($.a, 9223372036854775807)", json!([[1, 2, 3, 4, 5]])),
            ("States.ArrayContains($.n, $.o)", json!(true)),
            ("States.ArrayContains($.n, null)", json!(true)),
            ("States.ArrayContains($.n, 1)", json!(false)),
            ("States.ArrayRange(1, 9, 2)", json!([1, 3, 5, 7, 9])),
            ("States.ArrayRange(1.5, -1.5, -1)", json!([2, 1, 0, -1])),
            ("States.ArrayRange(9, 1, 2)", json!([])),
            ("States.ArrayRange(9223372036854775806, 9223372036854775807, 2)", json!([i64::MAX - 1])),
            ("States.ArrayLength(States.ArrayRange(1, 1000, 1))", json!(1000)),
            ("States.ArrayGetItem($.a, 4)", json!(5)),
            (
                "States.ArrayUnique(States.Array(2, 1, 2, '1', 1.0, $.o, States.Array(), States.Array()))",
                json!([2, 1, "1", 1.0, {"a": 1, "b": 2}, []]),
            ),
        ],
    );
    check_failures(
        &input,
        &[
            (
                "States.ArrayPartition($.a, 0)",
                "States.ArrayPartition: argument 2 must be a positive integer, but was: 0",
            ),
            ("States.ArrayPartition($.o, 1)", "argument 1 must be an array, but was: {\"b\":2,\"a\":1}"),
            ("States.ArrayContains('a', 'a')", "argument 1 must be an array"),
            ("States.ArrayRange(1, 9, 0)", "argument 3 must be an integer other than zero, but was: 0"),
            ("States.ArrayRange(0, 1000, 1)", "more than 1000 items"),
            ("States.ArrayRange(1, $.o, 1)", "argument 2 must be an integer"),
            (
                "States.ArrayGetItem($.a, 5)",
                "argument 2 must be an index of the array, which has 5 elements, but was: 5",
            ),
            ("States.ArrayGetItem($.a, -1)", "argument 2 must be an index"),
            ("States.ArrayLength('abc')", "argument 1 must be an array, but was: \"abc\""),
            ("States.ArrayUnique(1)", "argument 1 must be an array"),
        ],
    );
}

#[test]
fn numbers() {
    check(
        &json!({"big": 9.3e18, "half": 0.499_999_999_999_999_94}),
        &[
            ("States.MathAdd(1.49, 1.5)", json!(3)),
            ("States.MathAdd(-1.5, 0)", json!(-1)),
            ("States.MathAdd(-1.51, 0)", json!(-2)),
            ("States.MathAdd($.half, 0)", json!(0)),
            ("States.MathAdd(2147483647, 2147483647)", json!(4_294_967_294_i64)),
        ],
    );
    check_failures(
        &json!({"big": 9.3e18, "text": "1"}),
        &[
            ("States.MathAdd($.big, 0)", "argument 1 must be an integer"),
            ("States.MathAdd(1, $.text)", "argument 2 must be an integer, but was: \"1\""),
            ("States.MathAdd(1, 2147483648)", "argument 2 must be between -2147483648 and 2147483647"),
            ("States.MathRandom(1, 1)", "argument 2 must be greater than the start 1, but was: 1"),
            ("States.MathRandom(1, 9, $.text)", "argument 3 must be an integer"),
        ],
    );
}

#[test]
fn random_numbers_depend_on_seeds_only() {
    let none = json!({});
    let (one, same, other) = (execution(1, "m"), execution(1, "m"), execution(2, "m"));
    for text in ["States.UUID()", "States.MathRandom(0, 1000000000)"] {
        assert_eq!(evaluate_in(&one, text, &none), evaluate_in(&same, text, &none));
        assert_ne!(evaluate_in(&one, text, &none), evaluate_in(&other, text, &none));
    }
    let seeded = "States.MathRandom(0, 1000000000, 7)";
    assert_eq!(evaluate_in(&one, seeded, &none), evaluate_in(&other, seeded, &none));
    let twice = evaluate("States.ArrayUnique(States.Array(States.UUID(), States.UUID()))", &none).unwrap();
    assert_eq!(twice.as_array().map(Vec::len), Some(2));
    for seed in 0..200 {
        let execution = execution(seed, "m");
        let number = evaluate_in(&execution, "States.MathRandom(-1, 2)", &none).unwrap();
        assert!((-1..2).contains(&number.as_i64().unwrap()));
        let uuid = evaluate_in(&execution, "States.UUID()", &none).unwrap();
        let uuid = uuid.as_str().unwrap().to_owned();
        let places: Vec<usize> = uuid.match_indices('-').map(|(at, _)| at).collect();
        assert_eq!((uuid.len(), places), (36, vec![8, 13, 18, 23]), "{uuid}");
        assert_eq!(&uuid[14..15], "4", "{uuid}");
        assert!("89ab".contains(&uuid[19..20]), "{uuid}");
    }
}

#[test]
fn texts() {
    let input = json!({"t": "This.is+a,test=string", "d": ".+,=", "x": "{\"a\":1}", "b": "\\{{}\\} C:\\x"});
    check(
        &input,
        &[
            ("States.StringSplit($.t, $.d)", json!(["This", "is", "a", "test", "string"])),
            ("States.StringSplit(',a,,b,', ',')", json!(["a", "b"])),
            ("States.StringSplit('', ',')", json!([])),
            ("States.StringSplit('abc', '')", json!(["abc"])),
            ("States.StringSplit('a.b', '.')", json!(["a", "b"])),
            ("States.Format('a{}b', 1)", json!("a1b")),
            (r"States.Format('\{{}\} \'\\', 1)", json!(r"{1} '\")),
            ("States.Format('{} {} {}', true, null, 1.5)", json!("true null 1.5")),
            ("States.Format('{} {} {}', 1e10, 1.0, 1e-7)", json!("1.0E10 1.0 1.0E-7")),
            ("States.Format($.b, 1)", json!("{1} C:\\x")),
            ("States.Format('{}', '{}')", json!("{}")),
            (
                "States.Format('{}', States.Array('a', 1, States.Array(), $.x))",
                json!("[a, 1, [], {\"a\":1}]"),
            ),
            (
                "States.Format('{}', States.StringToJson('{\"a\":{\"b\":null},\"c\":\"d\"}'))",
                json!("{a={b=null}, c=d}"),
            ),
        ],
    );
    check_failures(
        &input,
        &[
            (
                "States.Format('{}')",
                "States.Format: the template has 1 occurrences of {}, but 0 values are given",
            ),
            ("States.Format('a', 1)", "0 occurrences"),
            ("States.Format(1)", "argument 1 must be a string, but was: 1"),
            ("States.Format('{a}', 1)", "Invalid template in States.Format: matching '}' not found for '{'."),
            (r"States.Format('{} \\{', 1)", "matching '}' not found for '{'."),
            ("States.Format('}')", "matching '{' not found for '}'."),
            ("States.StringSplit(1, ',')", "argument 1 must be a string"),
        ],
    );
}

#[test]
fn json_texts() {
    let input = json!({"a": {"x": {"p": 1}, "y": 2}, "b": {"z": 3, "x": {"q": 4}}});
    check(
        &input,
        &[
            ("States.StringToJson('  ')", json!(null)),
            ("States.StringToJson('-0')", json!(0)),
            (
                "States.StringToJson('[-0, \"-0\", \"\\\\\"-0\", -1, 1e-0]')",
                json!([0, "-0", "\"-0", -1, 1.0]),
            ),
            ("States.StringToJson('9007199254740993')", json!(9_007_199_254_740_993_i64)),
            (
                "States.JsonToString(States.StringToJson('{\"b\": 1, \"a\": [1.10, \"ü\"]}'))",
                json!("{\"b\":1,\"a\":[1.1,\"ü\"]}"),
            ),
            ("States.JsonMerge($.a, $.b, false)", json!({"x": {"q": 4}, "y": 2, "z": 3})),
        ],
    );
    let merged = evaluate("States.JsonToString(States.JsonMerge($.a, $.b, false))", &input);
    assert_eq!(merged, Ok(json!("{\"x\":{\"q\":4},\"y\":2,\"z\":3}")));
    check_failures(
        &input,
        &[
            ("States.StringToJson('{')", "argument 1 must be a JSON text (EOF while parsing an object"),
            ("States.StringToJson('1 2')", "argument 1 must be a JSON text"),
            ("States.StringToJson('-01')", "argument 1 must be a JSON text"),
            ("States.StringToJson(1)", "argument 1 must be a string"),
            ("States.JsonMerge($.a, $.b, true)", "argument 3 must be false"),
            ("States.JsonMerge($.a, null, false)", "argument 2 must be an object, but was: null"),
        ],
    );
}

#[test]
fn encodings() {
    let longest = "é".repeat(limits::INTRINSIC_TEXT_CHARACTERS);
    let input = json!({"longest": longest, "longer": format!("{longest}é"), "o": {"foo": "bar"}});
    check(
        &input,
        &[
            ("States.Base64Encode('Data to encode')", json!("RGF0YSB0byBlbmNvZGU=")),
            ("States.Base64Decode('RGF0YSB0byBlbmNvZGU=')", json!("Data to encode")),
            ("States.Base64Decode('RGF0YSB0\r\nbyBlbmNvZGU')", json!("Data to encode")),
            ("States.Hash('input data', 'MD5')", json!("812f45842bc6d66ee14572ce20db8e86")),
            ("States.Hash('input data', 'SHA-1')", json!("aaff4a450a104cd177d28d18d74485e8cae074b7")),
            (
                "States.Hash('', 'SHA-256')",
                json!("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ),
            ("States.Hash($.o, 'SHA-1')", json!("a5e744d0164540d33b1d7ea616c28f2fa97e754a")),
        ],
    );
    assert!(evaluate("States.Base64Encode($.longest)", &input).is_ok());
    check_failures(
        &input,
        &[
            ("States.Base64Encode($.longer)", "argument 1 must have at most 10000 characters"),
            ("States.Hash($.longer, 'MD5')", "argument 1 must have at most 10000 characters"),
            ("States.Base64Decode('*')", "argument 1 must be a text in Base64"),
            ("States.Base64Decode('/w==')", "argument 1 must be the Base64 of a text in UTF-8"),
            ("States.Hash('a', 'sha1')", "argument 2 must be one of [MD5, SHA-1, SHA-256, SHA-384, SHA-512]"),
            ("States.Hash(null, 'MD5')", "argument 1 must be data to hash, but was: null"),
        ],
    );
}

#[test]
fn values_of_one_call_have_a_bound() {
    let quoted = json!({"a": "\"".repeat(200_000)});
    let many = format!("States.Array({})", vec!["$"; 60].join(","));
    let nested = "States.JsonToString(".repeat(9) + "$" + &")".repeat(9);
    let table = [(many.as_str(), "too large"), (nested.as_str(), "too large")];
    check_failures(&quoted, &table);
    let mut deep = json!(1);
    for _ in 0..limits::INTRINSIC_VALUE_DEPTH {
        deep = Value::Array(vec![deep]);
    }
    check_failures(&deep, &[("States.Array($)", "nested too deeply")]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(text in "(States\\.(Array|Format|MathAdd|StringSplit|StringToJson|Hash)\\()?[\\PC\\\\'{}\\[\\]()$.,/~?@\"0-9e-]{0,40}\\)?") {
        if let Ok(call) = IntrinsicCall::parse(&text) {
            let execution = execution(1, "m");
            let context = ContextObject::new(&execution, BranchId::ROOT, &execution.branches[&BranchId::ROOT], None);
            let _ = call.evaluate(&json!({"a": [1, "b"]}), &context);
        }
    }

    #[test]
    fn strings_come_through(text in "\\PC{0,30}") {
        let written: String = text
            .chars()
            .flat_map(|character| {
                let escape = matches!(character, '\'' | '{' | '}' | '\\').then_some('\\');
                escape.into_iter().chain([character])
            })
            .collect();
        let call = format!("States.Array('{written}', States.Format('{written}'))");
        prop_assert_eq!(evaluate(&call, &json!({})), Ok(json!([text, text])));
    }

    #[test]
    fn json_survives_its_text(numbers in proptest::collection::vec(any::<i64>(), 0..5), text in "\\PC{0,10}") {
        let value = json!({"n": numbers, "t": text});
        prop_assert_eq!(evaluate("States.StringToJson(States.JsonToString($))", &value), Ok(value.clone()));
    }
}

/// A suite from outside the repository, found as `tests/jsonpath_conformance.rs` finds its own.
fn suite(name: &str) -> Option<Vec<Value>> {
    let folder = std::env::var_os("STEPWELL_CONFORMANCE").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance"),
        PathBuf::from,
    );
    let Ok(text) = std::fs::read_to_string(folder.join("cases").join(name)) else {
        println!("SKIPPED: no conformance cases here (set STEPWELL_CONFORMANCE to their folder)");
        return None;
    };
    let suite: Value = serde_json::from_str(&text).unwrap();
    suite["cases"].as_array().cloned()
}

/// How many unit cases have to pass. This number only grows.
const UNIT_CASES_AT_LEAST: usize = 86;

/// Unit cases that contradict AWS, by the end of their names, with the reason.
const CONTRADICTED: [(&str, &str); 6] = [
    (
        "StringToJson/with jsonpath with true#21",
        "'True' is not JSON, and null for a blank text is the only leniency recorded",
    ),
    ("StringToJson/with jsonpath with false#22", "'False' is not JSON"),
    ("JsonToString/with jsonpath with false#41", "'true' is recorded for true"),
    (
        "Format/with different types of args#6",
        "expects 'True' where Java, whose notation is recorded, prints 'true'",
    ),
    ("Format/with a template with escaped placeholders#3", BRACE),
    ("Format/with a template with various escaped characters#5", BRACE),
];
const BRACE: &str = "two backslashes and a brace are a backslash and a bare brace (Developer Guide, \"Reserved \
    characters\"), and AWS refuses a bare brace when it runs: see aws/aws-cdk issue 29261";

#[test]
fn unit_cases_of_another_project() {
    let Some(cases) = suite("intrinsic_unit.json") else { return };
    let (mut passed, mut unexplained) = (0, Vec::new());
    for case in &cases {
        let text = case["expression"].as_str().unwrap();
        let execution = execution(1, "m");
        let branch = &execution.branches[&BranchId::ROOT];
        let context = ContextObject::new(&execution, BranchId::ROOT, branch, None);
        let result = IntrinsicCall::parse(text)
            .map_err(|error| error.to_string())
            .and_then(|call| call.evaluate(&case["input"], &context).map_err(|error| format!("{error:?}")));
        if case.get("expected") == result.as_ref().ok() {
            passed += 1;
            continue;
        }
        let name = case["name"].as_str().unwrap();
        let reason = CONTRADICTED.iter().find(|(end, _)| name.ends_with(end)).map(|(_, reason)| reason);
        println!("FAILED {name}: {text}\n  expected {}\n  got {result:?}\n  {reason:?}", case["expected"]);
        if reason.is_none() {
            unexplained.push(name);
        }
    }
    println!("intrinsic unit cases: {passed} of {} passed", cases.len());
    assert!(passed >= UNIT_CASES_AT_LEAST, "{passed} cases passed");
    assert_eq!(unexplained, Vec::<&str>::new());
}

/// Whether `actual` is what was recorded, where `<...>` stands for a text that differs between runs.
fn as_recorded(recorded: &Value, actual: &Value) -> bool {
    match (recorded, actual) {
        (Value::String(recorded), Value::String(actual)) => {
            recorded == actual || recorded.starts_with('<') && recorded.ends_with('>')
        }
        (Value::Object(recorded), Value::Object(actual)) => {
            recorded.len() == actual.len()
                && recorded
                    .iter()
                    .all(|(name, value)| actual.get(name).is_some_and(|actual| as_recorded(value, actual)))
        }
        _ => recorded == actual,
    }
}

#[test]
fn calls_recorded_on_aws() {
    let Some(cases) = suite("intrinsic.json") else { return };
    let mut failed = 0;
    for case in &cases {
        let definition = &case["definition"];
        let start = definition["StartAt"].as_str().unwrap();
        let input: Value = serde_json::from_str(case["input"].as_str().unwrap()).unwrap();
        let execution = execution(1, case["state_machine_name"].as_str().unwrap_or("m"));
        let mut output = json!({});
        for (field, text) in definition["States"][start]["Parameters"].as_object().unwrap() {
            let value = evaluate_in(&execution, text.as_str().unwrap(), &input);
            output[field.trim_end_matches(".$")] = value.unwrap_or_else(|error| json!(format!("{error:?}")));
        }
        if !as_recorded(&case["expected"]["output"], &output) {
            failed += 1;
            println!("FAILED {}\n  expected {}\n  got {output}", case["name"], case["expected"]["output"]);
        }
    }
    println!("recorded intrinsic calls: {} of {} passed", cases.len() - failed, cases.len());
    assert_eq!(failed, 0);
}

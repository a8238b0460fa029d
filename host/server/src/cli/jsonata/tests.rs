//! Tests of `stepwell jsonata` against scripted answers.

use clap::Parser as _;
use serde_json::json;

use super::super::Cli;
use super::super::test_responder::Responder;
use super::super::test_support::run;
use super::excerpt;

/// A file that lives as long as the returned directory.
fn file(text: &str) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    std::fs::write(&path, text).unwrap();
    (directory, path.to_str().unwrap().to_owned())
}

#[test]
fn files_are_sent_where_they_belong() {
    let (_first, number) = file("{\"a\": 1.10}\n");
    let (_second, object) = file("{\"b\":2}");
    let answers = [(200, r#"{"valid":true,"variables":[],"value":{"x":[1]}}"#); 2];
    let responder = Responder::start(answers);
    let ran = run(&responder.endpoint, &["jsonata", "1 ", "--input", &number, "--variables", &object]);
    assert_eq!((ran.standard.as_str(), ran.code), ("{\n  \"x\": [\n    1\n  ]\n}\n", 0));
    assert_eq!(ran.diagnostic, "");
    run(&responder.endpoint, &["jsonata", "--file", &object, "--states", &number, "--check"]);
    let requests = responder.requests();
    assert_eq!(requests[0].line, "POST /jsonata HTTP/1.1");
    assert_eq!(requests[0].header("content-type"), Some("application/json"));
    let expected = json!({
        "expression": "1", "evaluate": true, "states": {"input": {"a": 1.1}}, "variables": {"b": 2}
    });
    assert_eq!(requests[0].json(), expected);
    assert!(String::from_utf8_lossy(&requests[0].body).contains("1.10"), "numbers stay as they are written");
    let expected = json!({"expression": "{\"b\":2}", "evaluate": false, "states": {"a": 1.1}});
    assert_eq!(requests[1].json(), expected);
}

#[test]
fn json_output_is_the_servers_answer() {
    let text = r#"{"valid":true,"variables":["states"],"warning":"w","undefined":true}"#;
    let responder = Responder::start([(200, text)]);
    let ran = run(&responder.endpoint, &["jsonata", "b", "--json"]);
    let printed: serde_json::Value = serde_json::from_str(&ran.standard).unwrap();
    assert_eq!(printed, serde_json::from_str::<serde_json::Value>(text).unwrap());
    assert_eq!(ran.code, 1);
    assert!(ran.diagnostic.starts_with("warning: w\nerror: "), "{}", ran.diagnostic);
}

#[test]
fn null_is_a_value_and_undefined_is_none() {
    let responder = Responder::start([
        (200, r#"{"valid":true,"variables":[],"value":null}"#),
        (200, r#"{"valid":true,"variables":[],"undefined":true}"#),
        (200, r#"{"valid":true,"variables":["states"],"undefined":true}"#),
    ]);
    let ran = run(&responder.endpoint, &["jsonata", "null"]);
    assert_eq!((ran.standard.as_str(), ran.diagnostic.as_str(), ran.code), ("null\n", "", 0));
    let ran = run(&responder.endpoint, &["jsonata", "$x"]);
    assert_eq!((ran.standard.as_str(), ran.code), ("", 1));
    assert_eq!(ran.diagnostic, "error: the expression gives nothing (undefined)\n");
    let ran = run(&responder.endpoint, &["jsonata", "$states.input.a"]);
    assert!(ran.diagnostic.ends_with("hint: it reads $states: give the state's input with --input FILE\n"));
}

#[test]
fn what_was_parsed_is_told() {
    let responder = Responder::start([
        (200, r#"{"valid":true,"variables":["rate","states"],"warning":"w\u001b"}"#),
        (200, r#"{"valid":true,"variables":[]}"#),
    ]);
    let ran = run(&responder.endpoint, &["jsonata", "--check", "a"]);
    assert_eq!((ran.standard.as_str(), ran.code), ("OK, reads $rate, $states\n", 0));
    assert_eq!(ran.diagnostic, "warning: w\\u{1b}\n");
    assert_eq!(run(&responder.endpoint, &["jsonata", "--check", "1"]).standard, "OK\n");
}

#[test]
fn errors_are_shown_with_their_place() {
    let syntax =
        r#"{"valid":false,"error":{"code":"S0202","message":"Expected \")\", got \"]\"","position":21}}"#;
    let thrown = r#"{"valid":true,"variables":[],"error":{"code":"T2001","message":"Left"}}"#;
    let exceeded = r#"{"valid":true,"variables":[],"error":{"message":"too long"}}"#;
    let responder = Responder::start([(200, syntax), (200, thrown), (200, exceeded)]);
    let ran = run(&responder.endpoint, &["jsonata", "$sum($states.input.a]"]);
    let expected = "\
error: S0202: Expected \")\", got \"]\"
  $sum($states.input.a]
                      ^
";
    assert_eq!((ran.diagnostic.as_str(), ran.code), (expected, 1));
    let ran = run(&responder.endpoint, &["jsonata", "'a' + 1"]);
    assert_eq!((ran.diagnostic.as_str(), ran.standard.as_str(), ran.code), ("error: T2001: Left\n", "", 1));
    assert_eq!(run(&responder.endpoint, &["jsonata", "1"]).diagnostic, "error: too long\n");
}

#[test]
fn an_excerpt_is_one_line_and_its_caret_stands_at_the_place() {
    let error = |code: &str, position: usize| json!({"code": code, "message": "m", "position": position});
    for (expression, code, position, expected) in [
        ("1 2", "S0201", 3, "\n  1 2\n    ^"),
        ("1 +", "S0207", 3, "\n  1 +\n     ^"),
        ("ä ö", "S0201", 3, "\n  ä ö\n    ^"),
        ("", "S0207", 0, ""),
        ("$eval('1')", "", 0, ""),
        ("(\n\t1 2;\n3)", "S0201", 6, " (line 2)\n   1 2;\n     ^"),
        ("(1;\r\n2", "S0203", 6, " (line 2)\n  2\n   ^"),
        // A position beyond the text, from a server of another version.
        ("1", "S0207", 9, "\n  1\n   ^"),
        ("1\n2", "S0201", 2, " (line 1)\n  1\n   ^"),
    ] {
        assert_eq!(excerpt(expression, &error(code, position)), expected, "{expression:?}");
    }
    let long = format!("{}]{}", "a".repeat(500), "b".repeat(500));
    let shown = excerpt(&long, &error("S0202", 501));
    let expected = format!("\n  …{}]{}…\n  {}^", "a".repeat(60), "b".repeat(59), " ".repeat(61));
    assert_eq!(shown, expected);
    assert_eq!(excerpt("1", &json!({"message": "m"})), "");
}

#[test]
fn mistakes_are_found_before_anything_is_sent() {
    let responder = Responder::start([]);
    let (_directory, broken) = file("{\"a\": }");
    let ran = run(&responder.endpoint, &["jsonata", "1", "--input", &broken]);
    assert_eq!((ran.code, ran.diagnostic), (2, format!("error: {broken}:1:7: not JSON: expected value\n")));
    for twice in [
        ["--file", "-", "--input", "-"],
        ["1", "--states=-", "--variables", "-"],
        ["-", "--variables=-", "--color", "never"],
    ] {
        let line = ["jsonata"].into_iter().chain(twice).collect::<Vec<_>>();
        let ran = run(&responder.endpoint, &line);
        assert_eq!(ran.code, 2, "{twice:?}");
        assert!(ran.diagnostic.contains("standard input can be read only once"), "{}", ran.diagnostic);
    }
    assert!(responder.requests().is_empty());
    for wrong in
        [&["jsonata"][..], &["jsonata", "1", "--file", "f"], &["jsonata", "1", "--input=a", "--states=b"]]
    {
        let parsed = Cli::try_parse_from(["stepwell"].iter().chain(wrong));
        assert_eq!(parsed.expect_err(&format!("{wrong:?}")).exit_code(), 2);
    }
}

#[test]
fn a_refusal_is_no_verdict_on_the_expression() {
    let body = r#"{"__type":"com.amazon.coral.validate#ValidationException","message":"1 validation error"}"#;
    let responder = Responder::start([(400, body)]);
    let ran = run(&responder.endpoint, &["jsonata", "1"]);
    assert_eq!((ran.diagnostic.as_str(), ran.code), ("error: ValidationException: 1 validation error\n", 3));
}

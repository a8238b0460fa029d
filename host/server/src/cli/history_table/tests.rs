//! Tests of the history table, on events as the API sends them.

use serde_json::{Value, json};

use super::super::output::Output;
use super::{block, pretty, print};

/// Base of the timestamps: 2026-11-22 16:32:28 UTC.
const START: f64 = 1_795_365_148.0;

/// An event; `details` is its details member, or null.
fn event(id: u64, previous: u64, offset: f64, r#type: &str, details: &Value) -> Value {
    let mut event =
        json!({"timestamp": START + offset, "type": r#type, "id": id, "previousEventId": previous});
    let member = match r#type {
        entered if entered.ends_with("StateEntered") => "stateEnteredEventDetails".to_owned(),
        exited if exited.ends_with("StateExited") => "stateExitedEventDetails".to_owned(),
        other => format!("{}{}EventDetails", other[..1].to_lowercase(), &other[1..]),
    };
    if !details.is_null() {
        event[member] = details.clone();
    }
    event
}

fn failed_order() -> Vec<Value> {
    vec![
        event(
            1,
            0,
            0.0,
            "ExecutionStarted",
            &json!({"input": "{\"id\":7}", "inputDetails": {"truncated": false},
            "roleArn": "arn:aws:iam::1:role/x"}),
        ),
        event(2, 0, 0.001, "TaskStateEntered", &json!({"name": "Charge", "input": "{\"id\":7}"})),
        event(
            3,
            2,
            0.001,
            "TaskScheduled",
            &json!({"resourceType": "lambda", "resource": "invoke",
            "region": "us-east-1", "parameters": "{\"FunctionName\":\"charge\"}", "timeoutInSeconds": 5}),
        ),
        event(4, 3, 0.002, "TaskStarted", &json!({"resourceType": "lambda", "resource": "invoke"})),
        event(
            5,
            4,
            61.5,
            "TaskFailed",
            &json!({"resourceType": "lambda", "resource": "invoke",
            "error": "CardExpired", "cause": "line 1\nline 2"}),
        ),
        event(6, 5, 61.5, "ExecutionFailed", &json!({"error": "CardExpired", "cause": "line 1\nline 2"})),
    ]
}

fn printed(events: &[Value], full: bool) -> String {
    let (mut output, captured) = Output::capture(false);
    print(&mut output, events, full).unwrap();
    captured.standard()
}

#[test]
fn events_are_one_line_each() {
    let expected = "\
ID  PREV  2026-11-22 UTC       OFFSET  EVENT             STATE   DETAILS
 1     0  16:32:28.000        +0.000s  ExecutionStarted          input={\"id\":7}
 2     0  16:32:28.001        +0.001s  TaskStateEntered  Charge  input={\"id\":7}
 3     2  16:32:28.001        +0.001s  TaskScheduled     Charge  lambda:invoke parameters={\"FunctionName\":\"charge\"} t…
 4     3  16:32:28.002        +0.002s  TaskStarted       Charge  lambda:invoke
 5     4  16:33:29.500    +1m 01.500s  TaskFailed        Charge  lambda:invoke error=CardExpired cause=line 1\\nline 2
 6     5  16:33:29.500    +1m 01.500s  ExecutionFailed           error=CardExpired cause=line 1\\nline 2
";
    let text = printed(&failed_order(), false);
    assert_eq!(text, expected, "\n{text}");
}

#[test]
fn full_shows_everything_below_the_event() {
    let text = printed(&failed_order(), true);
    let at = |needle: &str| text.find(needle).unwrap_or_else(|| panic!("no {needle:?} in\n{text}"));
    assert!(!text.contains("DETAILS") && !text.contains("truncated"), "{text}");
    at(
        "        parameters: {\n          \"FunctionName\": \"charge\"\n        }\n        timeoutInSeconds: 5\n",
    );
    at("        region: us-east-1\n");
    at("        cause:\n          line 1\n          line 2\n");
    at("roleArn: arn:aws:iam::1:role/x\n");
    assert!(at("TaskScheduled") < at("parameters:") && at("parameters:") < at("TaskStarted"));
}

#[test]
fn the_reverse_order_keeps_states_and_offsets() {
    let mut events = failed_order();
    events.reverse();
    let text = printed(&events, false);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[1].starts_with(" 6 ") && lines[6].starts_with(" 1 "), "{text}");
    assert!(lines[2].contains("+1m 01.500s  TaskFailed        Charge"), "{text}");
}

#[test]
fn iterations_show_their_index_and_ends_of_maps_no_inner_state() {
    let events = [
        event(1, 0, 0.0, "ExecutionStarted", &json!({})),
        event(2, 0, 0.0, "MapStateEntered", &json!({"name": "Each"})),
        event(3, 2, 0.0, "MapStateStarted", &json!({"length": 1})),
        event(4, 3, 0.0, "MapIterationStarted", &json!({"name": "Each", "index": 0})),
        event(5, 4, 0.0, "PassStateEntered", &json!({"name": "Inner"})),
        event(
            6,
            5,
            0.0,
            "PassStateExited",
            &json!({"name": "Inner", "output": "1", "assignedVariables": {"x": "1"}}),
        ),
        event(7, 6, 0.0, "MapIterationSucceeded", &json!({"name": "Each", "index": 0})),
        event(8, 7, 0.0, "MapStateSucceeded", &Value::Null),
    ];
    let text = printed(&events, false);
    let column = text.find("STATE").unwrap();
    let state_of = |line: usize| text.lines().nth(line).unwrap()[column..].to_owned();
    assert_eq!(state_of(3).trim_end(), "Each      length=1", "{text}");
    assert_eq!(state_of(4).trim_end(), "Each [0]", "{text}");
    assert_eq!(state_of(6).trim_end(), "Inner     output=1 assignedVariables={\"x\":\"1\"}", "{text}");
    assert!(text.lines().nth(8).unwrap().ends_with("MapStateSucceeded"), "{text}");
}

#[test]
fn a_history_over_midnight_shows_dates() {
    let events = [
        event(1, 0, 0.0, "ExecutionStarted", &json!({})),
        event(2, 0, 86_400.0 * 365.0, "ExecutionTimedOut", &Value::Null),
    ];
    let text = printed(&events, false);
    assert!(text.contains("TIME (UTC)") && text.contains("2027-11-22 16:32:28.000"), "{text}");
    assert!(text.contains("+365d 00h 00m"), "{text}");
}

#[test]
fn functions_are_shown_without_the_head_of_their_arn() {
    let arn = "arn:aws:lambda:us-east-1:123456789012:function:charge:3";
    let scheduled = event(1, 0, 0.0, "LambdaFunctionScheduled", &json!({"resource": arn, "input": "{}"}));
    let text = printed(&[scheduled], false);
    assert!(text.ends_with("  function:charge:3 input={}\n"), "{text}");
}

#[test]
fn hostile_events_stay_one_line() {
    let mut odd =
        event(1, 0, 0.0, "PassStateEntered", &json!({"name": "a\u{1b}[2J\nb", "input": "x".repeat(9_000)}));
    let text = printed(&[odd.take(), json!("no event"), json!({"id": "x", "type": null})], false);
    assert_eq!(text.lines().count(), 4, "{text}");
    assert!(!text.contains('\u{1b}') && text.contains("a\\u{1b}[2J\\nb"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
    assert_eq!(printed(&[], false).lines().count(), 1);
}

#[test]
fn wide_characters_do_not_overflow_the_line() {
    let wide = event(1, 0, 0.0, "PassStateEntered", &json!({"name": "状態", "input": "漢".repeat(500)}));
    let text = printed(&[wide], false);
    let columns: usize =
        text.lines().nth(1).unwrap().chars().map(|c| if c > '\u{2fff}' { 2 } else { 1 }).sum();
    assert!((100..=120).contains(&columns), "{columns}: {text}");
}

#[test]
fn json_is_indented_and_other_text_made_safe() {
    assert_eq!(pretty("{\"a\":[1]}", "  "), "  {\n    \"a\": [\n      1\n    ]\n  }");
    assert_eq!(pretty("\"\u{9b}2J\"", ""), "\"\\u009b2J\"");
    assert_eq!(pretty("\u{1b}[2J", ""), "\\u{1b}[2J");
    assert_eq!(block("length", &json!(3)), "        length: 3");
}

//! Definitions from text to machine, parsed and validated, against the JSON parser alone on the same text.
//!
//! The time must grow with the text and no faster: microseconds per KiB say whether it does.

use super::machines::FUNCTION;
use crate::quiet::QuietWatch;
use crate::sample::{Plan, Sample};
use anyhow::{anyhow, ensure};
use serde_json::{Map, Value, json};
use std::hint::black_box;
use stepwell_asl::StateMachine;
use stepwell_asl::limits::DEFINITION_BYTES;

/// States of one block, nested ones included. A definition is a chain of blocks.
const BLOCK: u64 = 10;

/// One size of definition.
#[derive(Clone, Debug)]
pub struct Level {
    /// States, nested ones included.
    pub states: u64,
    /// Length of the text, in bytes.
    pub bytes: usize,
    /// The rounds.
    pub rounds: Vec<Round>,
    /// Share of the processors that others used meanwhile; none when unknown.
    pub others: Option<f64>,
}

/// The JSON parser, then `StateMachine::parse`; one definition each.
#[derive(Clone, Debug)]
pub struct Round {
    /// `serde_json` alone.
    pub json: Sample,
    /// Parse and validate.
    pub machine: Sample,
}

/// Measures definitions of so many states, a multiple of ten, on this thread alone.
pub fn measure(states: u64, plan: Plan) -> anyhow::Result<Level> {
    let text = definition(states / BLOCK);
    ensure!(text.len() <= DEFINITION_BYTES, "the definition has {} bytes", text.len());
    let found = parse(&text)?.state_names().count() as u64;
    ensure!(found == states, "the definition has {found} states, not {states}");
    let (mut rounds, quiet) = (Vec::new(), QuietWatch::start());
    for _ in 0..plan.rounds.max(1) {
        let parse_json = || {
            black_box(serde_json::from_str::<Value>(black_box(&text))?);
            Ok(1)
        };
        Sample::of_loop(plan.warm_up, parse_json)?;
        let json = Sample::of_loop(plan.window, parse_json)?;
        let parse_machine = || {
            black_box(parse(black_box(&text))?);
            Ok(1)
        };
        Sample::of_loop(plan.warm_up, parse_machine)?;
        let machine = Sample::of_loop(plan.window, parse_machine)?;
        rounds.push(Round { json, machine });
    }
    Ok(Level { states, bytes: text.len(), rounds, others: quiet.others() })
}

fn parse(text: &str) -> anyhow::Result<StateMachine> {
    StateMachine::parse(text).map_err(|problems| anyhow!("the definition is refused: {problems:?}"))
}

/// A chain of blocks.
fn definition(blocks: u64) -> String {
    let states: Map<String, Value> =
        (1..=blocks).flat_map(|number| block(number, number == blocks)).collect();
    json!({"Comment": "A chain of blocks", "StartAt": "Shape1", "States": states}).to_string()
}

/// Ten states: six in a row, of which the Map and the Parallel state hold two each.
fn block(number: u64, last: bool) -> [(String, Value); 6] {
    let name = |what: &str| format!("{what}{number}");
    let mut close = json!({"Type": "Pass", "Result": {"closed": true}, "ResultPath": "$.state"});
    if last {
        close["End"] = json!(true);
    } else {
        close["Next"] = json!(format!("Shape{}", number + 1));
    }
    let shape = json!({
        "Type": "Pass",
        "Parameters": {
            "id.$": "$.id",
            "sum.$": "States.MathAdd($.sum, 1)",
            "address": {"zip.$": "$.address['zip']", "country": "NL"},
        },
        "ResultPath": "$.order",
        "Next": name("Charge"),
    });
    let check = json!({
        "Type": "Choice",
        "Choices": [
            {"And": [
                {"Variable": "$.sum", "NumericGreaterThan": 100},
                {"Variable": "$.vip", "BooleanEquals": true},
            ], "Next": name("Notify")},
            {"Variable": "$.kind", "StringMatches": "gift*", "Next": name("Close")},
        ],
        "Default": name("Pack"),
    });
    [
        (name("Shape"), shape),
        (name("Charge"), charge(&name("Check"), &name("Close"))),
        (name("Check"), check),
        (name("Pack"), pack(&name("Pick"), &name("Wrap"), &name("Notify"))),
        (name("Notify"), notify(&name("Mail"), &name("Pause"), &name("Close"))),
        (name("Close"), close),
    ]
}

fn charge(next: &str, on_error: &str) -> Value {
    json!({
        "Type": "Task",
        "Resource": FUNCTION,
        "TimeoutSeconds": 30,
        "Retry": [{
            "ErrorEquals": ["States.Timeout", "Lambda.TooManyRequestsException"],
            "IntervalSeconds": 2,
            "MaxAttempts": 3,
            "BackoffRate": 1.5,
        }],
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": on_error}],
        "ResultPath": "$.payment",
        "Next": next,
    })
}

/// A Map state of two states.
fn pack(pick: &str, wrap: &str, next: &str) -> Value {
    let mut states = Map::new();
    states.insert(pick.to_owned(), json!({"Type": "Task", "Resource": FUNCTION, "Next": wrap}));
    states.insert(wrap.to_owned(), json!({"Type": "Pass", "Parameters": {"sku.$": "$.sku"}, "End": true}));
    json!({
        "Type": "Map",
        "ItemsPath": "$.items",
        "MaxConcurrency": 10,
        "ItemProcessor": {"StartAt": pick, "States": states},
        "Next": next,
    })
}

/// A Parallel state of two branches.
fn notify(mail: &str, pause: &str, next: &str) -> Value {
    let branch = |name: &str, state: Value| {
        let states: Map<String, Value> = [(name.to_owned(), state)].into_iter().collect();
        json!({"StartAt": name, "States": states})
    };
    json!({
        "Type": "Parallel",
        "Branches": [
            branch(mail, json!({"Type": "Task", "Resource": FUNCTION, "End": true})),
            branch(pause, json!({"Type": "Wait", "Seconds": 5, "End": true})),
        ],
        "Next": next,
    })
}

//! The machines and payloads that `step` is measured with.
//!
//! Each says how many states its execution enters and how many history events it leaves: a run with other counts has not
//! done the work.

use serde_json::{Map, Value, json};

/// States of the chain.
const CHAIN: u64 = 50;
/// Choice states that one turn of the loop passes.
const CHOICES: u64 = 8;
/// Turns of the loop.
const TURNS: u64 = 50;
/// Items of the Map states.
const ITEMS: u64 = 1_000;

/// A function of Lambda, which the benchmark answers at once.
pub(super) const FUNCTION: &str = "arn:aws:lambda:us-east-1:123456789012:function:f";

/// A machine with the input of its execution, and what the execution must amount to.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Its name in the table.
    pub name: &'static str,
    /// The definition, JSON text.
    pub definition: String,
    /// The execution's input.
    pub input: Value,
    /// States entered.
    pub states: u64,
    /// History events.
    pub events: u64,
}

/// All workloads, in the order of the table.
pub fn workloads() -> [Workload; 4] {
    [pass_chain(), choice_loop(), map_of_choices(), map_of_tasks()]
}

/// The payload: about 200 bytes, of every kind of value.
pub fn order() -> Value {
    json!({
        "orderId": "order-000000001042",
        "customer": {"id": "c-1042", "tier": "gold"},
        "items": [{"sku": "CUP-07", "count": 2}, {"sku": "TEA-19", "count": 1}],
        "total": 129.5,
        "stock": 7,
        "paid": true,
        "note": "order-000000001042 for c-1042",
    })
}

/// Makes the order anew, of three paths and an intrinsic function, so that it stays as large as it is.
fn template() -> Value {
    json!({
        "orderId.$": "$.orderId",
        "customer.$": "$.customer",
        "items.$": "$.items",
        "total": 129.5,
        "stock": 7,
        "paid": true,
        "note.$": "States.Format('{} for {}', $.orderId, $.customer.id)",
    })
}

fn pass_chain() -> Workload {
    let states: Map<String, Value> = (1..=CHAIN)
        .map(|number| {
            let mut state = json!({"Type": "Pass", "Parameters": template()});
            if number < CHAIN {
                state["Next"] = json!(format!("Shape{}", number + 1));
            } else {
                state["End"] = json!(true);
            }
            (format!("Shape{number}"), state)
        })
        .collect();
    let definition = json!({"StartAt": "Shape1", "States": states}).to_string();
    Workload { name: "Pass, chain of 50", definition, input: order(), states: CHAIN, events: 2 + 2 * CHAIN }
}

/// Choice states in a row, of which each comes to its last rule; then a Pass state counts and goes back to the first.
fn choice_loop() -> Workload {
    let mut states = Map::new();
    for number in 1..=CHOICES {
        let next = if number < CHOICES { format!("Check{}", number + 1) } else { "Count".to_owned() };
        let rules = json!([
            {"And": [
                {"Variable": "$.paid", "BooleanEquals": true},
                {"Variable": "$.total", "NumericGreaterThan": 1000},
            ], "Next": "Done"},
            {"Or": [
                {"Variable": "$.customer.tier", "StringEquals": "silver"},
                {"Not": {"Variable": "$.note", "IsPresent": true}},
            ], "Next": "Done"},
            {"Variable": "$.total", "NumericGreaterThanPath": "$.stock", "Next": next},
        ]);
        states
            .insert(format!("Check{number}"), json!({"Type": "Choice", "Choices": rules, "Default": "Done"}));
    }
    let count = json!({"n.$": "States.MathAdd($.turn.n, 1)"});
    states.insert(
        "Count".to_owned(),
        json!({"Type": "Pass", "Parameters": count, "ResultPath": "$.turn", "Next": "Again"}),
    );
    let again = json!([{"Variable": "$.turn.n", "NumericLessThan": TURNS, "Next": "Check1"}]);
    states.insert("Again".to_owned(), json!({"Type": "Choice", "Choices": again, "Default": "Done"}));
    states.insert("Done".to_owned(), json!({"Type": "Succeed"}));
    let mut input = order();
    input["turn"] = json!({"n": 0});
    let entered = TURNS * (CHOICES + 2) + 1;
    let definition = json!({"StartAt": "Check1", "States": states}).to_string();
    Workload { name: "Choice, loop", definition, input, states: entered, events: 2 + 2 * entered }
}

fn map_of_choices() -> Workload {
    let large = json!([{"And": [
        {"Variable": "$.paid", "BooleanEquals": true},
        {"Variable": "$.total", "NumericGreaterThanPath": "$.stock"},
    ], "Next": "Ship"}]);
    let processor = json!({"StartAt": "Shape", "States": {
        "Shape": {"Type": "Pass", "Parameters": template(), "Next": "IsLarge"},
        "IsLarge": {"Type": "Choice", "Choices": large, "Default": "Ship"},
        "Ship": {"Type": "Succeed"},
    }});
    map("Map of 1,000, Pass and Choice", &processor, 3, 6)
}

fn map_of_tasks() -> Workload {
    let processor = json!({"StartAt": "Work", "States": {
        "Work": {"Type": "Task", "Resource": FUNCTION, "End": true},
    }});
    map("Map of 1,000, Lambda", &processor, 1, 5)
}

/// A machine of one Map state; `states` are entered and `events` left for each item, beside the iteration's own two.
fn map(name: &'static str, processor: &Value, states: u64, events: u64) -> Workload {
    let definition = json!({"StartAt": "Each", "States": {
        "Each": {"Type": "Map", "ItemProcessor": processor, "End": true},
    }});
    Workload {
        name,
        definition: definition.to_string(),
        input: (0..ITEMS).map(|_| order()).collect(),
        states: 1 + ITEMS * states,
        events: 6 + ITEMS * (2 + events),
    }
}

//! Mutates a definition as JSON: the result stays JSON, so that the fuzzer spends its time behind the JSON parser.
//!
//! States of all known machines are crossed with each other. Must never draw from anything but the given seed.

use crate::machines::MACHINES;
use serde_json::{Map, Value, json};
use std::sync::OnceLock;

/// Field names and string values of the language, and some that are wrong.
const WORDS: &[&str] = &[
    "Assign",
    "BackoffRate",
    "Branches",
    "Catch",
    "Cause",
    "CausePath",
    "Choices",
    "Comment",
    "Default",
    "End",
    "Error",
    "ErrorEquals",
    "ErrorPath",
    "HeartbeatSeconds",
    "InputPath",
    "IntervalSeconds",
    "ItemProcessor",
    "ItemSelector",
    "ItemsPath",
    "Iterator",
    "JSONPath",
    "JSONata",
    "JitterStrategy",
    "MaxAttempts",
    "MaxConcurrency",
    "MaxConcurrencyPath",
    "MaxDelaySeconds",
    "Mode",
    "Next",
    "OutputPath",
    "Parameters",
    "ProcessorConfig",
    "QueryLanguage",
    "Resource",
    "Result",
    "ResultPath",
    "ResultSelector",
    "Retry",
    "Seconds",
    "SecondsPath",
    "StartAt",
    "States",
    "TimeoutSeconds",
    "TimeoutSecondsPath",
    "Timestamp",
    "TimestampPath",
    "Type",
    "Variable",
    "Version",
    "And",
    "Or",
    "Not",
    "IsNull",
    "IsPresent",
    "IsTimestamp",
    "NumericEquals",
    "NumericLessThanPath",
    "StringEquals",
    "StringMatches",
    "BooleanEquals",
    "TimestampLessThan",
    "Task",
    "Pass",
    "Choice",
    "Wait",
    "Succeed",
    "Fail",
    "Parallel",
    "Map",
    "INLINE",
    "FULL",
    "NONE",
    "States.ALL",
    "States.TaskFailed",
    "States.Timeout",
    "States.Runtime",
    "Busy",
    "x.$",
    "a",
    "",
    "~1/",
    "$",
    "$$",
    "$.a",
    "$.items",
    "$.items[*]",
    "$.n",
    "$.amount",
    "$.seconds",
    "$.at",
    "$.nested.a.b.c",
    "$.a.b[0]",
    "$$.Execution.Input",
    "$$.State.EnteredTime",
    "$$.State.RetryCount",
    "$$.Map.Item.Value",
    "$..*",
    "$.Payload",
    "States.Format('{}', $.text)",
    "States.UUID()",
    "States.ArrayRange(1, 9, 2)",
    "2026-01-01T00:00:00Z",
    "arn:aws:lambda:us-east-1:123456789012:function:f",
    "arn:aws:states:::lambda:invoke",
    "*",
    "a*b",
];

/// What libFuzzer does to bytes: data, their length, the length that they may reach; answers the new length.
pub type ByteMutator = fn(&mut [u8], usize, usize) -> usize;

/// Mutates the first `size` bytes of `data` and gives their new number, at most `max_size`.
/// Falls back to `bytes` for half of the calls, for what is not JSON, and for what would grow too long.
pub fn mutate_json(data: &mut [u8], size: usize, max_size: usize, seed: u32, bytes: ByteMutator) -> usize {
    let mut random = fastrand::Rng::with_seed(u64::from(seed));
    let parsed = data.get(..size).and_then(|text| serde_json::from_slice::<Value>(text).ok());
    if let (Some(mut value), true) = (parsed, random.bool()) {
        for _ in 0..random.usize(1..4) {
            mutate(&mut value, &mut random);
        }
        let text = value.to_string();
        if text.len() <= max_size
            && let Some(place) = data.get_mut(..text.len())
        {
            place.copy_from_slice(text.as_bytes());
            return text.len();
        }
    }
    bytes(data, size, max_size)
}

fn mutate(root: &mut Value, random: &mut fastrand::Rng) {
    let mut places = Vec::new();
    list_places(root, String::new(), &mut places);
    let Some(place) = random.choice(&places).cloned() else { return };
    if random.u8(0..4) == 0 {
        cross(root, &place, random);
        return;
    }
    let copied = random.choice(&places).and_then(|other| root.pointer(other)).cloned();
    let Some(target) = root.pointer_mut(&place) else { return };
    match target {
        Value::Object(fields) => mutate_object(fields, copied, random),
        Value::Array(items) => mutate_array(items, copied, random),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            *target = any_value(copied, random);
        }
    }
}

/// Pointers to all values, depth first. `serde_json` bounds the depth.
fn list_places(value: &Value, here: String, places: &mut Vec<String>) {
    for (name, field) in value.as_object().into_iter().flatten() {
        let name = name.replace('~', "~0").replace('/', "~1");
        list_places(field, format!("{here}/{name}"), places);
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        list_places(item, format!("{here}/{index}"), places);
    }
    places.push(here);
}

fn mutate_object(fields: &mut Map<String, Value>, copied: Option<Value>, random: &mut fastrand::Rng) {
    let index = random.usize(0..fields.len().max(1));
    let chosen = fields.keys().nth(index).cloned();
    match (random.u8(0..3), chosen) {
        (0, Some(name)) => drop(fields.shift_remove(&name)),
        (1, Some(name)) => {
            let value = fields.shift_remove(&name).unwrap_or_default();
            fields.insert(any_word(random), value);
        }
        _ => {
            let value = any_value(copied, random);
            fields.insert(any_word(random), value);
        }
    }
}

fn mutate_array(items: &mut Vec<Value>, copied: Option<Value>, random: &mut fastrand::Rng) {
    let index = random.usize(0..=items.len());
    if random.bool() && index < items.len() {
        items.remove(index);
    } else {
        items.insert(index, any_value(copied, random));
    }
}

/// Puts a whole state of a known machine in the place of a value, or among the states of the machine.
fn cross(root: &mut Value, place: &str, random: &mut fastrand::Rng) {
    static STATES: OnceLock<Vec<Value>> = OnceLock::new();
    let states = STATES.get_or_init(|| {
        let machines = MACHINES.iter().filter_map(|machine| serde_json::from_str(machine.definition).ok());
        machines
            .filter_map(|machine: Value| machine["States"].as_object().cloned())
            .flat_map(values)
            .collect()
    });
    let Some(mut state) = random.choice(states).cloned() else { return };
    let names: Vec<String> = root["States"].as_object().into_iter().flat_map(Map::keys).cloned().collect();
    let Some(name) = random.choice(&names).cloned() else { return };
    // Transitions that lead somewhere get further than those that do not.
    for field in ["Next", "Default"] {
        if state.get(field).is_some() {
            state[field] = json!(random.choice(&names));
        }
    }
    if random.bool() {
        root["States"][name] = state;
    } else if let Some(target) = root.pointer_mut(place) {
        *target = state;
    }
}

fn values(fields: Map<String, Value>) -> impl Iterator<Item = Value> {
    fields.into_iter().map(|(_, value)| value)
}

fn any_word(random: &mut fastrand::Rng) -> String {
    random.choice(WORDS).copied().unwrap_or_default().to_owned()
}

fn any_value(copied: Option<Value>, random: &mut fastrand::Rng) -> Value {
    match random.u8(0..14) {
        0 => Value::Null,
        1 => json!(random.bool()),
        2 => json!(random.i64(-2..10)),
        3 => json!([0, 1, 99_999_999, 100_000_000, -1, i64::MIN][random.usize(0..6)]),
        4 => json!([0.0, 1.0, 1.5, 1e308, -1e-300, 9e18][random.usize(0..6)]),
        5 => json!([]),
        6 => json!({}),
        7 => copied.unwrap_or_default(),
        _ => json!(any_word(random)),
    }
}

//! Intrinsics for arrays (Step Functions Developer Guide, "Intrinsics for arrays").
//!
//! Must never compare elements pairwise: arrays hold tens of thousands of them.

use super::arguments::Arguments;
use crate::limits;
use crate::states_error::StatesError;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// `States.Array(value, ...)`: the arguments as an array.
pub(super) fn array(arguments: Arguments) -> Value {
    Value::Array(arguments.into_values())
}

/// `States.ArrayContains(array, value)`: whether an element equals the value; `1` and `1.0` differ.
pub(super) fn contains(mut arguments: Arguments) -> Result<Value, StatesError> {
    let items = arguments.take_array(0)?;
    Ok(Value::Bool(items.contains(arguments.value(1))))
}

/// `States.ArrayGetItem(array, index)`: the element at an index counted from 0.
pub(super) fn get_item(mut arguments: Arguments) -> Result<Value, StatesError> {
    let index = arguments.integer(1)?;
    let mut items = arguments.take_array(0)?;
    match usize::try_from(index) {
        Ok(index) if index < items.len() => Ok(items.swap_remove(index)),
        _ => {
            let expected = format!("an index of the array, which has {} elements", items.len());
            Err(arguments.mismatch(1, &expected))
        }
    }
}

/// `States.ArrayLength(array)`.
pub(super) fn length(mut arguments: Arguments) -> Result<Value, StatesError> {
    Ok(json!(arguments.take_array(0)?.len()))
}

/// `States.ArrayPartition(array, size)`: arrays of `size` elements, the last one perhaps shorter.
pub(super) fn partition(mut arguments: Arguments) -> Result<Value, StatesError> {
    let items = arguments.take_array(0)?;
    let size = arguments.integer(1)?;
    let Some(size) = usize::try_from(size).ok().filter(|size| *size > 0) else {
        return Err(arguments.mismatch(1, "a positive integer"));
    };
    let mut chunks = Vec::with_capacity(items.len().div_ceil(size));
    let mut items = items.into_iter();
    loop {
        let chunk: Vec<Value> = items.by_ref().take(size).collect();
        if chunk.is_empty() {
            return Ok(Value::Array(chunks));
        }
        chunks.push(Value::Array(chunk));
    }
}

/// `States.ArrayRange(first, last, step)`: from the first number in steps up to the last, which is included.
/// A step that leads away from it gives an empty array.
pub(super) fn range(arguments: &Arguments) -> Result<Value, StatesError> {
    let (first, last, step) = (arguments.integer(0)?, arguments.integer(1)?, arguments.integer(2)?);
    if step == 0 {
        return Err(arguments.mismatch(2, "an integer other than zero"));
    }
    let mut items = Vec::new();
    let mut next = Some(first);
    while let Some(item) = next.filter(|item| if step > 0 { *item <= last } else { *item >= last }) {
        if items.len() >= limits::ARRAY_RANGE_ITEMS {
            let most = limits::ARRAY_RANGE_ITEMS;
            return Err(arguments
                .function()
                .failure(&format!("the array would have more than {most} items")));
        }
        items.push(json!(item));
        next = item.checked_add(step);
    }
    Ok(Value::Array(items))
}

/// `States.ArrayUnique(array)`: the first of equal elements, in their order.
pub(super) fn unique(mut arguments: Arguments) -> Result<Value, StatesError> {
    let mut items = arguments.take_array(0)?;
    let mut seen = BTreeSet::new();
    items.retain(|item| {
        let mut text = String::new();
        write_canonical(item, &mut text);
        seen.insert(text)
    });
    Ok(Value::Array(items))
}

/// Writes a text that is the same for equal values: JSON with the names of objects in order. The evaluation has
/// checked how deeply its values are nested.
fn write_canonical(value: &Value, text: &mut String) {
    match value {
        Value::Array(items) => {
            text.push('[');
            for item in items {
                write_canonical(item, text);
                text.push(',');
            }
            text.push(']');
        }
        Value::Object(fields) => {
            let mut sorted: Vec<(&String, &Value)> = fields.iter().collect();
            sorted.sort_unstable_by_key(|(name, _)| *name);
            text.push('{');
            for (name, field) in sorted {
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                write_canonical(field, text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            text.push_str(&value.to_string());
        }
    }
}

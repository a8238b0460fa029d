//! `States.MathAdd` (Step Functions Developer Guide, "Intrinsics for Math operations").
//!
//! Must never wrap around: the sum of two 32-bit integers is exact.

use super::arguments::Arguments;
use crate::states_error::StatesError;
use serde_json::{Value, json};

/// `States.MathAdd(first, second)`: each operand is rounded half up before the addition (recorded).
pub(super) fn add(arguments: &Arguments) -> Result<Value, StatesError> {
    Ok(json!(operand(arguments, 0)? + operand(arguments, 1)?))
}

/// An operand, which has to lie between -2147483648 and 2147483647.
fn operand(arguments: &Arguments, at: usize) -> Result<i64, StatesError> {
    let integer = arguments.integer(at)?;
    match i32::try_from(integer) {
        Ok(small) => Ok(i64::from(small)),
        Err(_) => Err(arguments.mismatch(at, "between -2147483648 and 2147483647")),
    }
}

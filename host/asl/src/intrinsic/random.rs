//! `States.UUID` and `States.MathRandom` (Step Functions Developer Guide, "Intrinsic for unique identifier
//! generation", "Intrinsics for Math operations").
//!
//! Must never draw from anything but the context's generator or the given seed: a replay has to draw the same.

use super::arguments::Arguments;
use crate::context_object::ContextObject;
use crate::states_error::StatesError;
use serde_json::{Value, json};

/// `States.UUID()`: a version 4 UUID (RFC 9562, section 5.4).
pub(super) fn uuid(context: &ContextObject<'_>) -> Value {
    let bits = context.random().u128(..);
    // The version and the variant have fixed places among the random bits.
    let bits = (bits & !(0xf << 76) & !(0b11 << 62)) | (0x4 << 76) | (0b10 << 62);
    let digits = format!("{bits:032x}");
    let groups: Vec<&str> =
        [0..8, 8..12, 12..16, 16..20, 20..32].into_iter().filter_map(|group| digits.get(group)).collect();
    Value::String(groups.join("-"))
}

/// `States.MathRandom(start, end, seed)`: an integer from `start` up to but not including `end`. The same seed
/// gives the same number.
pub(super) fn number(arguments: &Arguments, context: &ContextObject<'_>) -> Result<Value, StatesError> {
    let (start, end) = (arguments.integer(0)?, arguments.integer(1)?);
    if start >= end {
        return Err(arguments.mismatch(1, &format!("greater than the start {start}")));
    }
    let number = if arguments.from(2).is_empty() {
        context.random().i64(start..end)
    } else {
        let seed = arguments.integer(2)?;
        fastrand::Rng::with_seed(seed.cast_unsigned()).i64(start..end)
    };
    Ok(json!(number))
}

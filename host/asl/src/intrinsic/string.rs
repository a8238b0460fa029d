//! `States.StringSplit` (Step Functions Developer Guide, "Intrinsic for String operation").
//!
//! Must never read the delimiters as a pattern: each of their characters is one.

use super::arguments::Arguments;
use crate::states_error::StatesError;
use serde_json::Value;
use std::collections::BTreeSet;

/// `States.StringSplit(text, delimiters)`: the parts between delimiting characters. Delimiters in a row, at the
/// start or at the end delimit nothing: no part is empty.
pub(super) fn split(arguments: &Arguments) -> Result<Value, StatesError> {
    let text = arguments.text(0)?;
    let delimiters: BTreeSet<char> = arguments.text(1)?.chars().collect();
    let parts = text.split(|character| delimiters.contains(&character));
    Ok(parts.filter(|part| !part.is_empty()).map(Value::from).collect())
}

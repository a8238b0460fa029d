//! What a state may give and set: sizes and depths of results, outputs and variables (Step Functions quotas).
//!
//! It must never change anything: it only judges.

use crate::assign::Assigned;
use crate::execution::{BranchId, Execution};
use crate::json_size::{is_deeper, json_bytes, json_text};
use crate::limits::{self, Quotas};
use crate::states::{Exit, Resource};
use crate::states_error::StatesError;
use serde_json::Value;

/// The result of a task as JSON text. Errors: it is over its quota.
pub(crate) fn result_text(
    quotas: Quotas,
    resource: &Resource,
    result: &Value,
) -> Result<String, StatesError> {
    let text = json_text(result);
    if text.len() > quotas.payload_bytes {
        return Err(StatesError::data_limit_exceeded(resource.origin()));
    }
    Ok(text)
}

/// The output as JSON text. Errors: why the state may not be left so; its output or its variables are over their
/// quotas.
pub(crate) fn exit_text(
    execution: &Execution,
    id: BranchId,
    state: &str,
    exit: &Exit,
) -> Result<String, StatesError> {
    let text = json_text(&exit.output);
    if text.len() > execution.context.quotas.payload_bytes {
        return Err(StatesError::data_limit_exceeded(state));
    }
    if is_deeper(&exit.output, limits::OUTPUT_DEPTH) {
        let most = limits::OUTPUT_DEPTH;
        let cause = format!("The output of the state '{state}' is nested more than {most} deep.");
        return Err(StatesError::runtime(cause));
    }
    match variables_exceeded(execution, id, state, &exit.assigned) {
        Some(error) => Err(error),
        None => Ok(text),
    }
}

/// Why `assigned` may not be set: one Assign holds as much as a payload, all variables
/// [`limits::VARIABLES_BYTES`].
fn variables_exceeded(
    execution: &Execution,
    id: BranchId,
    state: &str,
    assigned: &Assigned,
) -> Option<StatesError> {
    if assigned.is_empty() {
        return None;
    }
    let bytes: usize = assigned.values().map(json_bytes).sum();
    let scope = execution.variables.get(&id);
    let replaced = assigned.keys().filter_map(|name| scope?.get(name)).map(json_bytes).sum::<usize>();
    let all = (execution.progress.variable_bytes + bytes as u64).saturating_sub(replaced as u64);
    let exceeded = bytes > execution.context.quotas.payload_bytes || all > limits::VARIABLES_BYTES;
    exceeded.then(|| {
        let what = "assigned variables with a size exceeding the maximum number of bytes service limit.";
        StatesError::new(StatesError::DATA_LIMIT_EXCEEDED, format!("The state/task '{state}' {what}"))
    })
}

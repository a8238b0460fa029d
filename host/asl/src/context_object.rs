//! The context object, `$$` (specification, "The Context Object"; recorded shape of Step Functions).
//!
//! Built when a path first reads it. It must never hold anything that a replay would not see again.

use crate::execution::{Branch, Execution};
use serde_json::{Map, Value, json};
use std::cell::OnceCell;

/// The context object as seen by the state that a branch is in.
pub(crate) struct ContextObject<'e> {
    execution: &'e Execution,
    branch: &'e Branch,
    retry_count: Option<u64>,
    value: OnceCell<Value>,
}

impl<'e> ContextObject<'e> {
    /// The context of `branch`; `retry_count` only where a Task is.
    pub(crate) fn new(
        execution: &'e Execution,
        branch: &'e Branch,
        retry_count: Option<u64>,
    ) -> ContextObject<'e> {
        ContextObject { execution, branch, retry_count, value: OnceCell::new() }
    }

    /// The JSON document that `$$` paths select from.
    pub(crate) fn value(&self) -> &Value {
        self.value.get_or_init(|| self.build())
    }

    fn build(&self) -> Value {
        let context = &self.execution.context;
        let mut state = Map::new();
        state.insert("EnteredTime".into(), json!(self.branch.entered_at.to_rfc3339()));
        state.insert("Name".into(), json!(self.branch.state));
        if let Some(count) = self.retry_count {
            state.insert("RetryCount".into(), json!(count));
        }
        json!({
            "Execution": {
                "Id": context.execution_arn,
                "Input": self.execution.input,
                "Name": context.execution_name,
                "RoleArn": context.role_arn,
                "StartTime": context.start_time.to_rfc3339(),
                "RedriveCount": 0,
            },
            "State": state,
            "StateMachine": {
                "Id": context.state_machine_arn,
                "Name": context.state_machine_name,
            },
        })
    }
}

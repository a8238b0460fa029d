//! The context object, `$$` (specification, "The Context Object"; recorded shape of Step Functions), and what else
//! expressions can read of an execution: variables and seeded randomness.
//!
//! Built when a path first reads it. It must never hold anything that a replay would not see again.

use crate::execution::{Branch, BranchId, Execution};
use crate::json_size::json_bytes;
use crate::limits;
use crate::states_error::StatesError;
use serde_json::{Map, Value, json};
use std::cell::{Cell, OnceCell, RefCell, RefMut};

/// The context object as seen by the state that a branch is in.
pub(crate) struct ContextObject<'e> {
    execution: &'e Execution,
    id: BranchId,
    branch: &'e Branch,
    task: Option<TaskContext>,
    item: Option<(u64, &'e Value)>,
    value: OnceCell<Value>,
    random: RefCell<Option<fastrand::Rng>>,
    /// What templates evaluated with this context have copied, in bytes of JSON text.
    copied: Cell<usize>,
}

/// What only the context of a Task has.
#[derive(Debug)]
pub(crate) struct TaskContext {
    /// Retries made so far.
    pub(crate) retry_count: u64,
    /// The token that ends a `.waitForTaskToken` task.
    pub(crate) token: Option<String>,
}

impl<'e> ContextObject<'e> {
    /// The context of `branch`, which has the id `id`; `task` only where a Task is.
    pub(crate) fn new(
        execution: &'e Execution,
        id: BranchId,
        branch: &'e Branch,
        task: Option<TaskContext>,
    ) -> ContextObject<'e> {
        let (value, random, copied) = (OnceCell::new(), RefCell::new(None), Cell::new(0));
        ContextObject { execution, id, branch, task, item: None, value, random, copied }
    }

    /// The context in which a Map state makes the input of the iteration `index`.
    pub(crate) fn with_item(mut self, index: u64, item: &'e Value) -> ContextObject<'e> {
        self.item = Some((index, item));
        self
    }

    /// The JSON document that `$$` paths select from.
    pub(crate) fn value(&self) -> &Value {
        self.value.get_or_init(|| self.build())
    }

    /// The value of a variable: of this scope, or of the nearest one around it.
    pub(crate) fn variable(&self, name: &str) -> Option<&'e Value> {
        let own = |id: BranchId| self.execution.variables.get(&id)?.get(name);
        own(self.id).or_else(|| self.outer().find_map(|(id, _)| own(id)))
    }

    /// A generator that a replay of the same event seeds alike.
    pub(crate) fn random(&self) -> RefMut<'_, fastrand::Rng> {
        let seed = || {
            let event = self.execution.progress.last_event_id.wrapping_add(1);
            self.execution.context.seed ^ event.wrapping_mul(0x9E37_79B9_7F4A_7C15)
        };
        RefMut::map(self.random.borrow_mut(), |random| {
            random.get_or_insert_with(|| fastrand::Rng::with_seed(seed()))
        })
    }

    /// Counts what a template copies; an error when it becomes too much for memory.
    pub(crate) fn count_copied(&self, value: &Value) -> Result<(), StatesError> {
        self.copied.set(self.copied.get() + json_bytes(value));
        if self.copied.get() > limits::TEMPLATE_BYTES {
            let most = limits::TEMPLATE_BYTES;
            return Err(StatesError::runtime(format!("A payload template made more than {most} bytes.")));
        }
        Ok(())
    }

    /// The branches around this one, innermost first.
    fn outer(&self) -> impl Iterator<Item = (BranchId, &'e Branch)> {
        let execution = self.execution;
        let outer = move |id: BranchId| execution.branches.get(&id).map(|branch| (id, branch));
        std::iter::successors(self.branch.parent.and_then(outer), move |(_, branch)| {
            branch.parent.and_then(outer)
        })
    }

    /// The item of the innermost Map iteration that this branch belongs to.
    fn item(&self) -> Option<(u64, &'e Value)> {
        self.item.or_else(|| {
            let own = std::iter::once((self.id, self.branch));
            own.chain(self.outer()).find_map(|(_, branch)| {
                let items = self.execution.joins.get(&branch.parent?)?.items.0.as_ref()?;
                let item = items.items.get(usize::try_from(branch.index).ok()?)?;
                Some((branch.index, item))
            })
        })
    }

    fn build(&self) -> Value {
        let context = &self.execution.context;
        let mut state = Map::new();
        state.insert("EnteredTime".into(), json!(self.branch.entered_at.to_rfc3339()));
        state.insert("Name".into(), json!(self.branch.state));
        if let Some(task) = &self.task {
            state.insert("RetryCount".into(), json!(task.retry_count));
        }
        let mut value = json!({
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
        });
        if let Some(token) = self.task.as_ref().and_then(|task| task.token.as_ref()) {
            value["Task"] = json!({"Token": token});
        }
        if let Some((index, item)) = self.item() {
            value["Map"] = json!({"Item": {"Index": index, "Value": item, "Source": "STATE_DATA"}});
        }
        value
    }
}

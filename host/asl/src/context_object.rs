//! The context object, `$$` (specification, "The Context Object"; recorded shape of Step Functions), and what else
//! expressions can read of an execution: variables and seeded randomness.
//!
//! Built when a path first reads it. It must never hold anything that a replay would not see again.

use crate::execution::{Begun, Branch, BranchId, Execution, Redrive};
use crate::inspection::{Inspection, Stage};
use crate::json_size::json_bytes;
use crate::jsonata::{Evaluator, NoEvaluator};
use crate::limits;
use crate::reference_path::Step;
use crate::states_error::StatesError;
use crate::timestamp::Timestamp;
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
    /// The same without what may be large.
    small: OnceCell<Value>,
    random: RefCell<Option<fastrand::Rng>>,
    evaluator: &'e dyn Evaluator,
    now: Timestamp,
    /// Whether what is evaluated must come out the same whenever it is evaluated again.
    repeatable: bool,
    /// Retries of the state so far.
    retries: u64,
    /// The last redrive of the execution.
    redrive: Option<Redrive>,
    /// What templates evaluated with this context have copied, in bytes of JSON text.
    copied: Cell<usize>,
    /// Stands in for the document, where a state is tried alone.
    given: Option<&'e Value>,
    /// Takes note of what the stages of processing give, where somebody wants to see it.
    inspection: Option<&'e RefCell<Inspection>>,
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
        ContextObject {
            execution,
            id,
            branch,
            task,
            item: None,
            value: OnceCell::new(),
            small: OnceCell::new(),
            random: RefCell::new(None),
            evaluator: &NoEvaluator,
            now: branch.entered_at,
            repeatable: false,
            retries: branch.retries.iter().sum(),
            redrive: execution.progress.redrive,
            copied: Cell::new(0),
            given: None,
            inspection: None,
        }
    }

    /// The same for a state that is tried alone: `given` is the document, and `inspection` is told of each stage.
    pub(crate) fn for_test(
        mut self,
        given: &'e Value,
        inspection: &'e RefCell<Inspection>,
    ) -> ContextObject<'e> {
        (self.given, self.inspection) = (Some(given), Some(inspection));
        self
    }

    /// Shows the value of a stage to whoever inspects; usually nobody does.
    pub(crate) fn inspect(&self, stage: Stage, value: &Value) {
        if let Some(inspection) = self.inspection {
            inspection.borrow_mut().note(stage, value.clone());
        }
    }

    /// The same with who evaluates JSONata, and the time of the event.
    pub(crate) fn with_evaluator(
        mut self,
        evaluator: &'e dyn Evaluator,
        now: Timestamp,
    ) -> ContextObject<'e> {
        self.evaluator = evaluator;
        self.now = now;
        self
    }

    /// The same for what is made again after a restart: time and randomness are those of the state's beginning. `begun`:
    /// what else was as it is no more.
    pub(crate) fn repeatable(mut self, begun: Option<Begun>) -> ContextObject<'e> {
        self.now = self.branch.entered_at;
        self.repeatable = true;
        if let Some(Begun { retries, redrive }) = begun {
            (self.retries, self.redrive) = (retries, redrive);
        }
        self
    }

    /// The context in which a Map state makes the input of the iteration `index`.
    pub(crate) fn with_item(mut self, index: u64, item: &'e Value) -> ContextObject<'e> {
        self.item = Some((index, item));
        self
    }

    /// The JSON document that `$$` paths select from. It holds a copy of the execution's input and of the item.
    pub(crate) fn value(&self) -> &Value {
        self.value.get_or_init(|| {
            let mut value = self.small().clone();
            if self.given.is_none() {
                value["Execution"]["Input"] = self.execution.input.clone();
            }
            if let Some((_, item)) = self.item() {
                value["Map"]["Item"]["Value"] = item.clone();
            }
            value
        })
    }

    /// The value at one place of the document, without making copies of what is large; none where there is no such
    /// place, or where it holds something large among other things.
    pub(crate) fn at(&self, steps: &[Step]) -> Option<&Value> {
        let names: Vec<Option<&str>> = steps.iter().take(3).map(Step::name).collect();
        match names.as_slice() {
            [Some("Execution"), Some("Input"), ..] if self.given.is_none() => {
                Step::follow(&steps[2..], &self.execution.input)
            }
            [Some("Map"), Some("Item"), Some("Value")] => Step::follow(&steps[3..], self.item()?.1),
            [] | [Some("Execution" | "Map")] | [Some("Map"), Some("Item")] => None,
            _ => Step::follow(steps, self.small()),
        }
    }

    /// The value of a variable: of this scope, or of the nearest one around it.
    pub(crate) fn variable(&self, name: &str) -> Option<&'e Value> {
        let own = |id: BranchId| self.execution.variables.get(&id)?.get(name);
        own(self.id).or_else(|| self.outer().find_map(|(id, _)| own(id)))
    }

    /// Who evaluates JSONata.
    pub(crate) fn evaluator(&self) -> &dyn Evaluator {
        self.evaluator
    }

    /// The time, for expressions.
    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// The whole document in parts: with nulls in the place of what may be large, and that, with its places.
    pub(crate) fn parts(&self) -> (&Value, Vec<(&'static [&'static str], &'e Value)>) {
        const INPUT: &[&str] = &["Execution", "Input"];
        const ITEM: &[&str] = &["Map", "Item", "Value"];
        let mut large = Vec::new();
        large.extend(self.given.is_none().then_some((INPUT, &self.execution.input)));
        large.extend(self.item().map(|(_, item)| (ITEM, item)));
        (self.small(), large)
    }

    /// A generator that a replay of the same event seeds alike.
    pub(crate) fn random(&self) -> RefMut<'_, fastrand::Rng> {
        let seed = || {
            let event = if self.repeatable {
                // Every attempt of the state begins anew.
                self.branch.entered_event_id ^ (self.retries << 32)
            } else {
                self.execution.progress.last_event_id.wrapping_add(1)
            };
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

    fn small(&self) -> &Value {
        self.small.get_or_init(|| self.build())
    }

    fn build(&self) -> Value {
        let mut value = self.given.map_or_else(|| self.build_own(), Value::clone);
        if let Some((index, _)) = self.item() {
            value["Map"] = json!({"Item": {"Index": index, "Value": null, "Source": "STATE_DATA"}});
        }
        value
    }

    /// The order of the members is that of the whole document.
    fn build_own(&self) -> Value {
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
                "Input": null,
                "Name": context.execution_name,
                "RoleArn": context.role_arn,
                "StartTime": context.start_time.to_rfc3339(),
            },
            "State": state,
            "StateMachine": {
                "Id": context.state_machine_arn,
                "Name": context.state_machine_name,
            },
        });
        // What cannot be redriven does not count redrives (recorded).
        if !context.is_express() {
            value["Execution"]["RedriveCount"] = json!(self.redrive.map_or(0, |redrive| redrive.count));
        }
        if let Some(redrive) = self.redrive {
            value["Execution"]["RedriveTime"] = json!(redrive.at.to_rfc3339());
        }
        if let Some(token) = self.task.as_ref().and_then(|task| task.token.as_ref()) {
            value["Task"] = json!({"Token": token});
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execution::{Activity, ExecutionContext};
    use crate::limits::Quotas;
    use crate::query_path::QueryPath;
    use crate::timestamp::Timestamp;

    #[test]
    fn a_place_holds_what_the_whole_object_has_there() {
        let text = |name: &str| name.to_owned();
        let context = ExecutionContext {
            execution_arn: text("arn"),
            execution_name: text("e"),
            role_arn: text("role"),
            state_machine_arn: text("machine"),
            state_machine_name: text("m"),
            region: text("us-east-1"),
            start_time: Timestamp(0),
            seed: 1,
            quotas: Quotas::default(),
            version: None,
            alias: None,
            test_case: None,
            token_key: crate::TokenKey::default(),
            starter: None,
        };
        let execution = Execution::new(context, json!({"a": [1, {"b": null}], "Input": 2}));
        let branch = Branch {
            parent: None,
            index: 0,
            state: text("S"),
            input: Value::Null,
            entered_at: Timestamp(0),
            entered_event_id: 2,
            previous_event_id: 2,
            retries: Vec::new(),
            activity: Activity::Joining,
        };
        let item = json!({"x": [7]});
        let task = TaskContext { retry_count: 3, token: Some(text("token")) };
        let context = ContextObject::new(&execution, BranchId::ROOT, &branch, Some(task)).with_item(4, &item);
        for (path, found) in [
            ("$$", true),
            ("$$.Execution", true),
            ("$$.Execution.Input", true),
            ("$$.Execution.Input.a[1].b", true),
            ("$$.Execution.Input.a[2]", false),
            ("$$.Execution.Input.nothing", false),
            ("$$['Execution']['Id']", true),
            ("$$.Execution.Nothing", false),
            ("$$.State.RetryCount", true),
            ("$$.State.Name.more", false),
            ("$$.StateMachine", true),
            ("$$.Task.Token", true),
            ("$$.Map", true),
            ("$$.Map.Item", true),
            ("$$.Map.Item.Index", true),
            ("$$.Map.Item.Value", true),
            ("$$.Map.Item.Value.x[0]", true),
            ("$$.Map.Item.Value.y", false),
            ("$$.Map[0]", false),
            ("$$.Nothing", false),
        ] {
            let selected = QueryPath::parse(path).unwrap().select(&Value::Null, &context);
            let whole = crate::jsonpath::JsonPath::parse(&path[1..]).unwrap().select(context.value());
            assert_eq!(selected, whole, "{path}");
            assert_eq!(selected.is_ok(), found, "{path}");
        }
    }
}

//! A Map in JSONata whose items come in an order made from the evaluation's time and seed: wherever a restart makes
//! them anew they must be the same, or an item would be done twice and another never.

use crate::model::Workflow;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::LazyLock;
use stepwell_asl::jsonata::{Evaluation, EvaluationError, Evaluator};
use stepwell_asl::{EventKind, Execution, HistoryEvent, StateMachine, StatesError, Status, TaskWork};

const DEFINITION: &str = r#"{
  "QueryLanguage": "JSONata",
  "StartAt": "Each",
  "States": {
    "Each": {
      "Type": "Map", "MaxConcurrency": 2,
      "Items": "{% $shuffle($states.input.items) %}",
      "ItemSelector": {"item": "{% $states.context.Map.Item.Value & '' %}"},
      "ItemProcessor": {"StartAt": "Work", "States": {
        "Work": {
          "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:work",
          "Arguments": "{% $states.input.item %}",
          "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 2, "MaxAttempts": 2}],
          "Output": {"done": "{% $states.result %}", "item": "{% $states.context.Map.Item.Value %}"}, "End": true
        }
      }},
      "Retry": [{"ErrorEquals": ["Crash"], "IntervalSeconds": 1, "MaxAttempts": 1}],
      "End": true
    }
  }
}"#;

static MACHINE: LazyLock<StateMachine> = LazyLock::new(|| StateMachine::parse(DEFINITION).unwrap());

/// What the outside world does for one seed.
pub(crate) struct Expressions {
    items: u64,
    /// Tasks that fail once as busy.
    busy: u64,
    /// Whether a task crashes, once.
    crash: std::cell::Cell<bool>,
}

/// Knows the two expressions that do not only name something.
struct Shuffle;

impl Evaluator for Shuffle {
    fn evaluate(&self, evaluation: &Evaluation<'_>) -> Result<Option<Value>, EvaluationError> {
        let states: Value = serde_json::from_str(&evaluation.bindings[0].1).unwrap();
        if !evaluation.expression.starts_with("$shuffle") {
            return Ok(Some(states["context"]["Map"]["Item"]["Value"].clone()));
        }
        let mut items = states["input"]["items"].as_array().cloned().unwrap();
        let time = u64::try_from(evaluation.now.0).unwrap();
        fastrand::Rng::with_seed(evaluation.seed ^ time).shuffle(&mut items);
        Ok(Some(Value::Array(items)))
    }
}

impl Workflow for Expressions {
    fn new(seed: u64) -> Expressions {
        let mut random = fastrand::Rng::with_seed(seed);
        let items = random.u64(1..7);
        Expressions { items, busy: random.u64(0..items), crash: random.bool().into() }
    }

    fn machine(&self) -> &'static StateMachine {
        &MACHINE
    }

    fn evaluator(&self) -> &dyn Evaluator {
        &Shuffle
    }

    fn input(&self) -> Value {
        json!({"items": (0..self.items).collect::<Vec<_>>()})
    }

    fn sent_from_outside(&self) -> Vec<(i64, EventKind)> {
        Vec::new()
    }

    fn run(&self, task: &TaskWork) -> Vec<(i64, EventKind)> {
        let work = task.work;
        let fail = |name: &str| EventKind::TaskFailed { work, error: StatesError::new(name, "") };
        let item = task.parameters.as_u64().unwrap();
        let event = if task.attempt == 0 && item < self.busy {
            fail("Busy")
        } else if self.crash.take() {
            fail("Crash")
        } else {
            EventKind::TaskSucceeded { work, result: json!(item) }
        };
        vec![(i64::try_from(item).unwrap() % 3, event)]
    }

    fn check(&self, execution: &Execution, _: &[HistoryEvent]) {
        assert_eq!(execution.progress.status, Status::Succeeded, "{:?}", execution.progress);
        let output = execution.progress.output.as_ref().and_then(Value::as_array).unwrap();
        let mut done: BTreeMap<u64, u64> = BTreeMap::new();
        for part in output {
            assert_eq!(part["done"], part["item"], "an iteration has one item from beginning to end");
            *done.entry(part["item"].as_u64().unwrap()).or_default() += 1;
        }
        assert_eq!(done, (0..self.items).map(|item| (item, 1)).collect(), "every item is done once");
    }
}

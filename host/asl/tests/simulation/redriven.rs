//! A workflow that fails, is stopped and times out, and is redriven until it succeeds: branches, iterations and branches in
//! them. What has ended well must never run again, and what has not must.

use crate::model::Workflow;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;
use stepwell_asl::{
    EventKind, Execution, HistoryDetails, HistoryEvent, StateMachine, StatesError, Status, TaskWork,
};

const DEFINITION: &str = r#"{"StartAt": "First", "TimeoutSeconds": 60, "States": {
  "First": {"Type": "Pass", "Assign": {"n.$": "$.n"}, "Next": "All"},
  "All": {"Type": "Parallel", "Next": "Last", "Branches": [
    {"StartAt": "Alone", "States": {
      "Alone": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f",
        "Parameters": {"what": "alone", "item.$": "$n"}, "Next": "Gate"},
      "Gate": {"Type": "Choice", "Choices": [
        {"Variable": "$$.Execution.RedriveCount", "NumericGreaterThanEquals": 1, "Next": "Nap"}]},
      "Nap": {"Type": "Wait", "Seconds": 2, "End": true}
    }},
    {"StartAt": "Each", "States": {"Each": {"Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 2, "End": true,
      "ItemSelector": {"item.$": "$$.Map.Item.Value"},
      "ItemProcessor": {"StartAt": "Keep", "States": {
        "Keep": {"Type": "Pass", "Assign": {"mine.$": "$.item"}, "Next": "Both"},
        "Both": {"Type": "Parallel", "End": true, "Branches": [
          {"StartAt": "Left", "States": {"Left": {"Type": "Task", "End": true,
            "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f", "TimeoutSeconds": 20,
            "Parameters": {"what": "left", "item.$": "$mine"},
            "Retry": [{"ErrorEquals": ["Busy"], "MaxAttempts": 1, "IntervalSeconds": 1}]}}},
          {"StartAt": "Right", "States": {"Right": {"Type": "Task", "End": true,
            "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f",
            "Parameters": {"what": "right", "item.$": "$mine"}}}}
        ]}
      }}
    }}}
  ]},
  "Last": {"Type": "Pass", "Parameters": {"all.$": "$", "n.$": "$n"}, "End": true}
}}"#;

static MACHINE: LazyLock<StateMachine> = LazyLock::new(|| StateMachine::parse(DEFINITION).unwrap());

pub(crate) struct Redriven {
    seed: u64,
}

impl Redriven {
    fn items(&self) -> u64 {
        self.seed % 5
    }

    /// A number below 100 that follows from the seed and from this.
    fn chance(&self, what: &str, item: &Value, redrives: u64) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.seed, what, item.to_string(), redrives).hash(&mut hasher);
        hasher.finish() % 100
    }
}

impl Workflow for Redriven {
    fn new(seed: u64) -> Redriven {
        Redriven { seed }
    }

    fn machine(&self) -> &'static StateMachine {
        &MACHINE
    }

    fn is_redriven(&self) -> bool {
        true
    }

    fn input(&self) -> Value {
        json!({"n": self.seed, "items": (0..self.items()).collect::<Vec<_>>()})
    }

    fn sent_from_outside(&self) -> Vec<(i64, EventKind)> {
        let at = i64::try_from(self.chance("stop", &Value::Null, 0)).unwrap() * 100;
        let stop = EventKind::Stop { error: Some("Stopped".to_owned()), cause: None };
        if self.seed.is_multiple_of(3) { vec![(at + 1, stop)] } else { Vec::new() }
    }

    fn run(&self, task: &TaskWork) -> Vec<(i64, EventKind)> {
        let what = task.parameters["what"].as_str().unwrap();
        // Whoever made the key: the redrive is its last part, if there was one.
        let redrives = task.idempotency_key.split('#').nth(3).map_or(0, |count| count.parse().unwrap());
        let work = task.work;
        let chance = self.chance(what, &task.parameters["item"], redrives);
        let delay = i64::try_from(chance).unwrap() * 20;
        let fails = |name: &str| {
            vec![(delay, EventKind::TaskFailed { work, error: StatesError::new(name, "as asked") })]
        };
        match chance {
            0..20 if redrives < 6 => fails("Broken"),
            // Nothing is heard of it.
            20..24 if redrives < 6 => Vec::new(),
            // Needs its only retry after every redrive.
            24..50 if what == "left" && task.attempt == 0 => fails("Busy"),
            _ => vec![(delay, EventKind::TaskSucceeded { work, result: task.parameters.clone() })],
        }
    }

    fn check(&self, execution: &Execution, history: &[HistoryEvent]) {
        let progress = &execution.progress;
        assert_eq!(progress.status, Status::Succeeded);
        let both = |item| json!([{"what": "left", "item": item}, {"what": "right", "item": item}]);
        let each: Vec<Value> = (0..self.items()).map(both).collect();
        let all = json!([{"what": "alone", "item": self.seed}, each]);
        assert_eq!(progress.output, Some(json!({"all": all, "n": self.seed})));
        let (mut entered, mut results) = (BTreeMap::new(), BTreeMap::new());
        let (mut ends, mut redrives, mut iterations) = (0, 0, 0);
        for event in history {
            #[allow(clippy::wildcard_enum_match_arm)] // only these are counted
            match &event.details {
                HistoryDetails::StateEntered { name, .. } => *entered.entry(name.as_str()).or_insert(0) += 1,
                HistoryDetails::LambdaFunctionSucceeded { output } => {
                    *results.entry(output.as_str()).or_insert(0) += 1;
                }
                HistoryDetails::MapIterationSucceeded { .. } => iterations += 1,
                HistoryDetails::ExecutionRedriven { redrive_count } => {
                    redrives += 1;
                    assert_eq!((*redrive_count, ends), (redrives, redrives));
                    assert_eq!(event.previous_event_id, event.id - 1, "the end leads to it");
                }
                HistoryDetails::ExecutionFailed { .. }
                | HistoryDetails::ExecutionAborted { .. }
                | HistoryDetails::ExecutionTimedOut { .. }
                | HistoryDetails::ExecutionSucceeded { .. } => ends += 1,
                _ => {}
            }
        }
        assert_eq!(ends, redrives + 1);
        assert_eq!(progress.redrive.map(|redrive| redrive.count), Some(redrives));
        assert_eq!(iterations, self.items(), "every iteration ends well once");
        assert!(results.values().all(|count| *count == 1), "nothing that ended well runs again: {results:?}");
        for name in ["First", "All", "Last", "Alone", "Gate", "Nap", "Each"] {
            assert_eq!(entered.get(name), Some(&1), "{name} is entered once");
        }
        for name in ["Keep", "Both", "Left", "Right"] {
            assert_eq!(entered.get(name).copied().unwrap_or(0), self.items(), "{name} is entered once each");
        }
    }
}

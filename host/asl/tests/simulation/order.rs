//! A line of states: a task with retries and a catcher, a choice, a long wait.

use crate::model::Workflow;
use serde_json::{Value, json};
use std::sync::LazyLock;
use stepwell_asl::{
    EventKind, Execution, HistoryDetails, HistoryEvent, StateMachine, StatesError, Status, TaskWork,
};

const DEFINITION: &str = r#"{
  "StartAt": "Prepare",
  "TimeoutSeconds": 900000,
  "States": {
    "Prepare": {"Type": "Pass", "Result": {"prepared": true}, "ResultPath": "$.prepare", "Next": "Charge"},
    "Charge": {
      "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:charge", "TimeoutSeconds": 60,
      "ResultPath": "$.charge",
      "Retry": [{"ErrorEquals": ["Busy", "States.Timeout"], "IntervalSeconds": 1, "MaxAttempts": 3, "JitterStrategy": "FULL"}],
      "Catch": [{"ErrorEquals": ["Declined"], "ResultPath": "$.declined", "Next": "Refused"}],
      "Next": "Big"
    },
    "Big": {
      "Type": "Choice",
      "Choices": [{"Variable": "$.amount", "NumericGreaterThan": 100, "Next": "Cool"}],
      "Default": "Ship"
    },
    "Cool": {"Type": "Wait", "Seconds": 3600, "Next": "Ship"},
    "Ship": {
      "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
      "Parameters": {"FunctionName": "ship", "Payload.$": "$"}, "OutputPath": "$.Payload", "End": true
    },
    "Refused": {"Type": "Fail", "Error": "Refused", "CausePath": "$.declined.Cause"}
  }
}"#;

static MACHINE: LazyLock<StateMachine> = LazyLock::new(|| StateMachine::parse(DEFINITION).unwrap());

/// What the outside world does for one seed.
pub(crate) struct Order {
    amount: u64,
    /// Charges that fail as busy before one works.
    busy: u32,
    declined: bool,
}

impl Workflow for Order {
    fn new(seed: u64) -> Order {
        let mut random = fastrand::Rng::with_seed(seed);
        Order { amount: random.u64(1..200), busy: random.u32(0..6), declined: random.u8(0..4) == 0 }
    }

    fn machine(&self) -> &'static StateMachine {
        &MACHINE
    }

    fn input(&self) -> Value {
        json!({"amount": self.amount})
    }

    fn sent_from_outside(&self) -> Vec<(i64, EventKind)> {
        Vec::new()
    }

    fn run(&self, task: &TaskWork) -> Vec<(i64, EventKind)> {
        let work = task.work;
        let fail =
            |name: &str| EventKind::TaskFailed { work, error: StatesError::new(name, format!("{name}!")) };
        let event = match task.state_name.as_str() {
            "Charge" if task.attempt < self.busy => fail("Busy"),
            "Charge" if self.declined => fail("Declined"),
            "Charge" => EventKind::TaskSucceeded { work, result: json!({"attempt": task.attempt}) },
            _ => {
                let shipped = &task.parameters["Payload"]["amount"];
                EventKind::TaskSucceeded { work, result: json!({"Payload": {"shipped": shipped}}) }
            }
        };
        vec![(0, event)]
    }

    fn check(&self, execution: &Execution, history: &[HistoryEvent]) {
        let (status, result) = if self.busy > 3 {
            (Status::Failed, json!("Busy"))
        } else if self.declined {
            (Status::Failed, json!("Refused"))
        } else {
            (Status::Succeeded, json!({"shipped": self.amount}))
        };
        let progress = &execution.progress;
        assert_eq!(progress.status, status);
        assert_eq!(progress.output.clone().or(progress.error.clone().map(Value::String)), Some(result));
        let charges = history
            .iter()
            .filter(|event| matches!(event.details, HistoryDetails::LambdaFunctionScheduled { .. }));
        assert_eq!(charges.count(), self.busy.min(3) as usize + 1, "each attempt is scheduled once");
    }
}

//! Branches: a Map of tasks, a task that waits for its token with heartbeats, a nested Parallel with variables; all
//! of it retried and caught as a whole, timed out or stopped from outside.

use crate::model::Workflow;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::LazyLock;
use stepwell_asl::{
    BranchId, EventKind, Execution, HistoryDetails, HistoryEvent, StateMachine, StatesError, Status, TaskWork,
};

const DEFINITION: &str = r#"{
  "StartAt": "Prepare",
  "TimeoutSeconds": 100000,
  "States": {
    "Prepare": {"Type": "Pass", "Assign": {"bonus": 100}, "Next": "Fan"},
    "Fan": {
      "Type": "Parallel",
      "Branches": [
        {"StartAt": "Each", "States": {"Each": {
          "Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 2,
          "ItemSelector": {"item.$": "$$.Map.Item.Value", "index.$": "$$.Map.Item.Index"},
          "ItemProcessor": {"StartAt": "Work", "States": {
            "Work": {
              "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:work",
              "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 2, "MaxAttempts": 2}],
              "Catch": [{"ErrorEquals": ["Declined"], "Next": "Skipped"}],
              "Assign": {"mine.$": "$.value"}, "Next": "Nap"
            },
            "Nap": {"Type": "Wait", "Seconds": 5, "Next": "Done"},
            "Done": {"Type": "Pass", "Parameters": {"sum.$": "States.MathAdd($mine, $bonus)", "index.$": "$$.Map.Item.Index"}, "End": true},
            "Skipped": {"Type": "Pass", "Result": "skipped", "End": true}
          }},
          "End": true
        }}},
        {"StartAt": "Ask", "States": {
          "Ask": {
            "Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "Parameters": {"MessageBody": {"token.$": "$$.Task.Token"}},
            "TimeoutSeconds": 300, "HeartbeatSeconds": 30,
            "Retry": [{"ErrorEquals": ["States.HeartbeatTimeout"], "MaxAttempts": 1}],
            "Catch": [{"ErrorEquals": ["States.Timeout"], "Next": "NoAnswer"}],
            "End": true
          },
          "NoAnswer": {"Type": "Pass", "Result": "no answer", "End": true}
        }},
        {"StartAt": "Inner", "States": {"Inner": {
          "Type": "Parallel",
          "Branches": [
            {"StartAt": "Left", "States": {"Left": {"Type": "Pass", "Assign": {"side": "left"}, "Next": "LeftSide"},
              "LeftSide": {"Type": "Pass", "Parameters": {"side.$": "$side"}, "OutputPath": "$.side", "End": true}}},
            {"StartAt": "Right", "States": {"Right": {"Type": "Wait", "Seconds": 1, "Assign": {"side": "right"}, "Next": "RightSide"},
              "RightSide": {"Type": "Pass", "Parameters": {"side.$": "$side"}, "OutputPath": "$.side", "End": true}}}
          ],
          "End": true
        }}}
      ],
      "Retry": [{"ErrorEquals": ["Crash"], "IntervalSeconds": 1, "MaxAttempts": 1}],
      "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Failed"}],
      "End": true
    },
    "Failed": {"Type": "Pass", "OutputPath": "$.error.Error", "End": true}
  }
}"#;

static MACHINE: LazyLock<StateMachine> = LazyLock::new(|| StateMachine::parse(DEFINITION).unwrap());
/// The same with a time limit below the time that a missing heartbeat takes.
static IMPATIENT: LazyLock<StateMachine> =
    LazyLock::new(|| StateMachine::parse(&DEFINITION.replace("100000", "20")).unwrap());

const SECOND: i64 = 1_000;

/// What the task of one item does.
#[derive(Clone, Copy, PartialEq)]
enum Item {
    Works,
    /// Fails that often before it works.
    Busy(u32),
    /// Its error is caught.
    Declined,
    /// Its error is not.
    Crashes,
}

/// What happens to the question.
#[derive(Clone, Copy, PartialEq)]
enum Question {
    /// Heartbeats every 20 seconds, then an answer.
    Answered { heartbeats: i64 },
    /// Nothing ever comes.
    Silent,
    /// Heartbeats without end and no answer.
    Endless,
}

/// What the outside world does for one seed.
pub(crate) struct FanOut {
    items: Vec<Item>,
    question: Question,
    impatient: bool,
    stopped_after: Option<i64>,
}

impl FanOut {
    fn crashes(&self) -> bool {
        // The third attempt of a busy task is its last.
        self.items.iter().any(|item| matches!(item, Item::Crashes | Item::Busy(3..)))
    }

    fn expected_output(&self) -> Value {
        let first_error =
            if self.items.iter().any(|item| matches!(item, Item::Crashes)) { "Crash" } else { "Busy" };
        if self.crashes() {
            return json!(first_error);
        }
        let item = |(index, item): (usize, &Item)| match item {
            Item::Declined => json!("skipped"),
            Item::Works | Item::Busy(_) | Item::Crashes => json!({"sum": 100 + index * 10, "index": index}),
        };
        let each: Vec<Value> = self.items.iter().enumerate().map(item).collect();
        let answer = match self.question {
            Question::Answered { .. } => "yes",
            Question::Silent | Question::Endless => "no answer",
        };
        json!([each, answer, ["left", "right"]])
    }
}

impl Workflow for FanOut {
    fn new(seed: u64) -> FanOut {
        let mut random = fastrand::Rng::with_seed(seed);
        let kinds = if random.bool() { 3 } else { 4 };
        let items = (0..random.usize(0..6)).map(|_| match random.u8(0..kinds) {
            0 => Item::Works,
            1 => Item::Busy(random.u32(0..3)),
            2 => Item::Declined,
            _ if random.bool() => Item::Crashes,
            _ => Item::Busy(3),
        });
        let items: Vec<Item> = items.collect();
        let question = match random.u8(0..4) {
            0 => Question::Silent,
            1 => Question::Endless,
            _ => Question::Answered { heartbeats: random.i64(0..10) },
        };
        let impatient = question == Question::Silent && random.bool();
        let stopped_after = (random.u8(0..8) == 0).then(|| random.i64(1..60) * SECOND);
        FanOut { items, question, impatient, stopped_after }
    }

    fn machine(&self) -> &'static StateMachine {
        if self.impatient { &IMPATIENT } else { &MACHINE }
    }

    fn input(&self) -> Value {
        json!({"items": (0..self.items.len()).collect::<Vec<_>>()})
    }

    fn sent_from_outside(&self) -> Vec<(i64, EventKind)> {
        let stop = EventKind::Stop { error: Some("Stopped".to_owned()), cause: None };
        self.stopped_after.map(|after| (after, stop)).into_iter().collect()
    }

    fn run(&self, task: &TaskWork) -> Vec<(i64, EventKind)> {
        let work = task.work;
        if task.state_name == "Ask" {
            assert!(task.parameters["MessageBody"]["token"].is_string(), "{:?}", task.parameters);
            let heartbeat = |number: i64| (number * 20 * SECOND, EventKind::TaskHeartbeat { work });
            let mut events = vec![(0, EventKind::TaskSubmitted { work, output: json!({"MessageId": 1}) })];
            match self.question {
                Question::Silent => {}
                Question::Endless => events.extend((1..40).map(heartbeat)),
                Question::Answered { heartbeats } => {
                    events.extend((1..=heartbeats).map(heartbeat));
                    let at = (heartbeats * 20 + 10) * SECOND;
                    events.push((at, EventKind::TaskSucceeded { work, result: json!("yes") }));
                }
            }
            return events;
        }
        let index = usize::try_from(task.parameters["index"].as_u64().unwrap()).unwrap();
        assert_eq!(task.parameters["item"], json!(index), "every iteration has its own item");
        let fail = |name: &str| EventKind::TaskFailed { work, error: StatesError::new(name, "") };
        let event = match self.items[index] {
            Item::Crashes => fail("Crash"),
            Item::Declined => fail("Declined"),
            Item::Busy(times) if task.attempt < times => fail("Busy"),
            Item::Works | Item::Busy(_) => {
                EventKind::TaskSucceeded { work, result: json!({"value": index * 10}) }
            }
        };
        vec![(if index % 2 == 0 { 0 } else { SECOND }, event)]
    }

    fn watch(&self, execution: &Execution) {
        let mut children: BTreeMap<BranchId, u64> = BTreeMap::new();
        for branch in execution.branches.values() {
            if let Some(parent) = branch.parent {
                *children.entry(parent).or_default() += 1;
            }
        }
        for (id, join) in &execution.joins {
            let running = children.get(id).copied().unwrap_or_default();
            assert_eq!(running, join.running, "a join counts its branches");
            assert!(running <= join.concurrency, "no more run than may");
            let results = execution.results.get(id).map_or(0, BTreeMap::len) as u64;
            assert_eq!(join.next, running + results, "each is waiting, running or done");
        }
    }

    fn check(&self, execution: &Execution, history: &[HistoryEvent]) {
        let progress = &execution.progress;
        match progress.status {
            Status::Succeeded => {
                // Which of two uncaught errors comes first is a matter of timing.
                let output = progress.output.clone().unwrap();
                let both = self.items.contains(&Item::Crashes) && self.items.contains(&Item::Busy(3));
                assert!(output == self.expected_output() || both && output == json!("Busy"), "{output}");
                assert!(!self.impatient || self.crashes(), "it must have timed out");
            }
            Status::Aborted => {
                assert!(self.stopped_after.is_some());
                assert_eq!(progress.error.as_deref(), Some("Stopped"));
            }
            Status::TimedOut => assert!(self.impatient),
            Status::Failed | Status::Running => panic!("{:?} {:?}", progress.error, progress.cause),
        }
        if progress.status == Status::Succeeded {
            check_iterations(history);
        }
    }
}

/// Every iteration that began ended in exactly one way, and so did every attempt of a Parallel state.
fn check_iterations(history: &[HistoryEvent]) {
    let count =
        |wanted: &[&str]| history.iter().filter(|event| wanted.contains(&event.type_name().as_str())).count();
    let ended = ["MapIterationSucceeded", "MapIterationFailed", "MapIterationAborted"];
    assert_eq!(count(&["MapIterationStarted"]), count(&ended));
    let exits = history
        .iter()
        .filter(|event| matches!(&event.details, HistoryDetails::StateExited { name, .. } if name == "Fan"));
    assert_eq!(exits.count(), 1);
}

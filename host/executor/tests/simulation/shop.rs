//! What is simulated: orders of a shop, and what each of them must come to.
//!
//! The answers of tasks follow from the order and the attempt, never from the life in which they are asked for.

use async_trait::async_trait;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use stepwell_asl::{StatesError, Status, Timestamp};
use stepwell_executor::{Clock, Integration, StartRequest, TaskOutcome, TaskRequest};
use stepwell_store::{MachineId, MachineRecord};
use tokio::time::{Duration, Instant, sleep};

pub(crate) const DEFINITION: &str = r#"{
  "StartAt": "Order",
  "States": {
    "Order": {
      "Type": "Parallel", "ResultPath": "$.results", "Next": "Cool",
      "Retry": [{"ErrorEquals": ["Flaky"], "IntervalSeconds": 1, "MaxAttempts": 1}],
      "Catch": [{"ErrorEquals": ["Declined"], "ResultPath": "$.why", "Next": "Refused"}],
      "Branches": [
        {"StartAt": "Charge", "States": {"Charge": {
          "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:charge",
          "TimeoutSecondsPath": "$.patience", "End": true,
          "Parameters": {"number.$": "$.number"}, "Assign": {"charged.$": "$.charged"},
          "Retry": [
            {"ErrorEquals": ["Busy"], "IntervalSeconds": 2, "MaxAttempts": 2, "JitterStrategy": "FULL"},
            {"ErrorEquals": ["States.Timeout"], "IntervalSeconds": 1, "BackoffRate": 1, "MaxAttempts": 99}
          ]
        }}},
        {"StartAt": "Items", "States": {"Items": {
          "Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 3, "End": true,
          "ItemProcessor": {"StartAt": "Note", "States": {
            "Note": {"Type": "Pass", "Assign": {"item.$": "$"}, "Next": "Pick"},
            "Pick": {
              "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:pick", "Next": "Pack",
              "Parameters": {"item.$": "$item"},
              "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 1, "MaxAttempts": 1}]
            },
            "Pack": {"Type": "Wait", "Seconds": 1, "End": true}
          }}
        }}}
      ]
    },
    "Cool": {"Type": "Wait", "SecondsPath": "$.wait", "OutputPath": "$.results", "Next": "Done"},
    "Done": {"Type": "Succeed"},
    "Refused": {"Type": "Fail", "ErrorPath": "$.why.Error"}
  }
}"#;

/// How long nobody hears of a charge that hangs, in seconds; the others have an hour, which no crash uses up.
const PATIENCE: u64 = 20;

/// Virtual time: tokio's paused clock as wall clock.
pub(crate) struct PausedClock(pub(crate) Instant);

impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        Timestamp(1_700_000_000_000 + i64::try_from(self.0.elapsed().as_millis()).unwrap())
    }
}

/// Answers by what the input asks for, the same for every run of one attempt.
#[derive(Default)]
pub(crate) struct Shop {
    /// The first idempotency key that a flaky order was charged with: that attempt fails, whatever life it runs in.
    flaky: Mutex<BTreeMap<u64, String>>,
}

#[async_trait]
impl Integration for Shop {
    fn runs(&self, _: &stepwell_asl::Resource) -> bool {
        true
    }

    async fn run(&self, request: TaskRequest) -> TaskOutcome {
        let parameters = &request.parameters;
        let result = if let Some(item) = parameters["item"].as_u64() {
            sleep(Duration::from_millis(item * 13)).await;
            if is_busy_item(item) && request.attempt < 1 { Err("Busy") } else { Ok(json!({"picked": item})) }
        } else {
            let number = parameters["number"].as_u64().unwrap();
            sleep(Duration::from_millis(number % 20 * 37)).await;
            if hangs(number) && request.attempt < 1 {
                std::future::pending::<()>().await;
            }
            self.charge(number, &request)
        };
        TaskOutcome { result: result.map_err(|name| StatesError::new(name, "as asked")), log: Vec::new() }
    }
}

impl Shop {
    fn charge(&self, number: u64, request: &TaskRequest) -> Result<Value, &'static str> {
        match number % 5 {
            1 if request.attempt < 1 => Err("Busy"),
            2 if !is_redriven(&request.idempotency_key) => Err("Busy"),
            3 => Err("Declined"),
            4 if self.is_first(number, &request.idempotency_key) => Err("Flaky"),
            _ => Ok(json!({"charged": number})),
        }
    }

    fn is_first(&self, number: u64, key: &str) -> bool {
        self.flaky.lock().unwrap().entry(number).or_insert_with(|| key.to_owned()) == key
    }
}

/// Whether an item is busy on the first attempt.
pub(crate) fn is_busy_item(item: u64) -> bool {
    item % 4 == 1
}

/// Whether nothing is heard of the first charge of an order.
fn hangs(number: u64) -> bool {
    number % 10 == 5
}

/// Whether the client stops an order, some time after its start.
pub(crate) fn is_stopped(number: u64) -> bool {
    number % 8 == 6
}

/// How often the client redrives an order that has not succeeded.
pub(crate) fn redrives(number: u64) -> usize {
    usize::try_from(number / 2 % 3).unwrap()
}

/// Whether an attempt belongs to an execution that was redriven.
fn is_redriven(idempotency_key: &str) -> bool {
    idempotency_key.split('#').count() > 3
}

/// The items of an order.
pub(crate) fn items(number: u64) -> std::ops::Range<u64> {
    0..number % 9
}

/// What an order comes to, unless it is stopped before.
pub(crate) struct Expected {
    pub(crate) status: Status,
    /// The output, or the error.
    pub(crate) result: Value,
    /// How often it is charged, at least and at most.
    pub(crate) charges: (usize, usize),
    /// How often the Parallel state begins.
    pub(crate) rounds: usize,
}

/// After so many redrives.
pub(crate) fn expected(number: u64, redrives: usize) -> Expected {
    let expected = expected_at_first(number);
    if redrives == 0 {
        return expected;
    }
    let Expected { charges: (least, most), rounds, .. } = expected;
    // Whatever was under way at an end is begun anew. Who was stopped early had not made all attempts.
    let (charges, rounds) = ((least.min(1), most * (1 + redrives)), rounds + redrives);
    let (status, result) = match number % 5 {
        2 => (Status::Succeeded, output(number)),
        _ => (expected.status, expected.result),
    };
    Expected { status, result, charges, rounds }
}

fn output(number: u64) -> Value {
    let picked: Vec<Value> = items(number).map(|item| json!({"picked": item})).collect();
    json!([{"charged": number}, picked])
}

fn expected_at_first(number: u64) -> Expected {
    let output = output(number);
    let (status, result, charges, rounds) = match number % 5 {
        1 => (Status::Succeeded, output, (2, 2), 1),
        2 => (Status::Failed, json!("Busy"), (3, 3), 1),
        3 => (Status::Failed, json!("Declined"), (1, 1), 1),
        4 => (Status::Succeeded, output, (2, 2), 2),
        // One that hangs runs out of time once, or again where a slow store or crashes take as long.
        _ if hangs(number) => (Status::Succeeded, output, (2, 100), 1),
        _ => (Status::Succeeded, output, (1, 1), 1),
    };
    Expected { status, result, charges, rounds }
}

pub(crate) fn machine() -> MachineRecord {
    MachineRecord {
        id: MachineId([7; 16]),
        arn: "arn:aws:states:us-east-1:123456789012:stateMachine:m".to_owned(),
        name: "m".to_owned(),
        machine_type: "STANDARD".to_owned(),
        role_arn: "arn:aws:iam::123456789012:role/r".to_owned(),
        created_at: Timestamp(0),
        updated_at: Timestamp(0),
        revision: 1,
        revision_id: None,
        logging_configuration: None,
        tracing_configuration: None,
        encryption_configuration: None,
        deleting: false,
        next_version: 1,
        created_with: None,
    }
}

pub(crate) fn arn(number: u64) -> String {
    format!("arn:aws:states:us-east-1:123456789012:execution:m:{number}")
}

/// The start of an order. Some wait long enough to leave memory.
pub(crate) fn request(number: u64) -> StartRequest {
    let items: Vec<u64> = items(number).collect();
    let wait = if number % 6 == 5 { 40 } else { number % 3 };
    let patience = if hangs(number) { PATIENCE } else { 3_600 };
    let input_value = json!({"number": number, "wait": wait, "patience": patience, "items": items});
    StartRequest {
        machine: machine().into(),
        name: number.to_string(),
        fresh_name: false,
        execution_arn: arn(number),
        region: "us-east-1".to_owned(),
        input: input_value.to_string(),
        input_value,
        trace_header: None,
        version: None,
        test_case: None,
        alias: None,
        starter: None,
    }
}

/// The shop and the clock: what outlives a crash beside the store.
pub(crate) struct World {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) shop: Arc<Shop>,
}

//! The workload of the transitions benchmark: a machine that is a chain of Task states, and tasks that end at once.
//!
//! A task's result carries the moment at which it was given, so the next task of the same execution can say how long
//! the transition between them took, without any table of running executions.

use async_trait::async_trait;
use serde_json::{Value, json};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use stepwell_asl::{StatesError, Timestamp};
use stepwell_executor::{Integration, StartRequest, TaskOutcome, TaskRequest};
use stepwell_store::{MachineId, MachineRecord};

/// Task states of the chain. Each costs one transition, and the start one more.
pub const TASKS: u64 = 10;
/// Transitions of one execution: the start, and the result of each task. The last one also ends the execution.
pub const TRANSITIONS: u64 = TASKS + 1;
/// History events of one execution: started and succeeded, and five for each Lambda task (entered, scheduled, started,
/// succeeded, exited).
pub const EVENTS: u64 = 2 + 5 * TASKS;

const ACCOUNT: &str = "us-east-1:123456789012";
/// The field of the payload that carries a moment, in nanoseconds since the workload was made.
const AT: &str = "at";

/// The definition, JSON text.
pub fn definition() -> String {
    let states: serde_json::Map<String, Value> = (1..=TASKS)
        .map(|number| {
            let mut state =
                json!({"Type": "Task", "Resource": format!("arn:aws:lambda:{ACCOUNT}:function:work")});
            if number < TASKS {
                state["Next"] = json!(state_name(number + 1));
            } else {
                state["End"] = json!(true);
            }
            (state_name(number), state)
        })
        .collect();
    json!({"StartAt": state_name(1), "States": states}).to_string()
}

fn state_name(number: u64) -> String {
    format!("Work{number}")
}

/// The record of the machine.
pub fn machine() -> MachineRecord {
    MachineRecord {
        id: MachineId([7; 16]),
        arn: format!("arn:aws:states:{ACCOUNT}:stateMachine:chain"),
        name: "chain".to_owned(),
        machine_type: "STANDARD".to_owned(),
        role_arn: "arn:aws:iam::123456789012:role/bench".to_owned(),
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

/// The ARN of the execution with this number.
pub fn execution_arn(number: u64) -> String {
    format!("arn:aws:states:{ACCOUNT}:execution:chain:{}", execution_name(number))
}

fn execution_name(number: u64) -> String {
    format!("order-{number:012}")
}

/// Tasks that end at once, and how long the transitions between them take.
pub struct Work {
    origin: Instant,
    transition_times: Mutex<Vec<Duration>>,
}

impl Default for Work {
    fn default() -> Work {
        Work { origin: Instant::now(), transition_times: Mutex::new(Vec::new()) }
    }
}

impl Work {
    /// The request that starts the execution with this number, now.
    pub fn start_request(&self, number: u64) -> StartRequest {
        let input_value = json!({
            AT: self.now(),
            "orderId": execution_name(number),
            "items": [{"sku": "CUP-07", "count": 2}, {"sku": "TEA-19", "count": 1}],
            "customer": "c-1042",
        });
        StartRequest {
            machine: machine().into(),
            name: execution_name(number),
            fresh_name: false,
            execution_arn: execution_arn(number),
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

    /// Takes the times measured since the last time: from a start or a task's result to the moment when the task that
    /// follows begins, which is after the commit of the transition between the two.
    pub fn take_transition_times(&self) -> Vec<Duration> {
        std::mem::take(&mut *self.transition_times.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

#[async_trait]
impl Integration for Work {
    fn runs(&self, _: &stepwell_asl::Resource) -> bool {
        true
    }

    async fn run(&self, request: TaskRequest) -> TaskOutcome {
        let begun = self.now();
        let mut payload = request.parameters;
        let result = match payload.get(AT).and_then(Value::as_u64) {
            Some(given) => {
                let mut times = self.transition_times.lock().unwrap_or_else(PoisonError::into_inner);
                times.push(Duration::from_nanos(begun.saturating_sub(given)));
                drop(times);
                payload[AT] = json!(self.now());
                Ok(payload)
            }
            None => Err(StatesError::new("Bench.NoMoment", format!("the payload has no `{AT}`: {payload}"))),
        };
        TaskOutcome { result, log: Vec::new() }
    }
}

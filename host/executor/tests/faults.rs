//! The executor over a store that fails and crashes by a seeded plan, in virtual time.
//!
//! Whatever strikes, every execution ends with the result that its input asks for, and its history is whole.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use async_trait::async_trait;
use serde_json::{Value, json};
use std::sync::Arc;
use stepwell_asl::{HistoryDetails, HistoryEvent, StatesError, Status, Timestamp};
use stepwell_executor::{
    Clock, Executor, ExecutorConfig, Integration, StartError, StartRequest, TaskOutcome, TaskRequest,
};
use stepwell_store::fault::{FaultBackend, FaultPlan};
use stepwell_store::{Changes, MachineId, MachineRecord, MemoryBackend, Store};
use tokio::time::{Duration, Instant, sleep};

const SEEDS: u64 = 40;
const EXECUTIONS: u64 = 20;
/// A run that needs more lives than this is stuck.
const LIVES: usize = 400;
/// Looks at all executions in one life, half a second of virtual time apart; one that takes longer is stuck.
const ROUNDS: usize = 1_000;

const DEFINITION: &str = r#"{
  "StartAt": "Charge",
  "States": {
    "Charge": {
      "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:charge", "TimeoutSeconds": 30,
      "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 2, "MaxAttempts": 2}],
      "Catch": [{"ErrorEquals": ["Declined"], "ResultPath": "$.why", "Next": "Refused"}],
      "Next": "Cool"
    },
    "Cool": {"Type": "Wait", "SecondsPath": "$.wait", "Next": "Done"},
    "Done": {"Type": "Succeed"},
    "Refused": {"Type": "Fail", "ErrorPath": "$.why.Error"}
  }
}"#;

/// Virtual time: tokio's paused clock as wall clock.
struct VirtualClock(Instant);

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        Timestamp(1_700_000_000_000 + i64::try_from(self.0.elapsed().as_millis()).unwrap())
    }
}

/// Charges by what the input asks for, deterministic by attempt.
struct Charge;

#[async_trait]
impl Integration for Charge {
    async fn run(&self, request: TaskRequest) -> TaskOutcome {
        let number = request.parameters["number"].as_u64().unwrap();
        sleep(Duration::from_millis(number * 37)).await;
        let fail = |name: &str| Err(StatesError::new(name, "as asked"));
        let result = match number % 5 {
            1 if request.attempt < 1 => fail("Busy"),
            2 => fail("Busy"),
            3 => fail("Declined"),
            _ => Ok(json!({"number": number, "wait": number % 3})),
        };
        TaskOutcome { result, log: Vec::new() }
    }
}

fn expected(number: u64) -> (Status, Value, usize) {
    match number % 5 {
        1 => (Status::Succeeded, json!({"number": number, "wait": number % 3}), 2),
        2 => (Status::Failed, json!("Busy"), 3),
        3 => (Status::Failed, json!("Declined"), 1),
        _ => (Status::Succeeded, json!({"number": number, "wait": number % 3}), 1),
    }
}

fn machine() -> MachineRecord {
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
    }
}

fn arn(number: u64) -> String {
    format!("arn:aws:states:us-east-1:123456789012:execution:m:{number}")
}

fn request(number: u64) -> StartRequest {
    let input_value = json!({"number": number, "wait": number % 3});
    StartRequest {
        machine: machine(),
        name: number.to_string(),
        execution_arn: arn(number),
        region: "us-east-1".to_owned(),
        input: input_value.to_string(),
        input_value,
        trace_header: None,
    }
}

async fn open(backend: &Arc<FaultBackend>, clock: &Arc<VirtualClock>) -> Option<(Store, Executor)> {
    let store = Store::new(Arc::<FaultBackend>::clone(backend));
    let clock: Arc<dyn Clock> = Arc::<VirtualClock>::clone(clock);
    let executor = Executor::open(store.clone(), Arc::new(Charge), clock, ExecutorConfig { shards: 3 }).await;
    executor.ok().map(|executor| (store, executor))
}

/// One life: starts what is not started, and waits until all have ended or the process "dies".
async fn live(store: &Store, executor: &Executor, backend: &FaultBackend) -> bool {
    for _ in 0..ROUNDS {
        let mut ended = 0;
        for number in 0..EXECUTIONS {
            match executor.start(request(number)).await {
                Ok(_) | Err(StartError::Store(_) | StartError::ShuttingDown | StartError::Busy) => {}
                Err(StartError::AlreadyExists { .. }) => ended += 1,
                Err(failure @ StartError::Definition { .. }) => panic!("{failure}"),
            }
        }
        if backend.crashed() || ended == EXECUTIONS {
            return !backend.crashed() && all_ended(store).await;
        }
        sleep(Duration::from_millis(500)).await;
    }
    panic!("stuck; faults: {:?}", backend.struck());
}

async fn all_ended(store: &Store) -> bool {
    matches!(store.open_executions(None, 1).await, Ok(open) if open.is_empty())
}

async fn run(seed: u64) {
    let memory = Arc::new(MemoryBackend::new());
    let truth = Store::new(Arc::<MemoryBackend>::clone(&memory));
    let mut changes = Changes::new();
    changes.machine(&machine(), DEFINITION, None).unwrap();
    truth.commit(changes).await.unwrap();
    let clock = Arc::new(VirtualClock(Instant::now()));
    let mut backend = Arc::new(FaultBackend::new(memory, FaultPlan::every(seed)));
    for _ in 0..LIVES {
        if let Some((store, executor)) = open(&backend, &clock).await {
            let done = live(&store, &executor, &backend).await;
            executor.shut_down(Duration::ZERO).await;
            if done {
                return check(&truth, seed).await;
            }
        }
        backend = Arc::new(backend.restart().await);
    }
    panic!("seed {seed}: not done after {LIVES} lives; faults: {:?}", backend.struck());
}

async fn check(store: &Store, seed: u64) {
    for number in 0..EXECUTIONS {
        let id = store.execution_id(&arn(number)).await.unwrap().unwrap();
        let execution = store.checkpoint(id).await.unwrap().unwrap();
        let (status, result, attempts) = expected(number);
        assert_eq!(execution.status, status, "seed {seed}, execution {number}");
        let got = execution.output.or(execution.error.map(Value::String));
        assert_eq!(got, Some(result), "seed {seed}, execution {number}");
        let history = store.history(id, 1, 10_000, false).await.unwrap().events;
        check_history(&history, attempts, &format!("seed {seed}, execution {number}"));
        let mut reversed = store.history(id, u64::MAX, 10_000, true).await.unwrap().events;
        reversed.reverse();
        assert_eq!(reversed, history);
    }
}

fn check_history(history: &[HistoryEvent], attempts: usize, place: &str) {
    for (index, event) in history.iter().enumerate() {
        assert_eq!(event.id, index as u64 + 1, "{place}: ids are dense");
        assert!(event.previous_event_id < event.id, "{place}");
        assert!(index == 0 || history[index - 1].timestamp <= event.timestamp, "{place}: time runs forward");
    }
    let count =
        |matches: fn(&HistoryDetails) -> bool| history.iter().filter(|event| matches(&event.details)).count();
    let scheduled = count(|details| matches!(details, HistoryDetails::LambdaFunctionScheduled { .. }));
    assert_eq!(scheduled, attempts, "{place}: each attempt is recorded once");
    let ends = count(|details| {
        matches!(details, HistoryDetails::ExecutionSucceeded { .. } | HistoryDetails::ExecutionFailed { .. })
    });
    assert_eq!(ends, 1, "{place}: it ends once");
}

#[test]
fn every_execution_ends_right_whatever_strikes_the_store() {
    let only = std::env::var("STEPWELL_SEED").ok().and_then(|seed| seed.parse().ok());
    for seed in only.map_or(0..SEEDS, |seed: u64| seed..seed + 1) {
        println!("seed {seed}; repeat with STEPWELL_SEED={seed}");
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(run(seed));
    }
}

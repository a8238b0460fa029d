//! Executions that start others and wait for them, over a store that fails and crashes by a plan: every child is started
//! once, every parent ends once with what its child came to, and what an aborted parent has started is stopped.

#![expect(clippy::unwrap_used, reason = "a test may panic anywhere, also outside of its test function")]

use async_trait::async_trait;
use serde_json::{Value, json};
use std::sync::{Arc, OnceLock, RwLock};
use stepwell_asl::{HistoryDetails, Resource, Starter, StatesError, Status, Timestamp};
use stepwell_executor::{
    Clock, Executor, ExecutorConfig, Integration, NoExpressions, StartError, StartRequest, TaskOutcome,
    TaskRequest,
};
use stepwell_store::fault::{FaultBackend, FaultPlan};
use stepwell_store::{Backend, Changes, MachineId, MachineRecord, MemoryBackend, Store};
use tokio::time::{Duration, Instant, sleep};

const PARENT: &str = r#"{"StartAt": "T", "States": {"T": {"Type": "Task", "End": true,
  "Resource": "arn:aws:states:::states:startExecution.sync"}}}"#;
const CHILD: &str =
    r#"{"StartAt": "W", "States": {"W": {"Type": "Wait", "SecondsPath": "$.wait", "End": true}}}"#;
const SEEDS: u64 = 30;
const PARENTS: u64 = 12;
/// A run that needs more lives or looks than this is stuck.
const LIVES: u64 = 400;
const LOOKS: usize = 2_000;

struct PausedClock(Instant);

impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        Timestamp(1_700_000_000_000 + i64::try_from(self.0.elapsed().as_millis()).unwrap())
    }
}

fn machine(name: &str, id: u8) -> MachineRecord {
    MachineRecord {
        id: MachineId([id; 16]),
        arn: format!("arn:aws:states:us-east-1:123456789012:stateMachine:{name}"),
        name: name.to_owned(),
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

fn request(machine: MachineRecord, name: &str, input: Value, starter: Option<Starter>) -> StartRequest {
    StartRequest {
        execution_arn: arn(&machine.name, name),
        machine: Arc::new(machine),
        name: name.to_owned(),
        fresh_name: false,
        region: "us-east-1".to_owned(),
        input: input.to_string(),
        input_value: input,
        trace_header: None,
        version: None,
        alias: None,
        test_case: None,
        starter,
    }
}

fn arn(machine: &str, name: &str) -> String {
    format!("arn:aws:states:us-east-1:123456789012:execution:{machine}:{name}")
}

/// Starts children by the executor of this life. Its parts are those of the server's own service, without the API.
#[derive(Default)]
struct Nest(OnceLock<(Executor, Store)>, RwLock<u64>);

impl Nest {
    fn life(&self) -> &(Executor, Store) {
        self.0.get().unwrap()
    }

    async fn start(&self, task: &TaskRequest) -> Value {
        let (executor, store) = self.life();
        let starter = Starter { idempotency_key: task.idempotency_key.clone(), depth: 1 };
        let name = task.idempotency_key.replace([':', '#'], "-");
        let child = request(machine("child", 2), &name, task.parameters.clone(), Some(starter.clone()));
        let answer = json!({"ExecutionArn": child.execution_arn});
        loop {
            *self.1.write().unwrap() += 1;
            match executor.start(child.clone()).await {
                Ok(_) => return answer,
                Err(StartError::AlreadyExists { arn }) => {
                    if let Ok(Some(id)) = store.execution_id(&arn).await
                        && let Ok(Some(standing)) = store.standing(id).await
                    {
                        assert_eq!(standing.context.starter, Some(starter), "somebody else's");
                        return answer;
                    }
                }
                Err(_) => {}
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    async fn end(&self, arn: &str) -> Result<Value, StatesError> {
        let (executor, store) = self.life();
        loop {
            if let Ok(Some(id)) = store.execution_id(arn).await
                && executor.wait(arn, id).await.is_ok()
                && let Ok(Some(standing)) = store.standing(id).await
                && !standing.is_running()
            {
                let output = standing.output.map(|text| serde_json::from_str(&text).unwrap());
                return output.ok_or_else(|| StatesError::new("States.TaskFailed", standing.status.as_str()));
            }
            sleep(Duration::from_millis(100)).await;
        }
    }
}

#[async_trait]
impl Integration for Nest {
    fn runs(&self, _: &Resource) -> bool {
        true
    }

    async fn run(&self, task: TaskRequest) -> TaskOutcome {
        TaskOutcome { result: Ok(self.start(&task).await), log: Vec::new() }
    }

    async fn finish(&self, _: TaskRequest, submission: Value) -> TaskOutcome {
        let result = self.end(submission["ExecutionArn"].as_str().unwrap()).await;
        TaskOutcome { result, log: Vec::new() }
    }

    async fn stop(&self, task: TaskRequest, _: Option<Value>) {
        let name = task.idempotency_key.replace([':', '#'], "-");
        while self.life().0.stop(&arn("child", &name), None, None).await.is_err() {
            sleep(Duration::from_millis(100)).await;
        }
    }
}

fn open(seed: u64, life: u64, begun: Instant, backend: Arc<dyn Backend>) -> (Arc<Nest>, Executor) {
    let (store, nest) = (Store::new(backend), Arc::<Nest>::default());
    let config = ExecutorConfig { shards: 2, seed: Some((seed << 16) + life), ..ExecutorConfig::default() };
    let integration = Arc::clone(&nest) as Arc<dyn Integration>;
    let clock = Arc::new(PausedClock(begun));
    let executor =
        Executor::open(store.clone(), integration, Arc::new(NoExpressions), clock, config).unwrap();
    assert!(nest.0.set((executor.clone(), store)).is_ok());
    (nest, executor)
}

fn input(number: u64) -> Value {
    json!({"wait": number % 4 * 5, "number": number})
}

/// Asks for all parents until they have ended. Whether they have, or the process has "died".
async fn live(executor: &Executor, backend: &FaultBackend, truth: &Store) -> bool {
    for _ in 0..LOOKS {
        let mut ended = 0;
        for number in 0..PARENTS {
            let name = number.to_string();
            let start = executor.start(request(machine("parent", 1), &name, input(number), None)).await;
            ended += u64::from(matches!(start, Err(StartError::AlreadyExists { .. })));
        }
        if backend.crashed() {
            return false;
        }
        if ended == PARENTS
            && truth.executions(MachineId([1; 16]), Some(Status::Running), None, 1).await.unwrap().is_empty()
        {
            return true;
        }
        sleep(Duration::from_millis(300)).await;
    }
    panic!("stuck; faults: {:?}", backend.struck());
}

/// How many lives a seed took.
async fn simulate(seed: u64) -> u64 {
    let begun = Instant::now();
    let memory = Arc::new(MemoryBackend::new());
    let truth = Store::new(Arc::<MemoryBackend>::clone(&memory));
    let mut changes = Changes::new();
    changes.machine(&machine("parent", 1), PARENT, None).unwrap();
    changes.machine(&machine("child", 2), CHILD, None).unwrap();
    truth.commit(changes).await.unwrap();
    let often = 0.02;
    let plan = FaultPlan {
        full: often,
        unknown_lost: often,
        unknown_stored: often,
        crash_before: often,
        crash_after: often,
        slow: often,
        slow_for: Duration::from_millis(200),
        ..FaultPlan::every(seed)
    };
    let mut backend = FaultBackend::new(Arc::<MemoryBackend>::clone(&memory), plan);
    let mut life = 0;
    loop {
        assert!(life < LIVES, "not done after {LIVES} lives: {:?}", backend.struck());
        let shared = Arc::new(backend);
        let (_nest, executor) = open(seed, life, begun, Arc::<FaultBackend>::clone(&shared));
        let done = live(&executor, &shared, &truth).await;
        executor.shut_down(Duration::ZERO).await;
        if done {
            break;
        }
        backend = shared.restart().await;
        life += 1;
    }
    check(&truth).await;
    life
}

async fn check(truth: &Store) {
    let children = truth.executions(MachineId([2; 16]), None, None, 1_000).await.unwrap();
    assert_eq!(children.len() as u64, PARENTS, "every child is started once");
    for number in 0..PARENTS {
        let id = truth.execution_id(&arn("parent", &number.to_string())).await.unwrap().unwrap();
        let standing = truth.standing(id).await.unwrap().unwrap();
        let output: Value = serde_json::from_str(standing.output.as_deref().unwrap()).unwrap();
        assert_eq!((standing.status, output), (Status::Succeeded, input(number)));
        let history = truth.history(id, 1, 100, false).await.unwrap().events;
        let count = |wanted: fn(&HistoryDetails) -> bool| {
            history.iter().filter(|event| wanted(&event.details)).count()
        };
        assert_eq!(count(|details| matches!(details, HistoryDetails::TaskSubmitted { .. })), 1);
        assert_eq!(count(|details| matches!(details, HistoryDetails::TaskSucceeded { .. })), 1);
        assert_eq!(count(|details| matches!(details, HistoryDetails::ExecutionSucceeded { .. })), 1);
    }
}

#[test]
fn a_child_is_started_once_and_its_parent_ends_once_whatever_strikes_the_store() {
    let mut lives = 0;
    for seed in 1..=SEEDS {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        println!("seed {seed}");
        lives += runtime.block_on(simulate(seed));
    }
    println!("{SEEDS} seeds, {lives} crashes");
    assert!(lives > SEEDS, "crashes are what this is about");
}

#[tokio::test(start_paused = true)]
async fn what_an_aborted_parent_has_started_is_stopped_but_not_when_the_server_stops() {
    let begun = Instant::now();
    let memory = Arc::new(MemoryBackend::new());
    let truth = Store::new(Arc::<MemoryBackend>::clone(&memory));
    let mut changes = Changes::new();
    changes.machine(&machine("parent", 1), PARENT, None).unwrap();
    changes.machine(&machine("child", 2), CHILD, None).unwrap();
    truth.commit(changes).await.unwrap();
    let parent = request(machine("parent", 1), "p", json!({"wait": 3600}), None);
    let status = async || {
        let children = truth.executions(MachineId([2; 16]), None, None, 10).await.unwrap();
        assert!(children.len() < 2);
        match children.first() {
            Some((id, _)) => Some(truth.standing(*id).await.unwrap().unwrap().status),
            None => None,
        }
    };
    let (_nest, executor) = open(1, 1, begun, Arc::<MemoryBackend>::clone(&memory));
    executor.start(parent.clone()).await.unwrap();
    sleep(Duration::from_secs(5)).await;
    assert_eq!(status().await, Some(Status::Running));
    // A job far away does not keep the server from stopping, and goes on with the next.
    let stopping = Instant::now();
    executor.shut_down(Duration::from_mins(1)).await;
    assert!(stopping.elapsed() < Duration::from_secs(1));
    assert_eq!(status().await, Some(Status::Running));
    let (nest, executor) = open(1, 2, begun, Arc::<MemoryBackend>::clone(&memory));
    sleep(Duration::from_secs(5)).await;
    assert_eq!(*nest.1.read().unwrap(), 0, "only the second half runs again");
    executor.stop(&parent.execution_arn, None, None).await.unwrap();
    sleep(Duration::from_secs(5)).await;
    assert_eq!(status().await, Some(Status::Aborted));
    executor.shut_down(Duration::ZERO).await;
}

//! Closed executions are removed when they have been kept long enough, over restarts, crashes and failing commits, and
//! while others run; their names are free then, and not before.

#![expect(clippy::unwrap_used, reason = "a test may panic anywhere, also outside of its test function")]

#[path = "lane/world.rs"]
#[allow(dead_code, reason = "the lane's tests need more of it")]
mod world;

use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use stepwell_asl::jsonata::NoEvaluator;
use stepwell_asl::{
    Event, EventKind, Execution, ExecutionContext, Quotas, StateMachine, Status, Timestamp, step,
};
use stepwell_executor::{Clock, Executor, ExecutorConfig, NoExpressions, StartError, StopError, SystemClock};
use stepwell_store::fault::{Fault, FaultBackend, FaultPlan};
use stepwell_store::{
    Backend, Changes, ExecutionId, MachineId, MemoryBackend, Moved, OpenOptions, StartRecord, Store, Tracked,
    check_records,
};
use world::{Echo, add_machines, arn, pause, request};

const PASS: &str = r#"{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}"#;
const WAIT: &str = r#"{"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 360000, "End": true}}}"#;
const HOUR: Duration = Duration::from_hours(1);

/// Tokio's paused clock.
struct Paused(tokio::time::Instant);

impl Clock for Paused {
    fn now(&self) -> Timestamp {
        Timestamp(1_700_000_000_000 + i64::try_from(self.0.elapsed().as_millis()).unwrap())
    }
}

async fn machines(backend: &Arc<dyn Backend>) {
    let machines = [("pass", PASS.to_owned()), ("wait", WAIT.to_owned())];
    add_machines(&Store::new(Arc::clone(backend)), &machines).await;
}

fn open(backend: Arc<dyn Backend>, clock: Arc<dyn Clock>, keep: Option<Duration>) -> (Store, Executor) {
    let store = Store::new(backend);
    let config = ExecutorConfig { shards: 2, retention: keep, ..ExecutorConfig::default() };
    let opened = Executor::open(store.clone(), Arc::new(Echo), Arc::new(NoExpressions), clock, config);
    (store, opened.unwrap())
}

async fn check(backend: &Arc<dyn Backend>) -> stepwell_store::RecordCheck {
    let found = check_records(Arc::clone(backend), &mut |_| {}).await.unwrap();
    assert!(found.is_sound(), "{:#?}", found.examples);
    found
}

#[tokio::test(start_paused = true)]
async fn an_execution_goes_when_it_was_kept_long_enough_and_its_name_is_free_then() {
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    machines(&backend).await;
    let clock = Arc::new(Paused(tokio::time::Instant::now()));
    let (store, mut executor) = open(Arc::clone(&backend), clock.clone(), Some(HOUR));
    executor.start(request("wait", "waits", 0)).await.unwrap();
    for number in 0..40 {
        executor.start(request("pass", &format!("e{number}"), number)).await.unwrap();
    }
    let first = store.execution_id(&arn("e7")).await.unwrap().unwrap();
    // Restarts change nothing: what is due is in the store.
    for _ in 0..2 {
        tokio::time::sleep(HOUR * 2 / 5).await;
        executor.shut_down(Duration::ZERO).await;
        executor = open(Arc::clone(&backend), clock.clone(), Some(HOUR)).1;
    }
    tokio::time::sleep(HOUR / 10).await;
    assert_eq!(check(&backend).await.executions, 41);
    let again = executor.start(request("pass", "e7", 7)).await;
    assert!(matches!(again, Err(StartError::AlreadyExists { .. })), "{again:?}");

    tokio::time::sleep(HOUR / 5).await;
    let found = check(&backend).await;
    assert_eq!((found.executions, found.running), (1, 1), "the one that runs stays");
    assert_eq!(store.execution_id(&arn("e7")).await.unwrap(), None);
    let gone = executor.stop(&arn("e7"), None, None).await;
    assert!(matches!(gone, Err(StopError::DoesNotExist { .. })), "{gone:?}");
    executor.start(request("pass", "e7", 8)).await.unwrap();
    let second = store.execution_id(&arn("e7")).await.unwrap().unwrap();
    assert_ne!(first, second);
    // It has its own time.
    tokio::time::sleep(HOUR * 9 / 10).await;
    assert_eq!(store.execution_id(&arn("e7")).await.unwrap(), Some(second));
    assert_eq!(store.standing(second).await.unwrap().unwrap().status, Status::Succeeded);
    tokio::time::sleep(HOUR / 5).await;
    assert_eq!(store.execution_id(&arn("e7")).await.unwrap(), None);
    executor.shut_down(Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn without_a_time_everything_stays() {
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    machines(&backend).await;
    let (_, executor) = open(Arc::clone(&backend), Arc::new(Paused(tokio::time::Instant::now())), None);
    executor.start(request("pass", "e", 0)).await.unwrap();
    tokio::time::sleep(HOUR * 48).await;
    assert_eq!(check(&backend).await.executions, 1);
}

#[tokio::test(start_paused = true)]
async fn crashes_and_failing_commits_only_delay_it() {
    const EXECUTIONS: u64 = 800;
    let mut crashes = 0;
    for seed in 0..20 {
        let inner: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
        machines(&inner).await;
        fill(&Store::new(Arc::clone(&inner)), EXECUTIONS).await;
        let clock = Arc::new(Paused(tokio::time::Instant::now()));
        let plan = FaultPlan { seed, full: 0.1, unknown_lost: 0.1, unknown_stored: 0.1, ..FaultPlan::none() };
        let plan = FaultPlan { crash_before: 0.1, crash_after: 0.1, delay_turns: 3, ..plan };
        let mut twin = Arc::new(FaultBackend::new(Arc::clone(&inner), plan));
        let (mut lives, mut rounds) = (1, 0);
        let mut executor = open(twin.clone(), clock.clone(), Some(HOUR)).1;
        loop {
            tokio::time::sleep(Duration::from_secs(7)).await;
            let found = check(&inner).await;
            if found.executions + found.half_removed == 0 {
                break;
            }
            if twin.crashed() {
                executor.shut_down(Duration::ZERO).await;
                twin = Arc::new(twin.restart().await);
                executor = open(twin.clone(), clock.clone(), Some(HOUR)).1;
                lives += 1;
            }
            rounds += 1;
            assert!(rounds < 2_000, "seed {seed}: {found:?}, faults {:?}", twin.struck());
        }
        let faults = twin.struck();
        println!("seed {seed}: {lives} lives, {} faults", faults.len());
        assert!(Store::new(inner).execution_id(&arn("e3")).await.unwrap().is_none());
        crashes +=
            faults.iter().filter(|fault| matches!(fault, Fault::CrashBefore | Fault::CrashAfter)).count();
        executor.shut_down(Duration::ZERO).await;
    }
    assert!(crashes > 20, "{crashes} crashes: too tame");
}

/// Closed executions as many days ago as they fit: starts that ended at once.
async fn fill(store: &Store, executions: u64) {
    let machine = StateMachine::parse(PASS).unwrap();
    let mut changes = Changes::new();
    for number in 0..executions {
        let mut id = [0; 16];
        id[8..].copy_from_slice(&number.to_be_bytes());
        let record = StartRecord {
            machine: machine_id("pass"),
            revision: 1,
            revision_id: None,
            revised_at: Timestamp(0),
            input: json!({"number": number}).to_string(),
            trace_header: None,
            observation: None,
        };
        let at = Timestamp(1_000 + i64::try_from(number).unwrap());
        let mut tracked = Tracked::new(ExecutionId(id), record, true);
        let execution = Execution::new(context(arn(&format!("e{number}")), at), json!({"number": number}));
        let event = EventKind::Start;
        let mut transition = step(&machine, execution, Event { at, kind: event.clone() }, &NoEvaluator);
        let parked_after = Timestamp(i64::MAX);
        let moved = Moved { at, event: &event, transition: &mut transition, parked_after };
        changes.transition(&mut tracked, moved).unwrap();
        if number % 256 == 255 || number + 1 == executions {
            store.commit(std::mem::take(&mut changes)).await.unwrap();
        }
    }
}

fn machine_id(name: &str) -> MachineId {
    let mut id = [0; 16];
    id[..name.len()].copy_from_slice(name.as_bytes());
    MachineId(id)
}

fn context(execution_arn: String, start_time: Timestamp) -> ExecutionContext {
    ExecutionContext {
        execution_name: execution_arn.rsplit(':').next().unwrap().to_owned(),
        execution_arn,
        role_arn: "arn:aws:iam::123456789012:role/r".to_owned(),
        state_machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:pass".to_owned(),
        state_machine_name: "pass".to_owned(),
        region: "us-east-1".to_owned(),
        start_time,
        seed: 5,
        quotas: Quotas::default(),
        version: None,
        alias: None,
        test_case: None,
        token_key: stepwell_asl::TokenKey::default(),
        starter: None,
    }
}

/// Clients that start executions one after the other, until told to end.
struct Load {
    started: Arc<AtomicU64>,
    ends: Arc<AtomicBool>,
    clients: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    fn begin(executor: &Executor, clients: u64, prefix: &'static str) -> Load {
        let (started, ends) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let clients = (0..clients).map(|client| {
            let (executor, started, ends) = (executor.clone(), started.clone(), ends.clone());
            tokio::spawn(async move {
                for number in 0.. {
                    if ends.load(Ordering::Relaxed) {
                        return;
                    }
                    let name = format!("{prefix}{client}-{number}");
                    executor.start(request("pass", &name, number)).await.unwrap();
                    started.fetch_add(1, Ordering::Relaxed);
                }
            })
        });
        Load { clients: clients.collect(), started, ends }
    }

    async fn end(self) -> u64 {
        self.ends.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.await.unwrap();
        }
        self.started.load(Ordering::Relaxed)
    }
}

/// A fifth of them in a debug build. Set `STEPWELL_RETENTION_STORE` to a new store such as `sled:DIR` to measure; the figures are printed, not judged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_go_while_others_run() {
    const EXECUTIONS: u64 = if cfg!(debug_assertions) { 20_000 } else { 100_000 };
    const CLIENTS: u64 = 16;
    let backend: Arc<dyn Backend> = match std::env::var("STEPWELL_RETENTION_STORE") {
        Ok(location) => stepwell_store::open(&location.parse().unwrap(), OpenOptions::default()).unwrap(),
        Err(_) => Arc::new(MemoryBackend::new()),
    };
    machines(&backend).await;
    fill(&Store::new(Arc::clone(&backend)), EXECUTIONS).await;

    let (_, executor) = open(Arc::clone(&backend), Arc::new(SystemClock), None);
    let (load, begun) = (Load::begin(&executor, CLIENTS, "before-"), Instant::now());
    while begun.elapsed() < Duration::from_secs(3) {
        pause().await;
    }
    let before = load.end().await;
    let rate_before = per_second(before, begun.elapsed());
    executor.shut_down(Duration::ZERO).await;

    let (store, executor) = open(Arc::clone(&backend), Arc::new(SystemClock), Some(HOUR));
    let (load, begun) = (Load::begin(&executor, CLIENTS, "during-"), Instant::now());
    while !store.expired(None, Timestamp(1_000_000_000), 1).await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(begun.elapsed() < Duration::from_mins(10), "nothing removes them");
    }
    let took = begun.elapsed();
    let during = load.end().await;
    println!(
        "{EXECUTIONS} removed in {took:.1?} ({}/s); {CLIENTS} clients started {rate_before}/s before and {}/s meanwhile",
        per_second(EXECUTIONS, took),
        per_second(during, took),
    );
    executor.shut_down(Duration::ZERO).await;
    let found = check(&backend).await;
    assert_eq!((found.executions, found.half_removed), (before + during, 0), "the others are all there");
    backend.close().await.unwrap();
}

fn per_second(count: u64, took: Duration) -> Value {
    json!(u128::from(count) * 1_000 / took.as_millis().max(1))
}

//! Express executions: synchronous ones at most once and on their caller's task, asynchronous ones at least once, all within
//! their bounds and in virtual time too.

#![expect(clippy::unwrap_used, reason = "a test may panic anywhere, also outside of its test function")]

#[path = "lane/world.rs"]
#[allow(dead_code, reason = "the lane's tests need more of it")]
mod world;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use stepwell_asl::{Resource, StatesError, Status, Timestamp};
use stepwell_executor::{
    Clock, Executor, ExecutorConfig, ExpressBounds, ExpressEnd, Integration, NoExpressions, Skipping,
    StartError, SystemClock, TaskOutcome, TaskRequest, VirtualClock,
};
use stepwell_store::fault::{FaultBackend, FaultPlan};
use stepwell_store::{Backend, Store, check_records};
use tokio::sync::Semaphore;
use world::{Played, World, pause, request, until};

const PASS: &str = r#"{"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}"#;
const GATED: &str = r#"{"StartAt": "G", "States": {"G": {"Type": "Task", "End": true,
  "Resource": "arn:aws:lambda:us-east-1:123456789012:function:gated"}}}"#;
/// All of them run at the same time, and the one that fails takes the others with it.
const TOGETHER: &str = r#"{"StartAt": "All", "States": {"All": {"Type": "Parallel", "End": true, "Branches": [
  {"StartAt": "A", "States": {"A": {"Type": "Task", "End": true,
    "Resource": "arn:aws:lambda:us-east-1:123456789012:function:gated"}}},
  {"StartAt": "B", "States": {"B": {"Type": "Task", "End": true,
    "Resource": "arn:aws:lambda:us-east-1:123456789012:function:gated"}}},
  {"StartAt": "C", "States": {"C": {"Type": "Task", "End": true,
    "Resource": "arn:aws:lambda:us-east-1:123456789012:function:third"}}}]}}}"#;
const LONG: &str = r#"{"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 3600, "End": true}}}"#;
const SHORT: &str = r#"{"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 100, "Next": "T"},
  "T": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:free", "End": true}}}"#;
const SPINNING: &str = r#"{"StartAt": "A", "TimeoutSeconds": 1, "States": {
  "A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Choice", "Default": "A", "Choices": [
    {"Variable": "$.number", "NumericEquals": -1, "Next": "C"}]}, "C": {"Type": "Succeed"}}}"#;
/// Keeps its outputs, of some hundred kilobytes each.
const GROWING: &str = r#"{"StartAt": "M", "States": {"M": {"Type": "Map", "ItemsPath": "$.items", "End": true,
  "ItemProcessor": {"StartAt": "T", "States": {"T": {"Type": "Task", "End": true,
    "Resource": "arn:aws:lambda:us-east-1:123456789012:function:large"}}}}}}"#;

const MACHINES: [(&str, &str); 7] = [
    ("pass", PASS),
    ("gated", GATED),
    ("together", TOGETHER),
    ("long", LONG),
    ("short", SHORT),
    ("spinning", SPINNING),
    ("growing", GROWING),
];

/// Tasks by the names of their functions.
struct Work {
    gate: Semaphore,
    begun: AtomicUsize,
    ended: AtomicUsize,
    keys: Mutex<Vec<String>>,
}

/// Counts, also when the task is aborted.
struct Running<'a>(&'a AtomicUsize);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Integration for Work {
    fn runs(&self, _: &Resource) -> bool {
        true
    }

    async fn run(&self, request: TaskRequest) -> TaskOutcome {
        self.begun.fetch_add(1, Ordering::SeqCst);
        self.keys.lock().unwrap().push(request.idempotency_key);
        let _running = Running(&self.ended);
        if request.resource.ends_with("gated") {
            self.gate.acquire().await.unwrap().forget();
        }
        let result = if request.resource.ends_with("third") {
            while self.begun.load(Ordering::SeqCst) < 3 {
                tokio::task::yield_now().await;
            }
            Err(StatesError::new("Third", "as asked"))
        } else if request.resource.ends_with("large") {
            Ok("x".repeat(200_000).into())
        } else {
            Ok(request.parameters)
        };
        TaskOutcome { result, log: Vec::new() }
    }
}

struct Bed {
    world: World<Played>,
    work: Arc<Work>,
    clock: Arc<dyn Clock>,
    bounds: ExpressBounds,
}

impl Bed {
    async fn new() -> Bed {
        let world = World::new(&MACHINES.map(|(name, text)| (name, text.to_owned()))).await;
        let work = Work {
            gate: Semaphore::new(0),
            begun: AtomicUsize::new(0),
            ended: AtomicUsize::new(0),
            keys: Mutex::default(),
        };
        Bed { world, work: Arc::new(work), clock: Arc::new(SystemClock), bounds: ExpressBounds::default() }
    }

    fn open(&self) -> Executor {
        self.open_over(Arc::clone(&self.world.backend))
    }

    fn open_over(&self, backend: Arc<dyn Backend>) -> Executor {
        let config = ExecutorConfig { shards: 1, express: self.bounds, ..ExecutorConfig::default() };
        let (work, clock) = (Arc::<Work>::clone(&self.work), Arc::clone(&self.clock));
        Executor::open(Store::new(backend), work, Arc::new(NoExpressions), clock, config).unwrap()
    }

    fn begun(&self) -> usize {
        self.work.begun.load(Ordering::SeqCst)
    }

    /// Starts that the store owes.
    async fn owed(&self) -> usize {
        Store::new(Arc::clone(&self.world.backend)).express_starts(None, 100).await.unwrap().len()
    }

    async fn until_owed(&self, count: usize) {
        for _ in 0..60_000 {
            if self.owed().await == count {
                return;
            }
            pause().await;
        }
        panic!("the store does not come to owe {count}");
    }
}

async fn run(executor: &Executor, machine: &str) -> Result<ExpressEnd, StartError> {
    executor.run_express(request(machine, "e", 7), pending()).await
}

#[tokio::test]
async fn a_synchronous_execution_answers_and_leaves_nothing() {
    let bed = Bed::new().await;
    let executor = bed.open();
    let before = Store::new(Arc::clone(&bed.world.backend));
    let end = run(&executor, "pass").await.unwrap();
    assert_eq!((end.status, end.output.as_deref()), (Status::Succeeded, Some(r#"{"number":7}"#)));
    let again = run(&executor, "pass").await.unwrap();
    assert_ne!(end.execution_arn, again.execution_arn, "the same name, another execution");
    assert_eq!(before.execution_id(&end.execution_arn).await, Ok(None));
    assert_eq!(bed.owed().await, 0);
}

#[tokio::test]
async fn tasks_run_at_the_same_time_and_fall_together() {
    let bed = Bed::new().await;
    let end = run(&bed.open(), "together").await.unwrap();
    assert_eq!((end.status, end.error.as_deref()), (Status::Failed, Some("Third")));
    until(|| bed.work.ended.load(Ordering::SeqCst) == 3).await;
}

#[tokio::test]
async fn an_execution_runs_on_without_its_caller_unless_it_was_given_up() {
    let bed = Bed::new().await;
    let executor = bed.open();
    assert_eq!(run(&executor, "gated").now_or_never(), None);
    assert_eq!((bed.begun(), bed.work.ended.load(Ordering::SeqCst)), (1, 0), "the caller has gone");
    bed.work.gate.add_permits(1);
    until(|| bed.work.ended.load(Ordering::SeqCst) == 1).await;

    let cut = executor.run_express(request("gated", "e", 7), std::future::ready(())).await;
    assert_eq!(cut, Err(StartError::ShuttingDown));
    assert_eq!((bed.begun(), bed.work.ended.load(Ordering::SeqCst)), (2, 2));
}

#[tokio::test]
async fn what_a_crash_cuts_short_runs_again_from_the_beginning_and_then_never_again() {
    let bed = Bed::new().await;
    let executor = bed.open();
    let started = executor.start_express(request("gated", "e", 7)).await.unwrap();
    assert_eq!(bed.owed().await, 1, "the start is durable before it is answered");
    until(|| bed.begun() == 1).await;
    let found = check_records(Arc::clone(&bed.world.backend), &mut |_| {}).await.unwrap();
    assert!(found.is_sound(), "{:?}", found.examples);
    // Without any grace it is as if the process had been killed: only the store is left.
    executor.shut_down(Duration::ZERO).await;
    assert_eq!(bed.owed().await, 1);

    let executor = bed.open();
    until(|| bed.begun() == 2).await;
    bed.work.gate.add_permits(1);
    bed.until_owed(0).await;
    let keys = bed.work.keys.lock().unwrap().clone();
    assert_eq!(keys[0], keys[1], "the same task of the same execution");
    assert!(keys[0].starts_with(&started.execution_arn));
    executor.shut_down(Duration::ZERO).await;
    drop(bed.open());
    pause().await;
    assert_eq!(bed.begun(), 2);
}

#[tokio::test]
async fn its_own_starts_are_not_run_again_by_the_process_that_has_them() {
    let bed = Bed::new().await;
    let executor = bed.open();
    for _ in 0..20 {
        executor.start_express(request("gated", "e", 7)).await.unwrap();
    }
    until(|| bed.begun() == 20).await;
    bed.work.gate.add_permits(20);
    bed.until_owed(0).await;
    assert_eq!(bed.begun(), 20);
}

#[tokio::test]
async fn a_start_that_cannot_be_stored_is_refused_and_does_not_run() {
    let bed = Bed::new().await;
    let broken = Arc::new(FaultBackend::new(Arc::clone(&bed.world.backend), FaultPlan::none()));
    let executor = bed.open_over(Arc::<FaultBackend>::clone(&broken));
    executor.start_express(request("gated", "one", 7)).await.unwrap();
    broken.crash();
    assert!(matches!(executor.start_express(request("gated", "two", 7)).await, Err(StartError::Store(_))));
    until(|| bed.begun() == 1).await;
    pause().await;
    assert_eq!((bed.begun(), bed.owed().await), (1, 1));
}

#[tokio::test]
async fn too_many_are_refused_until_there_is_room_again() {
    let bed = Bed {
        bounds: ExpressBounds { executions: 2, bytes: 1 << 20, ..ExpressBounds::default() },
        ..Bed::new().await
    };
    let executor = bed.open();
    let waiting = tokio::spawn({
        let executor = executor.clone();
        async move { run(&executor, "gated").await }
    });
    until(|| bed.begun() == 1).await;
    executor.start_express(request("gated", "e", 7)).await.unwrap();
    assert_eq!(run(&executor, "pass").await, Err(StartError::Full));
    assert_eq!(executor.start_express(request("pass", "e", 7)).await, Err(StartError::Full));
    bed.work.gate.add_permits(2);
    assert_eq!(waiting.await.unwrap().unwrap().status, Status::Succeeded);
    bed.until_owed(0).await;
    assert!(run(&executor, "pass").await.is_ok());
}

#[tokio::test]
async fn one_that_outgrows_its_room_is_ended_by_name() {
    let bed = Bed {
        bounds: ExpressBounds { executions: 2, bytes: 1 << 20, ..ExpressBounds::default() },
        ..Bed::new().await
    };
    let executor = bed.open();
    let mut large = request("growing", "e", 7);
    large.input_value = serde_json::json!({"items": vec![0; 100]});
    let end = executor.run_express(large, pending()).await.unwrap();
    let expected = (Status::Failed, Some("Stepwell.ExpressMemoryExceeded"));
    assert_eq!((end.status, end.error.as_deref()), expected);
    assert!(end.held_bytes >= 2 << 20);
    assert!(run(&executor, "pass").await.is_ok(), "it has given back what it held");
}

#[tokio::test]
async fn a_shut_down_gives_time_and_then_says_so() {
    let bed = Bed::new().await;
    let executor = bed.open();
    let waiting = tokio::spawn({
        let executor = executor.clone();
        async move { run(&executor, "gated").await }
    });
    until(|| bed.begun() == 1).await;
    executor.shut_down(Duration::ZERO).await;
    assert_eq!(waiting.await.unwrap(), Err(StartError::ShuttingDown));
    assert_eq!(run(&executor, "pass").await, Err(StartError::ShuttingDown));
    assert_eq!(executor.start_express(request("pass", "e", 7)).await, Err(StartError::ShuttingDown));
}

#[tokio::test]
async fn a_loop_without_end_meets_its_deadline() {
    let bed = Bed::new().await;
    let end = run(&bed.open(), "spinning").await.unwrap();
    assert_eq!((end.status, end.error, end.cause), (Status::TimedOut, None, None));
}

/// Stands still.
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp(1_700_000_000_000)
    }
}

#[tokio::test]
async fn five_minutes_are_all_there_is_and_virtual_time_skips_them() {
    let clock = Arc::new(VirtualClock::new(Arc::new(Still), Skipping::Auto));
    let bed = Bed { clock: Arc::<VirtualClock>::clone(&clock), ..Bed::new().await };
    let executor = bed.open();
    let end = run(&executor, "long").await.unwrap();
    let lasted = end.stopped_at.0 - end.started_at.0;
    assert_eq!((end.status, lasted, end.error), (Status::TimedOut, 300_000, None));
    let end = run(&executor, "short").await.unwrap();
    assert_eq!((end.status, end.stopped_at.0 - end.started_at.0), (Status::Succeeded, 100_000));
    assert_eq!(clock.offset(), Duration::from_secs(400));
}

#[tokio::test]
async fn virtual_time_stands_still_while_a_task_runs() {
    let clock = Arc::new(VirtualClock::new(Arc::new(Still), Skipping::Auto));
    let bed = Bed { clock: Arc::<VirtualClock>::clone(&clock), ..Bed::new().await };
    let executor = bed.open();
    executor.start_express(request("gated", "task", 7)).await.unwrap();
    until(|| bed.begun() == 1).await;
    executor.start_express(request("short", "wait", 7)).await.unwrap();
    for _ in 0..50 {
        pause().await;
    }
    assert_eq!((clock.offset(), bed.begun()), (Duration::ZERO, 1));
    bed.work.gate.add_permits(1);
    until(|| bed.begun() == 2).await;
    assert_eq!(clock.offset(), Duration::from_secs(100));
}

//! Virtual time: waits are skipped when nothing else is under way, to the millisecond, and never under a task that runs.
//!
//! The clock below the virtual one stands still, so every time in a history is known exactly.

#![expect(clippy::unwrap_used, reason = "a test may panic anywhere, also outside of its test function")]

#[path = "lane/world.rs"]
#[allow(dead_code, reason = "the lane's tests need more of it")]
mod world;

use async_trait::async_trait;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use stepwell_asl::{HistoryDetails, HistoryEvent, Resource, StatesError, Status, Timestamp};
use stepwell_executor::{
    AdvanceError, Clock, Executor, ExecutorConfig, Integration, NoExpressions, SkipError, Skipping,
    TaskOutcome, TaskRequest, VirtualClock,
};
use stepwell_store::{MemoryBackend, Store};
use tokio::sync::Semaphore;
use world::{Played, World, arn, request, until};

const BEGIN: Timestamp = Timestamp(1_700_000_000_000);
const HOUR: i64 = 3_600_000;
const YEAR: i64 = 31_536_000_000;

const A_YEAR: &str = r#"{"StartAt": "Year", "States": {
  "Year": {"Type": "Wait", "Seconds": 31536000, "Next": "Flaky"},
  "Flaky": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:flaky", "TimeoutSeconds": 10,
    "Retry": [{"ErrorEquals": ["Flaky"], "IntervalSeconds": 3600, "BackoffRate": 2, "MaxAttempts": 3}], "End": true}}}"#;

const SHORT_AND_LONG: &str = r#"{"StartAt": "Both", "States": {
  "Both": {"Type": "Parallel", "Next": "Third", "Branches": [
    {"StartAt": "One", "States": {"One": {"Type": "Wait", "SecondsPath": "$.number", "End": true}}},
    {"StartAt": "Two", "States": {"Two": {"Type": "Wait", "Seconds": 7, "Next": "Again"},
      "Again": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:echo", "End": true}}}]},
  "Third": {"Type": "Wait", "Seconds": 86400, "Next": "Fourth"},
  "Fourth": {"Type": "Wait", "Seconds": 1, "End": true}}}"#;

const GATED: &str = r#"{"StartAt": "Gated", "States": {"Gated": {"Type": "Task", "TimeoutSeconds": 5, "End": true,
  "Resource": "arn:aws:lambda:us-east-1:123456789012:function:gated"}}}"#;

const STEPS: &str = r#"{"StartAt": "A", "States": {
  "A": {"Type": "Wait", "Seconds": 5, "Next": "B"}, "B": {"Type": "Wait", "Seconds": 3600, "End": true}}}"#;

/// Stands still.
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        BEGIN
    }
}

/// Tasks by the names of their functions.
struct Work {
    gate: Semaphore,
    begun: AtomicUsize,
}

#[async_trait]
impl Integration for Work {
    fn runs(&self, _: &Resource) -> bool {
        true
    }

    async fn run(&self, request: TaskRequest) -> TaskOutcome {
        self.begun.fetch_add(1, Ordering::SeqCst);
        if request.resource.ends_with("gated") {
            self.gate.acquire().await.unwrap().forget();
        }
        let flaky = request.resource.ends_with("flaky") && request.attempt < 3;
        let result = if flaky { Err(StatesError::new("Flaky", "as asked")) } else { Ok(request.parameters) };
        TaskOutcome { result, log: Vec::new() }
    }
}

/// Longer than any execution takes here.
const PATIENCE: Duration = Duration::from_mins(1);

struct Bed {
    world: World<Played>,
    clock: Arc<VirtualClock>,
    work: Arc<Work>,
    executor: Executor,
}

impl Bed {
    async fn new(skipping: Skipping) -> Bed {
        let machines = [("year", A_YEAR), ("both", SHORT_AND_LONG), ("gated", GATED), ("steps", STEPS)];
        let world = World::new(&machines.map(|(name, text)| (name, text.to_owned()))).await;
        let clock = Arc::new(VirtualClock::new(Arc::new(Still), skipping));
        let work = Arc::new(Work { gate: Semaphore::new(0), begun: AtomicUsize::new(0) });
        let executor = open(&world, &work, &clock);
        Bed { world, clock, work, executor }
    }

    async fn start(&self, machine: &str, name: &str, number: u64) {
        self.executor.start(request(machine, name, number)).await.unwrap();
    }

    /// Waits until an execution has ended, as a client would.
    async fn ended(&self, name: &str) -> Status {
        let id = Store::new(Arc::clone(&self.world.backend)).execution_id(&arn(name)).await.unwrap().unwrap();
        tokio::time::timeout(PATIENCE, self.executor.wait(&arn(name), id)).await.expect("an end").unwrap();
        self.world.status(name).await.unwrap()
    }

    async fn restart(&mut self) {
        self.executor.shut_down(Duration::ZERO).await;
        self.executor = open(&self.world, &self.work, &self.clock);
    }
}

fn open(world: &World<Played>, work: &Arc<Work>, clock: &Arc<VirtualClock>) -> Executor {
    let store = Store::new(Arc::clone(&world.backend));
    let config = ExecutorConfig { shards: 3, ..ExecutorConfig::default() };
    let (work, clock) = (Arc::<Work>::clone(work), Arc::<VirtualClock>::clone(clock));
    Executor::open(store, work, Arc::new(NoExpressions), clock, config).unwrap()
}

/// Name, entry and exit of each state that has ended, in order of the exits; names are used once.
fn stays(history: &[HistoryEvent]) -> Vec<(String, i64, i64)> {
    let mut entered = Vec::new();
    let mut stays = Vec::new();
    for event in history {
        if let HistoryDetails::StateEntered { name, .. } = &event.details {
            entered.push((name.clone(), event.timestamp.0));
        }
        if let HistoryDetails::StateExited { name: exited, .. } = &event.details {
            let (name, from) = entered.iter().find(|(name, _)| name == exited).unwrap().clone();
            stays.push((name, from - BEGIN.0, event.timestamp.0 - BEGIN.0));
        }
    }
    stays
}

#[tokio::test]
async fn a_year_and_the_hours_between_retries_are_skipped_to_the_millisecond() {
    let bed = Bed::new(Skipping::Auto).await;
    bed.start("year", "e", 0).await;
    assert_eq!(bed.ended("e").await, Status::Succeeded);
    let end = YEAR + (1 + 2 + 4) * HOUR;
    let expected = [("Year".to_owned(), 0, YEAR), ("Flaky".to_owned(), YEAR, end)];
    assert_eq!(stays(&bed.world.history("e").await), expected);
    assert_eq!(bed.clock.now(), Timestamp(BEGIN.0 + end));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn no_timer_is_ever_overtaken() {
    let mut bed = Bed::new(Skipping::Auto).await;
    for number in 0..200_u64 {
        bed.start("both", &number.to_string(), number % 23).await;
        if number % 50 == 49 {
            bed.restart().await;
        }
    }
    for number in 0..200_u64 {
        let name = number.to_string();
        assert_eq!(bed.ended(&name).await, Status::Succeeded);
        let history = bed.world.history(&name).await;
        let began = history[0].timestamp.0 - BEGIN.0;
        let (one, two) = (i64::try_from(number % 23).unwrap() * 1_000, 7_000);
        let joined = began + one.max(two);
        let mut seen = stays(&history);
        seen.sort();
        let stay = |name: &str, from, to| (name.to_owned(), from, to);
        let expected = [
            stay("Again", began + two, began + two),
            stay("Both", began, joined),
            stay("Fourth", joined + 86_400_000, joined + 86_401_000),
            stay("One", began, began + one),
            stay("Third", joined, joined + 86_400_000),
            stay("Two", began, began + two),
        ];
        assert_eq!(seen, expected, "execution {name}");
    }
}

#[tokio::test]
async fn time_stands_still_while_a_task_runs() {
    let bed = Bed::new(Skipping::Auto).await;
    bed.start("gated", "task", 0).await;
    until(|| bed.work.begun.load(Ordering::SeqCst) == 1).await;
    bed.start("year", "year", 0).await;
    // Plenty of moments in which only the task runs.
    for number in 0..50 {
        assert!(bed.executor.start(request("steps", &number.to_string(), 0)).await.is_ok());
        tokio::task::yield_now().await;
    }
    assert_eq!(bed.clock.offset(), Duration::ZERO);
    bed.work.gate.add_permits(1);
    assert_eq!((bed.ended("task").await, bed.ended("year").await), (Status::Succeeded, Status::Succeeded));
    assert_eq!(bed.world.history("task").await.last().unwrap().timestamp, BEGIN);
}

#[tokio::test]
async fn manual_time_moves_only_when_it_is_told() {
    let bed = Bed::new(Skipping::Manual).await;
    assert_eq!(bed.executor.skip_to_next().await, Ok(None));
    bed.start("steps", "e", 0).await;
    assert_eq!(bed.executor.skip_to_next().await, Ok(Some(Timestamp(BEGIN.0 + 5_000))));
    // The second wait begins at that time, and was not there to be skipped before.
    assert_eq!(bed.executor.skip_to_next().await, Ok(Some(Timestamp(BEGIN.0 + 5_000 + HOUR))));
    assert_eq!(bed.ended("e").await, Status::Succeeded);
    assert_eq!(bed.executor.skip_to_next().await, Ok(None));

    bed.start("steps", "leapt", 0).await;
    let now = bed.clock.advance(Duration::from_hours(24)).unwrap();
    assert_eq!(bed.clock.advance_to(BEGIN), Err(AdvanceError::Backwards { now }));
    let at = bed.executor.skip_to_next().await.unwrap().unwrap();
    assert_eq!(at, Timestamp(now.0 + HOUR), "the first wait was over at the new time, late");
    assert_eq!(bed.ended("leapt").await, Status::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn who_wants_to_skip_under_a_task_hears_that_it_runs() {
    let bed = Bed::new(Skipping::Manual).await;
    bed.start("gated", "task", 0).await;
    assert_eq!(bed.executor.skip_to_next().await, Err(SkipError::AtWork));
    assert_eq!(bed.clock.now(), BEGIN);
    // Whoever leaps in spite of it runs into the time-out.
    bed.clock.advance(Duration::from_secs(5)).unwrap();
    assert_eq!(bed.ended("task").await, Status::Failed);
    assert_eq!(bed.world.standing("task").await.unwrap().error.as_deref(), Some("States.Timeout"));
}

#[tokio::test]
async fn real_time_cannot_be_skipped() {
    let store = Store::new(Arc::new(MemoryBackend::new()));
    let work = Arc::new(Work { gate: Semaphore::new(0), begun: AtomicUsize::new(0) });
    let config = ExecutorConfig::default();
    let executor = Executor::open(store, work, Arc::new(NoExpressions), Arc::new(Still), config).unwrap();
    assert_eq!(executor.skip_to_next().await, Err(SkipError::Real));
}

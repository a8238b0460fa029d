//! Executions that rest leave memory: they are woken up when their time has come, in this life or the next, and whoever
//! asks for one meanwhile gets the same answers.

#![expect(clippy::unwrap_used, reason = "a test may panic anywhere, also outside of its test function")]

#[path = "lane/logged.rs"]
mod logged;
#[path = "lane/world.rs"]
#[allow(dead_code, reason = "the lane's tests need more of it")]
mod world;

use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use stepwell_asl::{Status, Timestamp};
use stepwell_executor::{Clock, Executor, StartError, StopError, limits};
use stepwell_store::{Store, StoreError};
use tokio::time::Instant;
use world::{Played, World, arn, request};

const WAIT: &str = r#"{"StartAt": "A", "States": {
  "A": {"Type": "Wait", "Seconds": 60, "Next": "B"},
  "B": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:b", "Next": "C"},
  "C": {"Type": "Wait", "Seconds": 3600, "End": true}}}"#;

/// Too short to be parked.
const SHORT: &str = r#"{"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 5, "End": true}}}"#;

/// Tokio's paused clock, which a test may set.
struct Settable {
    begun: Instant,
    set_by: AtomicI64,
}

impl Clock for Settable {
    fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.begun.elapsed().as_millis()).unwrap();
        Timestamp(1_700_000_000_000 + elapsed + self.set_by.load(Ordering::Relaxed))
    }
}

struct Bed {
    world: World<Played>,
    clock: Arc<Settable>,
    store: Store,
    executor: Executor,
}

impl Bed {
    async fn new() -> Bed {
        let mut world = World::new(&[("wait", WAIT.to_owned()), ("short", SHORT.to_owned())]).await;
        let clock = Arc::new(Settable { begun: Instant::now(), set_by: AtomicI64::new(0) });
        world.clock = Arc::<Settable>::clone(&clock);
        let (store, executor) = world.open_over(Arc::clone(&world.backend)).unwrap();
        Bed { world, clock, store, executor }
    }

    async fn restart(&mut self) {
        self.executor.shut_down(Duration::ZERO).await;
        (self.store, self.executor) = self.world.open_over(Arc::clone(&self.world.backend)).unwrap();
    }

    async fn parked(&self) -> usize {
        self.store.wakes(None, Timestamp(i64::MAX), 100).await.unwrap().0.len()
    }

    async fn last_event(&self, name: &str) -> u64 {
        self.world.standing(name).await.unwrap().last_event_id
    }

    async fn elapse(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }
}

/// Events until the first Wait, and until the second.
const FIRST: u64 = 2;
const SECOND: u64 = 9;

#[tokio::test(start_paused = true)]
async fn a_parked_execution_goes_on_when_its_time_has_come() {
    let bed = Bed::new().await;
    bed.executor.start(request("wait", "e", 1)).await.unwrap();
    assert_eq!((bed.parked().await, bed.last_event("e").await), (1, FIRST));
    bed.elapse(59).await;
    assert_eq!(bed.last_event("e").await, FIRST);
    bed.elapse(2).await;
    assert_eq!((bed.parked().await, bed.last_event("e").await), (1, SECOND));
    bed.elapse(3_600).await;
    assert_eq!((bed.parked().await, bed.world.status("e").await), (0, Some(Status::Succeeded)));
    let history = bed.world.history("e").await;
    let late = history[2].timestamp.0 - history[0].timestamp.0 - 60_000;
    assert!((0..=2).contains(&late), "{late} ms late");
}

#[tokio::test(start_paused = true)]
async fn a_parked_execution_survives_restarts() {
    let mut bed = Bed::new().await;
    for number in 0..20 {
        bed.executor.start(request("wait", &number.to_string(), number)).await.unwrap();
    }
    bed.elapse(30).await;
    bed.restart().await;
    bed.elapse(29).await;
    assert_eq!(bed.parked().await, 20);
    bed.elapse(2).await;
    for number in 0..20 {
        assert_eq!(bed.last_event(&number.to_string()).await, SECOND);
    }
    // All are due while nobody is there.
    bed.executor.shut_down(Duration::ZERO).await;
    bed.elapse(10_000).await;
    bed.restart().await;
    bed.elapse(1).await;
    for number in 0..20 {
        assert_eq!(bed.world.status(&number.to_string()).await, Some(Status::Succeeded));
    }
}

#[tokio::test(start_paused = true)]
async fn a_parked_execution_can_be_stopped_and_its_start_repeated() {
    let bed = Bed::new().await;
    let started = bed.executor.start(request("wait", "e", 1)).await.unwrap();
    bed.elapse(5).await;
    assert_eq!(bed.executor.start(request("wait", "e", 1)).await, Ok(started));
    let exists = Err(StartError::AlreadyExists { arn: arn("e") });
    assert_eq!(bed.executor.start(request("wait", "e", 2)).await, exists);
    let stopped_at = bed.executor.stop(&arn("e"), Some("Why".to_owned()), None).await.unwrap();
    let standing = bed.world.standing("e").await.unwrap();
    assert_eq!((standing.status, standing.stopped_at), (Status::Aborted, Some(stopped_at)));
    assert_eq!(bed.executor.stop(&arn("e"), None, None).await, Ok(stopped_at));
    assert_eq!(bed.executor.start(request("wait", "e", 1)).await, exists);
    assert_eq!(bed.parked().await, 0);
    bed.elapse(100).await;
    assert_eq!(bed.last_event("e").await, standing.last_event_id);
    let missing = Err(StopError::DoesNotExist { arn: arn("x") });
    assert_eq!(bed.executor.stop(&arn("x"), None, None).await, missing);
}

#[tokio::test(start_paused = true)]
async fn many_starts_of_one_name_at_once_make_one_execution() {
    let bed = Bed::new().await;
    let starts = (0..50).map(|number| bed.executor.start(request("wait", "e", number % 2)));
    let outcomes = futures_util::future::join_all(starts).await;
    let exists = Err(StartError::AlreadyExists { arn: arn("e") });
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 25, "{outcomes:?}");
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == exists).count(), 25);
    assert_eq!(bed.parked().await, 1);
}

#[tokio::test(start_paused = true)]
async fn timers_follow_a_clock_that_is_set() {
    let bed = Bed::new().await;
    // Far ahead and back: what is parked now is due long before the last call.
    bed.clock.set_by.store(86_400_000, Ordering::Relaxed);
    bed.elapse(5).await;
    bed.clock.set_by.store(0, Ordering::Relaxed);
    bed.elapse(2).await;
    bed.executor.start(request("wait", "e", 1)).await.unwrap();
    bed.elapse(62).await;
    assert_eq!(bed.last_event("e").await, SECOND);
    // Ahead over the whole second wait.
    bed.clock.set_by.store(3_600_000, Ordering::Relaxed);
    bed.elapse(2).await;
    assert_eq!(bed.world.status("e").await, Some(Status::Succeeded));
}

#[tokio::test(start_paused = true)]
async fn an_execution_that_cannot_be_read_is_reported_to_who_asks() {
    let bed = Bed::new().await;
    bed.executor.start(request("wait", "e", 1)).await.unwrap();
    let (all, journal) = (stepwell_store::KeyRange::all(), stepwell_store::Space::new(b'j'));
    let page = bed.world.backend.scan(journal, all, false, 10).await.unwrap();
    let mut damage = stepwell_store::Batch::new();
    damage.put(journal, page.items[0].0.clone(), json!("no journal").to_string());
    bed.world.backend.commit(damage).await.unwrap();
    let stopped = bed.executor.stop(&arn("e"), None, None).await;
    assert!(matches!(stopped, Err(StopError::Store(StoreError::Corrupt { .. }))), "{stopped:?}");
    // The others go on.
    bed.executor.start(request("wait", "f", 1)).await.unwrap();
    bed.elapse(62).await;
    assert_eq!(bed.last_event("f").await, SECOND);
}

#[tokio::test(start_paused = true)]
async fn what_is_logged_as_recovered_was_open_before_the_start() {
    let mut bed = Bed::new().await;
    // More than a page of the list.
    let before = limits::RECOVERY_PAGE + 50;
    for number in 0..before {
        bed.executor.start(request("short", &format!("before-{number}"), 1)).await.unwrap();
    }
    let logged = logged::Logged::at(tracing::Level::INFO);
    let _logging = tracing::subscriber::set_default(logged.clone());
    bed.restart().await;
    // These are open before the second page is read.
    for number in 0..5 {
        bed.executor.start(request("short", &format!("after-{number}"), 1)).await.unwrap();
    }
    bed.elapse(1).await;
    let told = logged.taken();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains(&format!("executions={before} ")) && told[0].contains("recovered"), "{told:?}");
}

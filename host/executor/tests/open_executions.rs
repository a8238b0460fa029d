//! So many executions may be open and no more: those that rest count, those that have ended do not, and a restart knows
//! how many there are.

#![expect(clippy::unwrap_used, reason = "a test may panic anywhere, also outside of its test function")]

#[path = "lane/world.rs"]
#[allow(dead_code, reason = "the lane's tests need more of it")]
mod world;

use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use stepwell_asl::Timestamp;
use stepwell_executor::{Allotment, Clock, Executor, RedriveError, StartError};
use stepwell_store::fault::{FaultBackend, FaultPlan};
use stepwell_store::{Store, StoreError};
use tokio::time::Instant;
use world::{Played, World, arn, chain, pass, request};

const PASS: &str = r#"{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}"#;
const FAIL: &str = r#"{"StartAt": "A", "States": {
  "A": {"Type": "Wait", "Seconds": 2, "Next": "B"}, "B": {"Type": "Fail"}}}"#;
/// Of the first it is told by timers in memory, of the second by the alarm.
const SHORT: &str = r#"{"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 5, "End": true}}}"#;
const LONG: &str = r#"{"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 3600, "End": true}}}"#;
const TOO_MANY: StartError = StartError::TooManyOpen { most: 2 };

/// Tokio's paused clock.
struct Paused(Instant);

impl Clock for Paused {
    fn now(&self) -> Timestamp {
        Timestamp(1_700_000_000_000 + i64::try_from(self.0.elapsed().as_millis()).unwrap())
    }
}

/// A world of paused time, and its first life, in which two executions may be open.
async fn begin() -> (World<Played>, Executor, Allotment) {
    let texts = [("pass", PASS), ("fail", FAIL), ("short", SHORT), ("long", LONG)];
    let mut machines: Vec<(&str, String)> =
        texts.into_iter().map(|(name, text)| (name, text.to_owned())).collect();
    let waits = json!({"Type": "Wait", "Seconds": 3600});
    machines.push(("laned", chain(&[("A", pass("'plus'")), ("B", waits)])));
    let mut world = World::new(&machines).await;
    world.clock = Arc::new(Paused(Instant::now()));
    let (executor, open) = world.open_bounded(Arc::clone(&world.backend), 2).await;
    (world, executor, open)
}

/// What is counted is what the store has.
async fn is_right(world: &World<Played>, open: &Allotment) {
    let running = Store::new(Arc::clone(&world.backend)).count_running().await.unwrap();
    assert_eq!(open.held(&arn("any")), Some(running));
}

#[tokio::test(start_paused = true)]
async fn the_third_is_refused_until_one_has_ended_or_is_stopped() {
    let (world, executor, open) = begin().await;
    executor.start(request("short", "s", 1)).await.unwrap();
    executor.start(request("long", "l", 1)).await.unwrap();
    for machine in ["pass", "long", "laned"] {
        assert_eq!(executor.start(request(machine, "x", 1)).await, Err(TOO_MANY));
    }
    assert!(world.status("x").await.is_none(), "nothing is left of what was refused");
    // A repeated start is not another execution.
    executor.start(request("short", "s", 1)).await.unwrap();
    let other = executor.start(request("short", "s", 2)).await;
    assert_eq!(other, Err(StartError::AlreadyExists { arn: arn("s") }));
    // It rests meanwhile, and is open all the same.
    tokio::time::sleep(Duration::from_secs(10)).await;
    is_right(&world, &open).await;
    assert_eq!(open.held(&arn("any")), Some(1), "the short one has ended");
    for number in 0..10 {
        executor.start(request("pass", &number.to_string(), 1)).await.unwrap();
    }
    executor.start(request("laned", "y", 1)).await.unwrap();
    assert_eq!(executor.start(request("pass", "x", 1)).await, Err(TOO_MANY));
    for name in ["l", "y"] {
        executor.stop(&arn(name), None, None).await.unwrap();
        executor.start(request("pass", &format!("after {name}"), 1)).await.unwrap();
    }
    is_right(&world, &open).await;
    assert_eq!(open.held(&arn("any")), Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_restart_knows_how_many_are_open() {
    let (world, executor, _) = begin().await;
    executor.start(request("long", "l", 1)).await.unwrap();
    executor.start(request("short", "s", 1)).await.unwrap();
    executor.shut_down(Duration::ZERO).await;
    let (executor, open) = world.open_bounded(Arc::clone(&world.backend), 2).await;
    assert_eq!(executor.start(request("pass", "x", 1)).await, Err(TOO_MANY));
    tokio::time::sleep(Duration::from_secs(10)).await;
    executor.start(request("pass", "x", 1)).await.unwrap();
    tokio::time::sleep(Duration::from_hours(2)).await;
    is_right(&world, &open).await;
    assert_eq!(open.held(&arn("any")), Some(0), "the one that rested over the restart has ended");
}

#[tokio::test(start_paused = true)]
async fn a_redrive_needs_a_place_as_well() {
    let (world, executor, open) = begin().await;
    executor.start(request("fail", "f", 1)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    for name in ["a", "b"] {
        executor.start(request("long", name, 1)).await.unwrap();
    }
    assert_eq!(executor.redrive(&arn("f"), None).await, Err(RedriveError::TooManyOpen { most: 2 }));
    executor.stop(&arn("a"), None, None).await.unwrap();
    executor.redrive(&arn("f"), None).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    is_right(&world, &open).await;
    assert_eq!(open.held(&arn("any")), Some(1), "it has failed again");
}

#[tokio::test(start_paused = true)]
async fn a_start_that_is_not_stored_takes_no_place() {
    let (world, executor, _) = begin().await;
    executor.shut_down(Duration::ZERO).await;
    for (plan, counted) in [
        (FaultPlan { full: 1.0, ..FaultPlan::none() }, 0),
        (FaultPlan { unknown_lost: 1.0, ..FaultPlan::none() }, 0),
        (FaultPlan { unknown_stored: 1.0, ..FaultPlan::none() }, 1),
    ] {
        let backend = Arc::new(FaultBackend::new(Arc::clone(&world.backend), plan));
        let (executor, open) = world.open_bounded(backend, 2).await;
        for machine in ["long", "laned"] {
            let refused = executor.start(request(machine, machine, 1)).await;
            assert!(matches!(refused, Err(StartError::Store(StoreError::Full | StoreError::Unknown))));
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        is_right(&world, &open).await;
        assert_eq!(open.held(&arn("any")), Some(2 * counted));
        executor.shut_down(Duration::ZERO).await;
    }
}

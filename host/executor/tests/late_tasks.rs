//! The time of a task counts from when it begins, however long its step has waited for an evaluation or its commit for the
//! disk: a busy machine must not make a task fail that has not even begun.

#![expect(clippy::unwrap_used, reason = "a test may panic anywhere, also outside of its test function")]

#[path = "lane/world.rs"]
#[allow(dead_code, reason = "the lane's tests need more of it")]
mod world;

use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use stepwell_asl::{HistoryDetails, Status, Timestamp};
use stepwell_executor::Clock;
use stepwell_store::fault::{FaultBackend, FaultPlan};
use tokio::time::{Instant, sleep};
use world::{Played, World, arn, chain, request, task};

const PATH: &str = r#"{"StartAt": "T", "States": {"T": {
  "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:t", "TimeoutSeconds": 5, "End": true}}}"#;

/// Longer than a task may take.
const LATE: Duration = Duration::from_secs(12);

/// Tokio's paused clock.
struct Paused(Instant);

impl Clock for Paused {
    fn now(&self) -> Timestamp {
        Timestamp(1_700_000_000_000 + i64::try_from(self.0.elapsed().as_millis()).unwrap())
    }
}

async fn world() -> World<Played> {
    let mut slow = task("'quick'");
    slow["Arguments"] = json!("{% ['slow', $states.input.number] %}");
    slow["TimeoutSeconds"] = json!(5);
    let mut world = World::new(&[("path", PATH.to_owned()), ("slow", chain(&[("T", slow)]))]).await;
    world.clock = Arc::new(Paused(Instant::now()));
    world
}

async fn ended(world: &World<Played>) -> Status {
    for _ in 0..1_000 {
        let status = world.status("e").await.unwrap_or(Status::Running);
        if status != Status::Running {
            return status;
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("it does not end");
}

#[tokio::test(start_paused = true)]
async fn a_task_whose_start_waits_for_the_disk_has_all_its_time() {
    let world = world().await;
    let plan = FaultPlan { slow: 1.0, slow_for: LATE, ..FaultPlan::none() };
    let backend = Arc::new(FaultBackend::new(Arc::clone(&world.backend), plan));
    let (_, executor) = world.open_over(backend).unwrap();
    executor.start(request("path", "e", 1)).await.unwrap();
    assert_eq!(ended(&world).await, Status::Succeeded);
    let scheduled = world.history("e").await;
    let is_late =
        |details: &HistoryDetails| matches!(details, HistoryDetails::LambdaFunctionSucceeded { .. });
    let succeeded = scheduled.iter().find(|event| is_late(&event.details)).unwrap();
    assert!(succeeded.timestamp.0 - scheduled[0].timestamp.0 >= 12_000, "its commit was slow");
}

#[tokio::test(start_paused = true)]
async fn a_task_whose_step_waits_for_an_evaluation_has_all_its_time() {
    let world = world().await;
    let executor = world.open();
    let starting = tokio::spawn(async move { executor.start(request("slow", "e", 1)).await });
    sleep(LATE).await;
    assert!(!starting.is_finished(), "the evaluation waits for {}", arn("e"));
    world.expressions.open_gate();
    starting.await.unwrap().unwrap();
    assert_eq!(ended(&world).await, Status::Succeeded);
}

//! Steps that are taken on the lane: who waits for whom, and what becomes of those under way when something happens.
//!
//! Slow evaluations wait at a gate that the test opens, so nothing here depends on how long anything takes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod faults;
mod world;

use futures_util::FutureExt;
use futures_util::future::join_all;
use serde_json::json;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;
use stepwell_asl::{HistoryDetails, Status, Timestamp};
use stepwell_executor::{Executor, StartError, StopError};
use world::{Played, World, arn, chain, pass, request, task, until};

const PATH: &str = r#"{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}"#;

fn hour() -> serde_json::Value {
    json!({"Type": "Wait", "Seconds": 3600})
}

/// Polls a request once: now it is with the shard.
fn asked<F: Future>(future: F) -> Pin<Box<F>> {
    let mut future = Box::pin(future);
    assert!(future.as_mut().now_or_never().is_none(), "the answer has to wait");
    future
}

/// Asks for a stop that has to wait.
fn stop_asked(
    executor: &Executor,
    name: &str,
    error: Option<&str>,
) -> Pin<Box<impl Future<Output = Result<Timestamp, StopError>>>> {
    let (executor, arn, error) = (executor.clone(), arn(name), error.map(str::to_owned));
    asked(async move { executor.stop(&arn, error, None).await })
}

/// Waits until the shard has handled everything that was asked before.
async fn handled(executor: &Executor, name: &str) {
    executor.start(request("path", name, 0)).await.unwrap();
}

async fn slow_and_quick() -> World<Played> {
    let machines = [
        ("slow", chain(&[("A", pass("'slow'"))])),
        ("quick", chain(&[("A", pass("'plus'")), ("B", task("'plus'")), ("C", pass("'plus'"))])),
        ("path", PATH.to_owned()),
        ("task", chain(&[("A", task("'slow', 'panic'")), ("B", pass("'plus'"))])),
        ("wait", chain(&[("A", pass("'slow'")), ("B", hour())])),
        ("twice", chain(&[("A", pass("'slow', 'plus'")), ("B", pass("'slow', 'plus'"))])),
        ("panic", chain(&[("A", pass("'panic'"))])),
    ];
    World::new(&machines).await
}

fn permits() -> usize {
    (std::thread::available_parallelism().unwrap().get() / 4).max(1)
}

#[tokio::test]
async fn slow_expressions_hold_up_nobody_else() {
    let world = World { shards: 2, ..slow_and_quick().await };
    let executor = world.open();
    let mut slow = Vec::new();
    for number in 0..30 {
        slow.push(asked(executor.start(request("slow", &format!("slow-{number}"), number))));
    }
    until(|| world.expressions.state().slow == 30).await;
    for number in 0..200 {
        executor.start(request("quick", &format!("quick-{number}"), number)).await.unwrap();
        executor.start(request("path", &format!("path-{number}"), number)).await.unwrap();
    }
    for number in 0..200 {
        let ended = world.until_ended(&format!("quick-{number}")).await;
        assert_eq!(ended.output, Some(json!({"number": number + 3}).to_string()));
        assert_eq!(world.status(&format!("path-{number}")).await, Some(Status::Succeeded));
    }
    for start in &mut slow {
        assert!(start.as_mut().now_or_never().is_none(), "all slow ones are still under way");
    }
    assert_eq!(world.expressions.state().running, permits(), "of the slow ones few may run");
    world.expressions.open_gate();
    assert!(join_all(slow).await.iter().all(Result::is_ok));
    for number in 0..30 {
        let ended = world.until_ended(&format!("slow-{number}")).await;
        assert_eq!(ended.output, Some(json!({"number": number}).to_string()));
    }
    assert_eq!(world.expressions.state().most_running, permits());
}

#[tokio::test]
async fn more_slow_steps_than_there_may_be_threads_wait_and_end() {
    let world = slow_and_quick().await;
    let executor = world.open();
    let starts = (0..400).map(|number| asked(executor.start(request("twice", &number.to_string(), number))));
    let starts: Vec<_> = starts.collect();
    until(|| world.expressions.state().slow >= stepwell_executor::limits::SLOW_THREADS).await;
    handled(&executor, "other").await;
    world.expressions.open_gate();
    assert!(join_all(starts).await.iter().all(Result::is_ok));
    for number in 0..400 {
        let ended = world.until_ended(&number.to_string()).await;
        assert_eq!(
            ended.output,
            Some(json!({"number": number + 2}).to_string()),
            "both expressions of the step were slow"
        );
    }
    assert_eq!(world.expressions.state().most_running, permits());
}

#[tokio::test]
async fn a_stop_waits_for_the_step_under_way() {
    let world = slow_and_quick().await;
    let executor = world.open();
    let start = asked(executor.start(request("wait", "stopped", 1)));
    let late = asked(executor.start(request("slow", "late", 1)));
    until(|| world.expressions.state().slow == 2).await;
    let stop = stop_asked(&executor, "stopped", Some("Enough"));
    let again = stop_asked(&executor, "stopped", None);
    let too_late = stop_asked(&executor, "late", None);
    handled(&executor, "other").await;
    world.expressions.open_gate();
    start.await.unwrap();
    late.await.unwrap();
    let (stopped_at, again, too_late) = (stop.await.unwrap(), again.await.unwrap(), too_late.await.unwrap());
    let stopped = world.until_ended("stopped").await;
    assert_eq!((stopped.status, stopped.error.as_deref()), (Status::Aborted, Some("Enough")));
    assert_eq!((stopped.stopped_at, again), (Some(stopped_at), stopped_at));
    let late = world.until_ended("late").await;
    assert_eq!((late.status, late.stopped_at), (Status::Succeeded, Some(too_late)));
}

#[tokio::test]
async fn a_start_is_repeated_while_the_first_is_under_way() {
    let world = slow_and_quick().await;
    let executor = world.open();
    let first = asked(executor.start(request("slow", "same", 1)));
    let mut second = asked(executor.start(request("slow", "same", 1)));
    let other = executor.start(request("slow", "same", 2)).await;
    assert_eq!(other, Err(StartError::AlreadyExists { arn: arn("same") }));
    assert!(second.as_mut().now_or_never().is_none(), "nobody is told of a start that is not committed");
    // This one's start is committed before its slow step.
    let committed = executor.start(request("task", "task", 1)).await.unwrap();
    until(|| world.expressions.state().slow == 2).await;
    assert_eq!(executor.start(request("task", "task", 1)).await, Ok(committed));
    let other = executor.start(request("task", "task", 2)).await;
    assert_eq!(other, Err(StartError::AlreadyExists { arn: arn("task") }));
    world.expressions.open_gate();
    let (first, second) = (first.await.unwrap(), second.await.unwrap());
    assert_eq!(first, second);
    assert_eq!(world.until_ended("same").await.context.start_time, first.started_at);
    assert_eq!(world.expressions.state().slow, 2, "nothing was started twice");
}

#[tokio::test]
async fn a_step_that_panics_is_taken_again() {
    let world = slow_and_quick().await;
    world.expressions.open_gate();
    let executor = world.open();
    world.expressions.state().panics = 2;
    executor.start(request("task", "t", 1)).await.unwrap();
    assert_eq!(world.until_ended("t").await.output, Some(json!({"number": 2}).to_string()));
    let succeeded = |event: &&stepwell_asl::HistoryEvent| {
        matches!(event.details, HistoryDetails::LambdaFunctionSucceeded { .. })
    };
    assert_eq!(world.history("t").await.iter().filter(succeeded).count(), 1);

    world.expressions.state().panics = 1;
    let refused = executor.start(request("panic", "p", 1)).await;
    assert!(matches!(refused, Err(StartError::Store(_))), "{refused:?}");
    assert_eq!(world.status("p").await, None, "nothing of it was stored");
    executor.start(request("panic", "p", 1)).await.unwrap();
    assert_eq!(world.until_ended("p").await.status, Status::Succeeded);
}

#[tokio::test]
async fn a_step_that_always_panics_is_left_alone() {
    let world = slow_and_quick().await;
    world.expressions.open_gate();
    world.expressions.state().panics = usize::MAX;
    let executor = world.open();
    for name in ["stopped", "restarted"] {
        executor.start(request("task", name, 1)).await.unwrap();
    }
    let tries = 2 * stepwell_executor::limits::STEP_TRIES as usize;
    until(|| world.expressions.state().slow == tries).await;
    let stopped_at = executor.stop(&arn("stopped"), None, None).await.unwrap();
    let stopped = world.until_ended("stopped").await;
    assert_eq!((stopped.status, stopped.stopped_at), (Status::Aborted, Some(stopped_at)));
    handled(&executor, "other").await;
    assert_eq!(world.expressions.state().slow, tries, "nothing spins");
    assert_eq!(world.status("restarted").await, Some(Status::Running));

    executor.shut_down(Duration::ZERO).await;
    world.expressions.state().panics = 0;
    let _executor = world.open();
    assert_eq!(world.until_ended("restarted").await.status, Status::Succeeded);
}

#[tokio::test]
async fn what_is_under_way_at_the_end_is_done_after_a_restart() {
    let world = slow_and_quick().await;
    let executor = world.open();
    executor.start(request("task", "known", 1)).await.unwrap();
    let unknown = asked(executor.start(request("slow", "unknown", 1)));
    until(|| world.expressions.state().slow == 2).await;
    let stop = stop_asked(&executor, "known", None);
    executor.shut_down(Duration::ZERO).await;
    assert_eq!(unknown.await, Err(StartError::ShuttingDown));
    assert_eq!(stop.await, Err(StopError::ShuttingDown));

    let executor = world.open();
    until(|| world.expressions.state().slow == 3).await;
    world.expressions.open_gate();
    executor.start(request("slow", "unknown", 1)).await.unwrap();
    for (name, number) in [("known", 2), ("unknown", 1)] {
        assert_eq!(
            world.until_ended(name).await.output,
            Some(json!({ "number": number }).to_string()),
            "{name}"
        );
        let history = world.history(name).await;
        assert!(history.iter().enumerate().all(|(index, event)| event.id == index as u64 + 1), "{name}");
    }
}

#[tokio::test]
async fn a_shut_down_waits_for_steps_under_way() {
    let world = slow_and_quick().await;
    let executor = world.open();
    executor.start(request("task", "known", 1)).await.unwrap();
    let start = asked(executor.start(request("wait", "new", 1)));
    until(|| world.expressions.state().slow == 2).await;
    let stop = stop_asked(&executor, "new", None);
    let down = asked(executor.shut_down(Duration::from_hours(1)));
    world.expressions.open_gate();
    down.await;
    start.await.unwrap();
    stop.await.unwrap();
    assert_eq!(world.status("known").await, Some(Status::Succeeded));
    assert_eq!(world.status("new").await, Some(Status::Aborted));
}

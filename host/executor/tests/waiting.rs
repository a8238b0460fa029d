//! Waiting for the end of an execution: told after the commit, wherever the execution is meanwhile.

#![expect(clippy::unwrap_used, reason = "a test may panic anywhere, also outside of its test function")]

#[path = "lane/world.rs"]
#[allow(dead_code, reason = "the lane's tests need more of it")]
mod world;

use futures_util::FutureExt as _;
use std::sync::Arc;
use std::time::Duration;
use stepwell_asl::Status;
use stepwell_executor::{Executor, WaitError, limits};
use stepwell_store::{ExecutionId, Store};
use world::{Played, World, arn, request};

/// Rests in memory and then parked.
const WAITS: &str = r#"{"StartAt": "A", "States": {
  "A": {"Type": "Wait", "Seconds": 1, "Next": "B"}, "B": {"Type": "Wait", "Seconds": 3600, "End": true}}}"#;

/// Longer than any execution takes here, in the time of the test.
const PATIENCE: Duration = Duration::from_hours(10);

struct Bed {
    world: World<Played>,
    store: Store,
    executor: Executor,
}

impl Bed {
    /// Over tokio's clock, which stands for the wall clock where it is paused.
    async fn new() -> Bed {
        let mut world = World::new(&[("waits", WAITS.to_owned())]).await;
        world.clock = Arc::new(Paused(tokio::time::Instant::now()));
        let (store, executor) = world.open_over(Arc::clone(&world.backend)).unwrap();
        Bed { world, store, executor }
    }

    /// Waits as a client does that gives up some time.
    async fn wait(&self, name: &str, id: ExecutionId) -> Result<(), WaitError> {
        let arn = arn(name);
        tokio::time::timeout(PATIENCE, self.executor.wait(&arn, id)).await.expect("an end")
    }

    async fn start(&self, name: &str) -> ExecutionId {
        self.executor.start(request("waits", name, 0)).await.unwrap();
        self.store.execution_id(&arn(name)).await.unwrap().unwrap()
    }
}

struct Paused(tokio::time::Instant);

impl stepwell_executor::Clock for Paused {
    fn now(&self) -> stepwell_asl::Timestamp {
        stepwell_asl::Timestamp(1_700_000_000_000 + i64::try_from(self.0.elapsed().as_millis()).unwrap())
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_told_of_an_end_that_is_durable() {
    let bed = Bed::new().await;
    let id = bed.start("e").await;
    let waits = (0..20).map(|_| async {
        bed.wait("e", id).await.unwrap();
        bed.world.status("e").await.unwrap()
    });
    let told = futures_util::future::join_all(waits).await;
    assert_eq!(told, [Status::Succeeded; 20]);
    // And at once when it has ended already, with nobody left to tell.
    assert_eq!(bed.wait("e", id).now_or_never(), Some(Ok(())));
}

#[tokio::test(start_paused = true)]
async fn an_execution_that_rests_or_is_stopped_or_comes_back_after_a_restart_is_waited_for() {
    let mut bed = Bed::new().await;
    let id = bed.start("e").await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    bed.executor.shut_down(Duration::ZERO).await;
    (bed.store, bed.executor) = bed.world.open_over(Arc::clone(&bed.world.backend)).unwrap();
    bed.wait("e", id).await.unwrap();
    assert_eq!(bed.world.status("e").await, Some(Status::Succeeded));

    let id = bed.start("f").await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let name = arn("f");
    let (told, stopped) = tokio::join!(bed.wait("f", id), bed.executor.stop(&name, None, None));
    assert!(told.is_ok() && stopped.is_ok());
    assert_eq!(bed.world.status("f").await, Some(Status::Aborted));
}

#[tokio::test(start_paused = true)]
async fn only_so_many_may_wait_and_a_shut_down_ends_it() {
    let bed = Bed::new().await;
    let id = bed.start("e").await;
    let held = arn("e");
    let mut waits: Vec<_> = (0..limits::WAITERS).map(|_| Box::pin(bed.executor.wait(&held, id))).collect();
    assert!(waits.iter_mut().all(|wait| wait.now_or_never().is_none()));
    assert_eq!(bed.executor.wait(&held, id).await, Err(WaitError::Busy));
    // Who goes away makes room.
    waits.pop();
    let mut last = Box::pin(bed.executor.wait(&held, id));
    assert_eq!((&mut last).now_or_never(), None);
    bed.executor.shut_down(Duration::ZERO).await;
    assert_eq!(last.await, Err(WaitError::ShuttingDown));
}

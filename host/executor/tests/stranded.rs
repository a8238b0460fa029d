//! Executions that cannot be continued after a crash, because their recorded events lead to another history than the
//! recorded one or a record is damaged: they are described as before, looked at once, and can be stopped.

#![expect(clippy::unwrap_used, reason = "a test may panic anywhere, also outside of its test function")]

#[path = "lane/logged.rs"]
mod logged;
#[path = "lane/world.rs"]
#[allow(dead_code, reason = "the lane's tests need more of it")]
mod world;

use logged::Logged;
use std::sync::Arc;
use std::time::Duration;
use stepwell_asl::{HistoryDetails, HistoryEvent, Status, Timestamp};
use stepwell_executor::{Clock, Executor, StartError, StopError};
use stepwell_store::fault::{FaultBackend, FaultPlan};
use stepwell_store::{Batch, KeyRange, Space, Store, StoreError, check_records};
use tokio::time::Instant;
use tracing::Level;
use world::{Played, World, arn, request};

/// The journal, and the checkpoints.
const JOURNAL: Space = Space::new(b'j');
const CHECKPOINTS: Space = Space::new(b'c');

/// It waits twice for five seconds, which is too short to be parked: nothing but its journal tells of it. Then for an
/// hour.
const WAIT: &str = r#"{"StartAt": "First", "States": {
  "First": {"Type": "Wait", "Seconds": 5, "Next": "Second"},
  "Second": {"Type": "Wait", "Seconds": 5, "Next": "Last"},
  "Last": {"Type": "Wait", "Seconds": 3600, "End": true}}}"#;

/// Tokio's paused clock.
struct Paused(Instant);

impl Clock for Paused {
    fn now(&self) -> Timestamp {
        Timestamp(1_700_000_000_000 + i64::try_from(self.0.elapsed().as_millis()).unwrap())
    }
}

/// A world in which one execution was open, or parked, when the last life ended.
struct Bed {
    world: World<Played>,
    before: Vec<HistoryEvent>,
}

impl Bed {
    /// The life ends after so many seconds.
    async fn crashed_after(seconds: u64) -> Bed {
        let mut world = World::new(&[("wait", WAIT.to_owned())]).await;
        world.clock = Arc::new(Paused(Instant::now()));
        let backend = Arc::new(FaultBackend::new(Arc::clone(&world.backend), FaultPlan::none()));
        let (_, executor) = world.open_over(Arc::<FaultBackend>::clone(&backend)).unwrap();
        executor.start(request("wait", "e", 1)).await.unwrap();
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        backend.crash();
        executor.shut_down(Duration::ZERO).await;
        let before = world.history("e").await;
        Bed { world, before }
    }

    /// Writes over a record of the store: the `number`th of its space.
    async fn tamper(&self, space: Space, number: usize, change: impl FnOnce(&[u8]) -> Vec<u8>) {
        let page = self.world.backend.scan(space, KeyRange::all(), false, 100).await.unwrap();
        let (key, value) = page.items[number].clone();
        let mut batch = Batch::new();
        batch.put(space, key, change(&value));
        self.world.backend.commit(batch).await.unwrap();
    }

    /// What another version of the server would have recorded: a state of another name.
    async fn record_another_history(&mut self) {
        let change = |value: &[u8]| {
            let at = value.windows(5).position(|text| text == b"First").unwrap();
            [&value[..at], b"Third", &value[at + 5..]].concat()
        };
        self.tamper(JOURNAL, 0, change).await;
        self.before = self.world.history("e").await;
    }

    /// What is described of it is what was recorded.
    async fn is_described(&self) {
        let standing = self.world.standing("e").await.unwrap();
        assert_eq!((standing.status, standing.last_event_id), (Status::Running, self.before.len() as u64));
        assert_eq!(self.world.history("e").await, self.before);
    }

    async fn stop_it(&self, executor: &Executor) {
        let (one, two) = tokio::join!(stop(executor, "Mine"), stop(executor, "Mine"));
        let stopped_at = one.unwrap();
        assert_eq!(two, Ok(stopped_at));
        assert_eq!(stop(executor, "Late").await, Ok(stopped_at));
        let standing = self.world.standing("e").await.unwrap();
        assert_eq!((standing.status, standing.stopped_at), (Status::Aborted, Some(stopped_at)));
        assert_eq!((standing.error.as_deref(), standing.cause.as_deref()), (Some("Mine"), Some("why")));
    }

    /// Its history is the recorded one and its end, and no record contradicts another one.
    async fn has_ended_well(&self) {
        let mut history = self.world.history("e").await;
        let end = history.pop().unwrap();
        assert_eq!(history, self.before);
        assert_eq!((end.id, end.previous_event_id), (self.before.len() as u64 + 1, 0));
        assert!(end.timestamp >= self.before.last().unwrap().timestamp);
        assert!(matches!(end.details, HistoryDetails::ExecutionAborted { .. }));
        tokio::time::sleep(Duration::from_millis(1)).await;
        let records = check_records(Arc::clone(&self.world.backend), &mut |_| {}).await.unwrap();
        assert!(records.is_sound(), "{:?}", records.examples);
        assert_eq!((records.executions, records.running, records.leftovers), (1, 0, 0));
    }

    fn store(&self) -> Store {
        Store::new(Arc::clone(&self.world.backend))
    }
}

async fn stop(executor: &Executor, error: &str) -> Result<Timestamp, StopError> {
    executor.stop(&arn("e"), Some(error.to_owned()), Some("why".to_owned())).await
}

async fn an_hour() {
    tokio::time::sleep(Duration::from_hours(1)).await;
}

#[tokio::test(start_paused = true)]
async fn one_that_another_version_has_recorded_is_described_as_before_and_can_be_stopped() {
    let mut bed = Bed::crashed_after(1).await;
    bed.record_another_history().await;
    let errors = Logged::at(Level::ERROR);
    let _logged = tracing::subscriber::set_default(errors.clone());
    let executor = bed.world.open();
    an_hour().await;
    bed.is_described().await;
    let told = errors.taken();
    assert_eq!(told.len(), 1, "it is looked at once: {told:?}");
    for part in [&*arn("e"), "from event 2 on", "StopExecution"] {
        assert!(told[0].contains(part), "{part} is not in: {}", told[0]);
    }
    // Its name is taken, and a repeated start is answered as ever.
    executor.start(request("wait", "e", 1)).await.unwrap();
    assert_eq!(
        executor.start(request("wait", "e", 2)).await,
        Err(StartError::AlreadyExists { arn: arn("e") })
    );
    let id = bed.store().execution_id(&arn("e")).await.unwrap().unwrap();
    let waits = tokio::spawn({
        let executor = executor.clone();
        async move { executor.wait(&arn("e"), id).await }
    });
    bed.stop_it(&executor).await;
    bed.has_ended_well().await;
    assert_eq!(waits.await.unwrap(), Ok(()));
    executor.shut_down(Duration::ZERO).await;
    let executor = bed.world.open();
    an_hour().await;
    assert_eq!(errors.taken(), [] as [String; 0]);
    executor.shut_down(Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn one_whose_checkpoint_is_damaged_can_be_stopped_while_it_is_parked_and_after() {
    for late in [false, true] {
        let bed = Bed::crashed_after(12).await;
        bed.tamper(CHECKPOINTS, 0, |_| b"damaged".to_vec()).await;
        let (executor, open) = bed.world.open_bounded(Arc::clone(&bed.world.backend), 1).await;
        assert_eq!(bed.store().wakes(None, Timestamp(i64::MAX), 9).await.unwrap().0.len(), 1);
        bed.is_described().await;
        if late {
            an_hour().await;
            an_hour().await;
            bed.is_described().await;
        }
        assert_eq!(open.held(&arn("e")), Some(1), "it is open as long as it is there");
        bed.stop_it(&executor).await;
        assert_eq!(open.held(&arn("e")), Some(0));
        bed.has_ended_well().await;
        executor.shut_down(Duration::ZERO).await;
    }
}

#[tokio::test(start_paused = true)]
async fn one_whose_journal_is_damaged_can_be_stopped_as_long_as_its_first_and_last_records_are_not() {
    for (damaged, can_be_stopped) in [(0, false), (1, true), (2, false)] {
        let bed = Bed::crashed_after(12).await;
        bed.tamper(CHECKPOINTS, 0, |_| b"damaged".to_vec()).await;
        bed.tamper(JOURNAL, damaged, |_| b"damaged".to_vec()).await;
        let executor = bed.world.open();
        if can_be_stopped {
            bed.stop_it(&executor).await;
        } else {
            let refused = stop(&executor, "Mine").await;
            assert!(matches!(refused, Err(StopError::Store(StoreError::Corrupt { .. }))), "{refused:?}");
        }
        executor.shut_down(Duration::ZERO).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_is_not_stored_is_told_and_can_be_asked_for_again() {
    let mut bed = Bed::crashed_after(1).await;
    bed.record_another_history().await;
    let plan = FaultPlan { full: 1.0, ..FaultPlan::none() };
    let backend = Arc::new(FaultBackend::new(Arc::clone(&bed.world.backend), plan));
    let (_, executor) = bed.world.open_over(Arc::<FaultBackend>::clone(&backend)).unwrap();
    let failed = executor.stop(&arn("e"), None, None).await;
    assert_eq!(failed, Err(StopError::Store(StoreError::Full)));
    bed.is_described().await;
    backend.set_plan(FaultPlan { unknown_stored: 1.0, ..FaultPlan::none() });
    let unknown = stop(&executor, "Mine").await;
    assert_eq!(unknown, Err(StopError::Store(StoreError::Unknown)));
    backend.set_plan(FaultPlan::none());
    // It was stored: whoever asks again hears of the same end. The next life removes what is left.
    bed.stop_it(&executor).await;
    executor.shut_down(Duration::ZERO).await;
    let executor = bed.world.open();
    bed.has_ended_well().await;
    executor.shut_down(Duration::ZERO).await;
}

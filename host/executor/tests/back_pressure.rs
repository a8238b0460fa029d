//! What cannot be made durable in time: new starts are refused at once, what is under way waits and loses nothing.

#![expect(clippy::unwrap_used, reason = "a test may panic anywhere, also outside of its test function")]

#[path = "lane/world.rs"]
#[allow(dead_code, reason = "the lane's tests need more of it")]
mod world;

use async_trait::async_trait;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use stepwell_asl::{Resource, Status};
use stepwell_executor::{
    Executor, ExecutorConfig, Integration, NoExpressions, StartError, SystemClock, TaskOutcome, TaskRequest,
    limits,
};
use stepwell_store::{Backend, Batch, CommitSeq, Fatal, KeyRange, Page, Space, Store, StoreError, Versioned};
use tokio::sync::{Semaphore, watch};
use tokio::time::sleep;
use world::{World, arn, request};

const TASK: &str = r#"{"StartAt": "T", "States": {
  "T": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:t", "End": true}}}"#;
const PASS: &str = r#"{"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}"#;

/// How a disk is.
#[derive(Clone, Copy, PartialEq)]
enum Disk {
    Quick,
    /// A commit takes this long.
    Slow(Duration),
    Stuck,
    Full,
}

/// A store on a disk that can be made slow, stuck and full.
struct SlowBackend {
    inner: Arc<dyn Backend>,
    disk: watch::Sender<Disk>,
}

#[async_trait]
impl Backend for SlowBackend {
    async fn commit(&self, batch: Batch) -> Result<CommitSeq, StoreError> {
        let mut disk = self.disk.subscribe();
        let now = *disk.wait_for(|disk| *disk != Disk::Stuck).await.unwrap();
        match now {
            Disk::Full => return Err(StoreError::Full),
            Disk::Slow(time) => sleep(time).await,
            Disk::Quick | Disk::Stuck => {}
        }
        self.inner.commit(batch).await
    }

    async fn get(&self, space: Space, key: &[u8]) -> Result<Option<Versioned>, StoreError> {
        self.inner.get(space, key).await
    }

    async fn scan(
        &self,
        space: Space,
        range: KeyRange,
        reverse: bool,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.inner.scan(space, range, reverse, limit).await
    }

    async fn delete_range(&self, space: Space, range: KeyRange, max: usize) -> Result<u64, StoreError> {
        self.inner.delete_range(space, range, max).await
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn fatal(&self) -> Fatal {
        self.inner.fatal()
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.inner.close().await
    }
}

/// Tasks that end when they may.
struct Gate(Semaphore);

#[async_trait]
impl Integration for Gate {
    fn runs(&self, _: &Resource) -> bool {
        true
    }

    async fn run(&self, request: TaskRequest) -> TaskOutcome {
        self.0.acquire().await.unwrap().forget();
        TaskOutcome { result: Ok(request.parameters), log: Vec::new() }
    }
}

/// Longer than any execution takes here.
const PATIENCE: Duration = Duration::from_mins(1);

struct Bed {
    executor: Executor,
    store: Store,
    disk: watch::Sender<Disk>,
    gate: Arc<Gate>,
}

impl Bed {
    async fn new(mailbox: usize) -> Bed {
        let machines = [("task", TASK.to_owned()), ("pass", PASS.to_owned())];
        let world = World::new(&machines).await;
        let disk = watch::Sender::new(Disk::Quick);
        let store = Store::new(Arc::new(SlowBackend { inner: world.backend, disk: disk.clone() }));
        let gate = Arc::new(Gate(Semaphore::new(0)));
        let config = ExecutorConfig { shards: 1, mailbox, ..ExecutorConfig::default() };
        let (integration, expressions) = (Arc::<Gate>::clone(&gate), Arc::new(NoExpressions));
        let executor =
            Executor::open(store.clone(), integration, expressions, Arc::new(SystemClock), config).unwrap();
        Bed { executor, store, disk, gate }
    }

    async fn start(&self, machine: &str, name: &str) -> Result<(), StartError> {
        self.executor.start(request(machine, name, 0)).await.map(drop)
    }

    async fn ended(&self, name: &str) -> Status {
        let id = self.store.execution_id(&arn(name)).await.unwrap().unwrap();
        tokio::time::timeout(PATIENCE, self.executor.wait(&arn(name), id)).await.expect("an end").unwrap();
        self.store.standing(id).await.unwrap().unwrap().status
    }
}

/// Longer than a turn may take before starts are refused.
async fn lose_patience() {
    sleep(limits::COMMIT_PATIENCE + Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_stuck_disk_refuses_new_starts_and_keeps_what_is_under_way() {
    let bed = Bed::new(limits::MAILBOX).await;
    bed.start("task", "task").await.unwrap();
    bed.disk.send_replace(Disk::Stuck);
    bed.gate.0.add_permits(1);
    let mut early = Box::pin(bed.start("pass", "early"));
    assert_eq!((&mut early).now_or_never(), None);
    lose_patience().await;
    assert_eq!(bed.start("pass", "late").now_or_never(), Some(Err(StartError::Busy)));
    assert_eq!((&mut early).now_or_never(), None, "who came in time waits");
    bed.disk.send_replace(Disk::Quick);
    assert_eq!(early.await, Ok(()));
    assert_eq!((bed.ended("task").await, bed.ended("early").await), (Status::Succeeded, Status::Succeeded));
    assert_eq!(bed.start("pass", "late").await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_is_slow_but_quick_enough_refuses_nobody() {
    let bed = Bed::new(limits::MAILBOX).await;
    bed.disk.send_replace(Disk::Slow(limits::COMMIT_PATIENCE / 2));
    for number in 0..20 {
        assert_eq!(bed.start("pass", &number.to_string()).await, Ok(()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_says_that_it_is_full_and_takes_starts_again_when_it_is_not() {
    let bed = Bed::new(limits::MAILBOX).await;
    let full = || Err(StartError::Store(StoreError::Full));
    // Nothing but starts: each is tried.
    bed.disk.send_replace(Disk::Full);
    assert_eq!(bed.start("pass", "a").await, full());
    lose_patience().await;
    bed.disk.send_replace(Disk::Quick);
    assert_eq!(bed.start("pass", "a").await, Ok(()));
    // A result that waits for the disk: who comes later hears at once what is wrong.
    bed.start("task", "task").await.unwrap();
    bed.disk.send_replace(Disk::Full);
    bed.gate.0.add_permits(1);
    lose_patience().await;
    assert_eq!(bed.start("pass", "b").now_or_never(), Some(full()));
    bed.disk.send_replace(Disk::Quick);
    assert_eq!(bed.ended("task").await, Status::Succeeded);
    assert_eq!(bed.start("pass", "b").await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_burst_beyond_the_mailbox_is_refused_and_succeeds_when_it_tries_again() {
    let bed = Bed::new(8).await;
    bed.disk.send_replace(Disk::Slow(Duration::from_millis(5)));
    let refused = AtomicUsize::new(0);
    let starts = (0..500).map(|number| {
        let (bed, refused, name) = (&bed, &refused, number.to_string());
        async move {
            // As clients do: the pause that they are asked for, and some more each time.
            for attempt in 1..200_u64 {
                match bed.start("pass", &name).await {
                    Ok(()) => return,
                    Err(StartError::Busy) => refused.fetch_add(1, Ordering::Relaxed),
                    Err(other) => panic!("{other}"),
                };
                sleep(Duration::from_millis(200 * attempt + number % 200)).await;
            }
            panic!("{name} was never started");
        }
    });
    stream::iter(starts).buffer_unordered(500).collect::<()>().await;
    assert!(refused.into_inner() > 0, "the burst fitted into the mailbox");
    for number in 0..500 {
        assert_eq!(bed.ended(&number.to_string()).await, Status::Succeeded);
    }
}

//! What StartExecution and DescribeExecution ask of the store, counted; and that a machine which is kept in memory is the
//! one that the store has.

#![expect(clippy::unwrap_used, reason = "a test may panic anywhere, also outside of its test function")]

#[path = "lane/world.rs"]
#[allow(dead_code, reason = "the lane's tests need more of it")]
mod world;

use async_trait::async_trait;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use stepwell_asl::Status;
use stepwell_executor::{Executor, StartRequest};
use stepwell_store::{
    Backend, Batch, Changes, CommitSeq, Fatal, KeyRange, MachineId, MachineRecord, Page, Space, Store,
    StoreError, Versioned,
};
use world::{Played, World, arn, request};

const PASS: &str = r#"{"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}"#;
const TASK: &str = r#"{"StartAt": "T", "States": {
  "T": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:t", "End": true}}}"#;
const PASS_ARN: &str = "arn:aws:states:us-east-1:123456789012:stateMachine:pass";

/// Counts reads in the spaces of names, machines and journals; what the executor does by itself is in others.
struct Counted {
    inner: Arc<dyn Backend>,
    reads: AtomicUsize,
}

impl Counted {
    fn count(&self, space: Space) {
        if [b'n', b'm', b'd', b'j'].map(Space::new).contains(&space) {
            self.reads.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn taken(&self) -> usize {
        self.reads.swap(0, Ordering::SeqCst)
    }
}

#[async_trait]
impl Backend for Counted {
    async fn commit(&self, batch: Batch) -> Result<CommitSeq, StoreError> {
        self.inner.commit(batch).await
    }

    async fn get(&self, space: Space, key: &[u8]) -> Result<Option<Versioned>, StoreError> {
        self.count(space);
        self.inner.get(space, key).await
    }

    async fn scan(
        &self,
        space: Space,
        range: KeyRange,
        reverse: bool,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.count(space);
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

struct Bed {
    world: World<Played>,
    backend: Arc<Counted>,
    store: Store,
    executor: Executor,
}

impl Bed {
    async fn new() -> Bed {
        let world = World::new(&[("pass", PASS.to_owned()), ("task", TASK.to_owned())]).await;
        let backend = Arc::new(Counted { inner: Arc::clone(&world.backend), reads: AtomicUsize::default() });
        let (store, executor) = world.open_over(Arc::<Counted>::clone(&backend)).unwrap();
        Bed { world, backend, store, executor }
    }

    /// As StartExecution does: the machine, then the start.
    async fn start(&self, machine_name: &str, name: &str, fresh_name: bool) -> Arc<MachineRecord> {
        let request = request(machine_name, name, 1);
        let machine = self.executor.machine(&request.machine.arn).await.unwrap().unwrap();
        let started = Arc::clone(&machine);
        self.executor.start(StartRequest { machine, fresh_name, ..request }).await.unwrap();
        started
    }

    async fn describe(&self, name: &str) -> Status {
        let id = self.store.execution_id(&arn(name)).await.unwrap().unwrap();
        self.store.standing(id).await.unwrap().unwrap().status
    }

    async fn change(&self, record: &MachineRecord, expected: Option<u64>) {
        let mut changes = Changes::new();
        changes.machine(record, PASS, expected).unwrap();
        self.store.commit(changes).await.unwrap();
    }
}

#[tokio::test]
async fn a_start_reads_its_machine_and_looks_for_its_name_and_nothing_else() {
    let bed = Bed::new().await;
    bed.start("pass", "first", false).await;
    assert_eq!(bed.backend.taken(), 3, "the machine, its definition, the name");
    bed.start("pass", "second", false).await;
    assert_eq!(bed.backend.taken(), 2, "the machine, the name");
    bed.start("pass", "third", true).await;
    assert_eq!(bed.backend.taken(), 1, "the machine");
}

#[tokio::test]
async fn an_execution_of_one_transition_is_described_by_one_record_and_another_by_two() {
    let bed = Bed::new().await;
    bed.start("pass", "one", false).await;
    bed.start("task", "two", false).await;
    bed.world.until_ended("two").await;
    bed.backend.taken();
    assert_eq!(bed.describe("one").await, Status::Succeeded);
    assert_eq!(bed.backend.taken(), 2, "its name, its journal");
    assert_eq!(bed.describe("two").await, Status::Succeeded);
    assert_eq!(bed.backend.taken(), 3, "its name, the first record and the last one");
}

#[tokio::test]
async fn a_start_sees_every_change_of_its_machine() {
    let bed = Bed::new().await;
    let first = bed.start("pass", "first", false).await;
    assert!(Arc::ptr_eq(&first, &bed.start("pass", "again", false).await), "it is not decoded again");
    // UpdateStateMachine.
    let (mut record, version) = bed.store.machine(PASS_ARN).await.unwrap().unwrap();
    record.revision = 2;
    bed.change(&record, Some(version)).await;
    assert_eq!(bed.start("pass", "updated", false).await.revision, 2);
    // DeleteStateMachine.
    bed.store.delete_machine(PASS_ARN, first.id).await.unwrap();
    assert_eq!(bed.executor.machine(PASS_ARN).await.unwrap(), None);
    // CreateStateMachine: another one of the same name.
    let another = MachineRecord { id: MachineId([9; 16]), ..MachineRecord::clone(&first) };
    bed.change(&another, None).await;
    assert_eq!(bed.start("pass", "created", false).await.id, another.id);
    // And where nobody has asked in between.
    bed.store.delete_machine(PASS_ARN, another.id).await.unwrap();
    let third = MachineRecord { id: MachineId([8; 16]), ..another };
    bed.change(&third, None).await;
    assert_eq!(bed.start("pass", "anew", false).await.id, third.id);
}

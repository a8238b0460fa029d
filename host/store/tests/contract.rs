//! Every backend under the contract suite, and under random steps compared with a model.

#![expect(clippy::unwrap_used, reason = "a test may panic anywhere, also outside of its test function")]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use proptest::{collection::vec, option, prelude::*};
use stepwell_store::{
    Backend, MemoryBackend, RedbBackend, RedbOptions, SledBackend, SledOptions,
    contract::{self, Harness, Step},
    fault::{FaultBackend, FaultPlan},
};
use tempfile::TempDir;

struct Memory;

#[async_trait]
impl Harness for Memory {
    async fn fresh(&self) -> Arc<dyn Backend> {
        Arc::new(MemoryBackend::new())
    }

    async fn reopen(&self, _backend: Arc<dyn Backend>) -> Option<Arc<dyn Backend>> {
        None
    }
}

/// The twin without faults, over memory: a reopen is a crash and a restart.
#[derive(Default)]
struct Twin(Mutex<Option<Arc<FaultBackend>>>);

#[async_trait]
impl Harness for Twin {
    async fn fresh(&self) -> Arc<dyn Backend> {
        let twin = Arc::new(FaultBackend::new(Arc::new(MemoryBackend::new()), FaultPlan::none()));
        *self.0.lock().unwrap() = Some(Arc::clone(&twin));
        twin
    }

    async fn reopen(&self, _backend: Arc<dyn Backend>) -> Option<Arc<dyn Backend>> {
        let last = self.0.lock().unwrap().take().unwrap();
        let next = Arc::new(last.restart().await);
        *self.0.lock().unwrap() = Some(Arc::clone(&next));
        Some(next)
    }
}

/// sled, in a new directory for each store.
#[derive(Default)]
struct Sled(Mutex<Option<TempDir>>);

impl Sled {
    fn open(&self) -> Arc<dyn Backend> {
        let directory = self.0.lock().unwrap();
        let path = directory.as_ref().unwrap().path().join("new/store");
        Arc::new(SledBackend::open(SledOptions::new(path)).unwrap())
    }

    /// No page may have become so large that sled wrote it to a separate file.
    fn check_blobs(&self) {
        let directory = self.0.lock().unwrap();
        if let Some(directory) = directory.as_ref() {
            let blobs = std::fs::read_dir(directory.path().join("new/store/sled/blobs")).unwrap();
            assert_eq!(blobs.count(), 0, "sled wrote blobs");
        }
    }
}

#[async_trait]
impl Harness for Sled {
    async fn fresh(&self) -> Arc<dyn Backend> {
        self.check_blobs();
        *self.0.lock().unwrap() = Some(tempfile::tempdir().unwrap());
        self.open()
    }

    async fn reopen(&self, backend: Arc<dyn Backend>) -> Option<Arc<dyn Backend>> {
        backend.close().await.unwrap();
        drop(backend);
        self.check_blobs();
        Some(self.open())
    }
}

/// redb, in a new file for each store.
#[derive(Default)]
struct Redb(Mutex<Option<TempDir>>);

impl Redb {
    fn open(&self) -> Arc<dyn Backend> {
        let directory = self.0.lock().unwrap();
        let path = directory.as_ref().unwrap().path().join("new/store.redb");
        Arc::new(RedbBackend::open(RedbOptions::new(path)).unwrap())
    }
}

#[async_trait]
impl Harness for Redb {
    async fn fresh(&self) -> Arc<dyn Backend> {
        *self.0.lock().unwrap() = Some(tempfile::tempdir().unwrap());
        self.open()
    }

    async fn reopen(&self, backend: Arc<dyn Backend>) -> Option<Arc<dyn Backend>> {
        backend.close().await.unwrap();
        drop(backend);
        Some(self.open())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_keeps_the_contract() {
    contract::run(&Memory).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_twin_without_faults_keeps_the_contract() {
    contract::run(&Twin::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sled_keeps_the_contract() {
    contract::run(&Sled::default()).await;
}

#[tokio::test]
async fn sled_keeps_the_contract_on_one_thread() {
    contract::run(&Sled::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redb_keeps_the_contract() {
    contract::run(&Redb::default()).await;
}

#[tokio::test]
async fn redb_keeps_the_contract_on_one_thread() {
    contract::run(&Redb::default()).await;
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0..24_u8;
    let value =
        option::weighted(0.8, prop_oneof![6 => 0..200_u16, 1 => 6_100..6_160_u16, 1 => 12_000..40_000_u16]);
    let commit = (
        vec((any::<bool>(), key.clone()), 0..5),
        vec((any::<bool>(), key.clone(), value), 0..6),
        option::weighted(0.2, (0..3_u8, 0..6_u8)),
    );
    let scan = (any::<bool>(), key.clone(), option::of(key.clone()), any::<bool>(), 0..30_u8);
    let delete = (any::<bool>(), key.clone(), option::of(key), 0..10_u8);
    prop_oneof![
        12 => commit.prop_map(|(expect, changes, fence)| Step::Commit { expect, changes, fence }),
        4 => scan.prop_map(|(space, start, end, reverse, limit)| Step::Scan { space, start, end, reverse, limit }),
        1 => delete.prop_map(|(space, start, end, max)| Step::Delete { space, start, end, max }),
        1 => Just(Step::Reopen),
    ]
}

fn run_steps(harness: &dyn Harness, steps: &[Step]) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    runtime.block_on(contract::run_steps(harness, steps));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn memory_equals_the_model(steps in vec(step(), 1..80)) {
        run_steps(&Memory, &steps);
        run_steps(&Twin::default(), &steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sled_equals_the_model(steps in vec(step(), 1..80)) {
        run_steps(&Sled::default(), &steps);
    }

    #[test]
    fn redb_equals_the_model(steps in vec(step(), 1..80)) {
        run_steps(&Redb::default(), &steps);
    }
}

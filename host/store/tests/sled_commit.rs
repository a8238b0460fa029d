//! sled while it runs: what precedes an acknowledgement, merging, a full disk, failures, a power cut.

#![expect(clippy::unwrap_used, reason = "a test may panic anywhere, also outside of its test function")]

mod disk;

use std::{path::Path, sync::Arc};

use disk::TestDisk;
use stepwell_store::{
    Backend, Batch, Epoch, KeyRange, ShardId, SledBackend, SledOptions, Space, StoreError, limits,
};
use tokio::task::{JoinHandle, yield_now};

const SPACE: Space = Space::new(b'T');

fn open(directory: &Path, disk: &Arc<TestDisk>) -> Arc<SledBackend> {
    let options = SledOptions { disk: Arc::clone(disk) as _, ..SledOptions::new(directory) };
    Arc::new(SledBackend::open(options).unwrap())
}

fn put(key: impl AsRef<[u8]>, value: &[u8]) -> Batch {
    let mut batch = Batch::new();
    batch.put(SPACE, key.as_ref().to_vec(), value.to_vec());
    batch
}

fn start<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    tokio::spawn(work)
}

/// Lets every other task of a one-threaded runtime run until it waits.
async fn let_others_run() {
    for _ in 0..10 {
        yield_now().await;
    }
}

#[tokio::test]
async fn creation_is_synced_before_anything_else() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Arc::new(TestDisk::default());
    let backend = open(&directory.path().join("a/b"), &disk);
    let temporary = format!("{}/", directory.path().file_name().unwrap().to_str().unwrap());
    let calls = disk.take_calls();
    assert_eq!(calls, [&temporary, "a/", "db", "conf", "sled/", "b/", "watermark"]);
    backend.close().await.unwrap();
}

#[tokio::test]
async fn nothing_is_acknowledged_or_shown_before_the_sync() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Arc::new(TestDisk::default());
    let backend = open(directory.path(), &disk);
    backend.commit(put("old", b"1")).await.unwrap();
    disk.take_calls();

    disk.close_gate();
    let writer = Arc::clone(&backend);
    let commit = start(async move { writer.commit(put("new", b"2")).await });
    let_others_run().await;
    disk.wait_for_sync();
    // sled has applied and flushed the batch, only the sync is missing: nobody may see it yet.
    let (reader, scanner) = (Arc::clone(&backend), Arc::clone(&backend));
    let get = start(async move { reader.get(SPACE, b"new").await });
    let scan = start(async move { scanner.scan(SPACE, KeyRange::all(), false, 9).await });
    // A read that does not wait would be through once its blocking thread is; this one finishes after it.
    let_others_run().await;
    tokio::task::spawn_blocking(|| ()).await.unwrap();
    let_others_run().await;
    assert!(!commit.is_finished() && !get.is_finished() && !scan.is_finished());
    assert_eq!(disk.take_calls(), ["db"]);

    disk.open_gate();
    let commit = commit.await.unwrap().unwrap();
    assert_eq!(get.await.unwrap().unwrap().unwrap().version, commit.0);
    assert_eq!(scan.await.unwrap().unwrap().items.len(), 2);
    backend.close().await.unwrap();
}

#[tokio::test]
async fn waiting_commits_are_merged_into_few_flushes() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Arc::new(TestDisk::default());
    let backend = open(directory.path(), &disk);
    disk.close_gate();
    let commit = |number: u16| {
        let backend = Arc::clone(&backend);
        start(async move { backend.commit(put(number.to_be_bytes(), b"v")).await })
    };
    let mut commits = vec![commit(0)];
    let_others_run().await;
    disk.wait_for_sync();
    // All these wait in the queue while the first one is being synced.
    commits.extend((1..=4 * u16::try_from(limits::GROUP_BATCHES).unwrap()).map(commit));
    let_others_run().await;
    disk.open_gate();
    for commit in commits {
        commit.await.unwrap().unwrap();
    }
    let counters = backend.counters();
    assert_eq!((counters.commits, counters.flushes), (1 + 4 * limits::GROUP_BATCHES as u64, 5));
    backend.close().await.unwrap();
}

#[tokio::test]
async fn a_conflict_refuses_its_own_batch_among_the_merged_ones() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Arc::new(TestDisk::default());
    let backend = open(directory.path(), &disk);
    disk.close_gate();
    let commit = |batch: Batch| {
        let backend = Arc::clone(&backend);
        start(async move { backend.commit(batch).await })
    };
    let first = commit(put("first", b""));
    let_others_run().await;
    disk.wait_for_sync();
    let mut batches = Vec::new();
    for value in [b"1", b"2"] {
        let mut batch = put("k", value);
        batch.expect_absent(SPACE, "k");
        batches.push(commit(batch));
    }
    let mut delete = Batch::new();
    delete.delete(SPACE, "k");
    batches.push(commit(delete));
    let mut again = put("k", b"3");
    again.expect_absent(SPACE, "k");
    batches.push(commit(again));
    let_others_run().await;
    disk.open_gate();
    first.await.unwrap().unwrap();
    let mut answers = Vec::new();
    for batch in batches {
        answers.push(batch.await.unwrap().map(|_| ()));
    }
    assert_eq!(answers, [Ok(()), Err(StoreError::Conflict), Ok(()), Ok(())]);
    assert_eq!(backend.counters().flushes, 2, "the four were not merged");
    assert_eq!(backend.get(SPACE, b"k").await.unwrap().unwrap().value, "3");
    backend.close().await.unwrap();
}

#[tokio::test]
async fn a_fence_raised_by_a_merged_batch_refuses_the_ones_behind_it() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Arc::new(TestDisk::default());
    let backend = open(directory.path(), &disk);
    disk.close_gate();
    let commit = |key: u8, epoch: u64| {
        let (backend, mut batch) = (Arc::clone(&backend), put([key], b""));
        batch.fenced_by(ShardId(1), Epoch(epoch));
        start(async move { backend.commit(batch).await })
    };
    let mut commits = vec![commit(0, 0)];
    let_others_run().await;
    disk.wait_for_sync();
    commits.extend([commit(1, 1), commit(2, 2), commit(3, 1), commit(4, 2)]);
    let_others_run().await;
    disk.open_gate();
    let mut answers = Vec::new();
    for commit in commits {
        answers.push(commit.await.unwrap().map(|_| ()));
    }
    let fenced = Err(StoreError::Fenced { shard: ShardId(1), current: Epoch(2) });
    assert_eq!(answers, [Ok(()), Ok(()), Ok(()), fenced, Ok(())]);
    assert_eq!(backend.counters().flushes, 2, "the four were not merged");
    assert_eq!(backend.get(SPACE, &[3]).await, Ok(None));
    backend.close().await.unwrap();
}

#[tokio::test]
async fn a_full_disk_refuses_commits_until_there_is_room() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Arc::new(TestDisk::default());
    let backend = open(directory.path(), &disk);
    backend.commit(put("before", b"v")).await.unwrap();
    disk.take_calls();

    disk.set_free_bytes(Some(limits::RESERVE_BYTES - 1));
    assert_eq!(backend.commit(put("during", b"v")).await, Err(StoreError::Full));
    assert_eq!(backend.delete_range(SPACE, KeyRange::all(), 9).await, Err(StoreError::Full));
    assert_eq!(backend.get(SPACE, b"during").await, Ok(None));
    assert!(backend.get(SPACE, b"before").await.unwrap().is_some(), "reads go on");
    assert_eq!(disk.take_calls(), [""; 0], "a refused commit touched the disk");
    assert_eq!(backend.fatal().reason(), None);

    disk.set_free_bytes(None);
    backend.commit(put("after", b"v")).await.unwrap();
    backend.close().await.unwrap();
}

#[tokio::test]
async fn a_reserve_beyond_the_volume_refuses_every_commit() {
    let directory = tempfile::tempdir().unwrap();
    let options = SledOptions { reserve_bytes: u64::MAX / 2, ..SledOptions::new(directory.path()) };
    let backend = SledBackend::open(options).unwrap();
    assert_eq!(backend.commit(put("k", b"v")).await, Err(StoreError::Full));
    backend.close().await.unwrap();
}

#[tokio::test]
async fn a_failed_sync_stops_the_store_for_good() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Arc::new(TestDisk::default());
    let backend = open(directory.path(), &disk);
    backend.commit(put("kept", b"v")).await.unwrap();
    let mut fatal = backend.fatal();
    disk.fail_syncs();
    let Err(StoreError::Poisoned { reason }) = backend.commit(put("lost", b"v")).await else {
        panic!("acknowledged without a sync")
    };
    assert!(reason.contains("cannot be synced"), "{reason}");
    assert_eq!(fatal.wait().await, reason);
    let poisoned = StoreError::Poisoned { reason };
    assert!(poisoned.to_string().contains("restore the latest export"), "{poisoned}");
    assert_eq!(backend.commit(put("later", b"v")).await, Err(poisoned.clone()));
    assert_eq!(backend.get(SPACE, b"kept").await, Err(poisoned.clone()));
    assert_eq!(backend.scan(SPACE, KeyRange::all(), false, 1).await, Err(poisoned.clone()));
    assert_eq!(backend.delete_range(SPACE, KeyRange::all(), 1).await, Err(poisoned.clone()));
    assert_eq!(backend.close().await, Err(poisoned));
    drop(backend);

    let backend = open(directory.path(), &Arc::new(TestDisk::default()));
    assert_eq!(backend.get(SPACE, b"kept").await.unwrap().unwrap().value, "v");
    backend.close().await.unwrap();
}

#[tokio::test]
async fn a_reader_that_waits_for_a_sync_hears_of_its_failure() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Arc::new(TestDisk::default());
    let backend = open(directory.path(), &disk);
    disk.close_gate();
    let (writer, reader) = (Arc::clone(&backend), Arc::clone(&backend));
    let commit = start(async move { writer.commit(put("k", b"v")).await });
    let_others_run().await;
    disk.wait_for_sync();
    let get = start(async move { reader.get(SPACE, b"k").await });
    let_others_run().await;
    disk.fail_syncs();
    disk.open_gate();
    assert!(matches!(commit.await.unwrap(), Err(StoreError::Poisoned { .. })));
    assert!(matches!(get.await.unwrap(), Err(StoreError::Poisoned { .. })));
}

#[tokio::test]
async fn blob_files_are_synced_before_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Arc::new(TestDisk::default());
    let backend = open(directory.path(), &disk);
    disk.take_calls();
    // As if sled had moved a page out of its log.
    std::fs::write(directory.path().join("sled/blobs/1234567"), b"page").unwrap();
    backend.commit(put("k", b"1")).await.unwrap();
    assert_eq!(disk.take_calls(), ["1234567", "blobs/", "db"]);
    backend.commit(put("k", b"2")).await.unwrap();
    assert_eq!(disk.take_calls(), ["db"], "a blob was synced twice");
    backend.close().await.unwrap();
}

#[tokio::test]
async fn dropping_a_commit_does_not_withdraw_it() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Arc::new(TestDisk::default());
    let backend = open(directory.path(), &disk);
    disk.close_gate();
    let writer = Arc::clone(&backend);
    let commit = start(async move { writer.commit(put("k", b"v")).await });
    let_others_run().await;
    disk.wait_for_sync();
    commit.abort();
    assert!(commit.await.unwrap_err().is_cancelled());
    disk.open_gate();
    assert!(backend.get(SPACE, b"k").await.unwrap().is_some());
    backend.close().await.unwrap();
}

/// At many moments of a random workload: what has been synced so far, and nothing else, is a store with every
/// acknowledged commit in it.
#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_leaves_every_acknowledged_commit() {
    let directory = tempfile::tempdir().unwrap();
    let (store, mut random) = (directory.path().join("store"), fastrand::Rng::with_seed(7));
    let disk = Arc::new(TestDisk::default());
    let backend = open(&store, &disk);
    let mut expected = std::collections::BTreeMap::new();
    for round in 0..40 {
        for _ in 0..random.usize(1..25) {
            let (mut batch, mut changes) = (Batch::new(), Vec::new());
            for _ in 0..random.usize(1..6) {
                let key = vec![random.u8(..)];
                let length =
                    if random.u8(..10) == 0 { random.usize(..60_000) } else { random.usize(..1_500) };
                let value = (random.u8(..4) > 0).then(|| vec![random.u8(..); length]);
                match &value {
                    Some(value) => batch.put(SPACE, key.clone(), value.clone()),
                    None => batch.delete(SPACE, key.clone()),
                };
                changes.push((key, value));
            }
            backend.commit(batch).await.unwrap();
            for (key, value) in changes {
                expected.insert(key, value);
            }
        }
        let image = directory.path().join(format!("image-{round}"));
        disk.write_image(&store, &image);
        let after = SledBackend::open(SledOptions::new(&image)).unwrap();
        for (key, value) in &expected {
            let found = after.get(SPACE, key).await.unwrap().map(|found| found.value.to_vec());
            assert!(found == *value, "round {round}, key {key:?}");
        }
        after.close().await.unwrap();
        std::fs::remove_dir_all(image).unwrap();
    }
    backend.close().await.unwrap();
}

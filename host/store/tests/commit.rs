//! The embedded engines while they run: what precedes an acknowledgement, merging, a full disk, failures, a power
//! cut.

#![expect(clippy::unwrap_used, reason = "a test may panic anywhere, also outside of its test function")]

mod disk;
mod engine;

use std::{path::Path, sync::Arc};

use disk::TestDisk;
use engine::{Redb, Sled, TestEngine, for_each_engine};
use stepwell_store::{Backend, Batch, Epoch, KeyRange, OpenOptions, ShardId, Space, StoreError, limits};
use tokio::task::{JoinHandle, yield_now};

for_each_engine! {
    nothing_is_acknowledged_or_shown_before_the_sync,
    the_engine_syncs_once_for_many_commits,
    a_lone_caller_commits_on_its_own_thread,
    waiting_commits_are_merged_into_few_flushes,
    a_conflict_refuses_its_own_batch_among_the_merged_ones,
    a_fence_raised_by_a_merged_batch_refuses_the_ones_behind_it,
    a_full_disk_refuses_commits_until_there_is_room,
    a_reserve_beyond_the_volume_refuses_every_commit,
    a_disk_that_others_fill_does_not_stop_the_store,
    a_failed_sync_stops_the_store_for_good,
    dropping_a_commit_does_not_withdraw_it,
    a_power_cut_leaves_every_acknowledged_commit,
}

const SPACE: Space = Space::new(b'T');

fn open<E: TestEngine>(directory: &Path, disk: &Arc<TestDisk>) -> Arc<dyn Backend> {
    let options = OpenOptions { disk: Arc::clone(disk) as _, ..OpenOptions::default() };
    E::open_with(directory, options).unwrap()
}

fn put(key: impl AsRef<[u8]>, value: &[u8]) -> Batch {
    let mut batch = Batch::new();
    batch.put(SPACE, key.as_ref().to_vec(), value.to_vec());
    batch
}

fn remove(key: &'static str) -> Batch {
    let mut batch = Batch::new();
    batch.delete(SPACE, key);
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

async fn calls_of_creation<E: TestEngine>() -> (String, Vec<String>) {
    let directory = tempfile::tempdir().unwrap();
    let disk = Arc::new(TestDisk::default());
    let backend = open::<E>(&directory.path().join("a/b"), &disk);
    let mut calls = disk.take_calls();
    calls.dedup();
    backend.close().await.unwrap();
    (format!("{}/", directory.path().file_name().unwrap().to_str().unwrap()), calls)
}

#[tokio::test]
async fn creation_is_synced_before_anything_else() {
    // Before the engine's own files the mark that they are being created, and at the very end its removal.
    let (temporary, calls) = calls_of_creation::<Sled>().await;
    assert_eq!(
        calls,
        [&temporary, "a/", "b/", "wal.new", "b/", "db", "conf", "sled/", "b/", "watermark", "b/"]
    );
    let (temporary, calls) = calls_of_creation::<Redb>().await;
    let (log, data, mark) = ("store.redb.wal.new", "store.redb", "store.redb.watermark");
    assert_eq!(calls, [&temporary, "a/", "b/", data, log, "b/", data, "b/", mark, "b/"]);
}

async fn nothing_is_acknowledged_or_shown_before_the_sync<E: TestEngine>() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Arc::new(TestDisk::default());
    let backend = open::<E>(directory.path(), &disk);
    backend.commit(put("old", b"1")).await.unwrap();
    disk.take_calls();

    disk.close_gate();
    let writer = Arc::clone(&backend);
    let commit = start(async move {
        let mut batch = put("new", b"2");
        batch.delete(SPACE, "old");
        writer.commit(batch).await
    });
    let_others_run().await;
    disk.wait_for_sync();
    // The log has the batch, only its sync is missing: nobody sees it yet, and no read waits for it.
    assert_eq!(backend.get(SPACE, b"new").await, Ok(None));
    assert_eq!(backend.get(SPACE, b"old").await.unwrap().unwrap().value, "1");
    assert_eq!(backend.scan(SPACE, KeyRange::all(), false, 999).await.unwrap().items.len(), 1);
    assert!(!commit.is_finished());
    assert_eq!(disk.take_calls(), [E::WAL]);
    disk.open_gate();
    let commit = commit.await.unwrap().unwrap();
    assert_eq!(backend.get(SPACE, b"new").await.unwrap().unwrap().version, commit.0);
    assert_eq!(backend.get(SPACE, b"old").await, Ok(None));
    backend.close().await.unwrap();
}

/// The log begins again only behind a sync of the engine's file, and that happens by bytes, not by commits.
async fn the_engine_syncs_once_for_many_commits<E: TestEngine>() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Arc::new(TestDisk::default());
    let backend = open::<E>(directory.path(), &disk);
    disk.take_calls();
    let commits = E::LAG_BYTES / (64 * 1024) + 2;
    for _ in 0..commits {
        backend.commit(put("key", &vec![7; 64 * 1024])).await.unwrap();
    }
    let calls = disk.take_calls();
    let of = |file: &str| calls.iter().filter(|call| *call == file).count() as u64;
    assert_eq!(of(E::WAL), commits);
    // Once a second it syncs anyway, and redb does when its file grows.
    let syncs = of(E::DATA);
    assert!(syncs >= 1 && syncs <= commits / 2, "{syncs} of {commits}");
    let log = directory.path().join(E::WAL);
    let before = std::fs::metadata(&log).unwrap().len();
    backend.close().await.unwrap();
    assert_eq!(std::fs::metadata(&log).unwrap().len(), before, "the log grew");
}

/// On a runtime with several threads whoever finds the store idle commits by itself; others wait in the queue.
async fn a_lone_caller_commits_on_its_own_thread<E: TestEngine>() {
    let directory = tempfile::tempdir().unwrap();
    let (path, disk) = (directory.path().join("store"), Arc::new(TestDisk::default()));
    let backend = open::<E>(&path, &disk);
    disk.pretend();
    let commit = |key: &'static str| {
        let backend = Arc::clone(&backend);
        async move { backend.commit(put(key, b"v")).await.unwrap() }
    };
    commit("on one thread").await;
    assert_eq!(disk.thread(), "store-committer");

    let several = tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("caller").build();
    let several = several.unwrap();
    several.spawn(commit("alone")).await.unwrap();
    assert_eq!(disk.thread(), "caller");
    let mark = std::fs::read(path.join(E::WATERMARK)).unwrap();

    disk.close_gate();
    let first = several.spawn(commit("first"));
    disk.wait_for_sync();
    let second = several.spawn(commit("second"));
    let_others_run().await;
    assert!(!first.is_finished() && !second.is_finished());
    disk.open_gate();
    assert!(first.await.unwrap() < second.await.unwrap());
    several.spawn(commit("last")).await.unwrap();

    // The thread hears of what it has not done itself.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while std::fs::read(path.join(E::WATERMARK)).unwrap() == mark {
        assert!(std::time::Instant::now() < deadline, "the watermark stands still");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    several.shutdown_background();
    backend.close().await.unwrap();
}

async fn waiting_commits_are_merged_into_few_flushes<E: TestEngine>() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Arc::new(TestDisk::default());
    let backend = open::<E>(directory.path(), &disk);
    disk.close_gate();
    let commit = |number: u16| {
        let backend = Arc::clone(&backend);
        start(async move { backend.commit(put(number.to_be_bytes(), b"v")).await })
    };
    let mut commits = vec![commit(0)];
    let_others_run().await;
    disk.wait_for_sync();
    // All these wait in the queue while the first one is being synced.
    commits.extend((1..=1_024).map(commit));
    let_others_run().await;
    disk.open_gate();
    for commit in commits {
        commit.await.unwrap().unwrap();
    }
    let stats = backend.stats().await.unwrap();
    // Groups grow and shrink with the time that they take, within bounds.
    assert_eq!(stats.commits, 1 + 1_024);
    assert!(stats.flushes <= 2 + 1_024 / limits::GROUP_BATCHES_MIN as u64, "{stats:?}");
    backend.close().await.unwrap();
}

async fn a_conflict_refuses_its_own_batch_among_the_merged_ones<E: TestEngine>() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Arc::new(TestDisk::default());
    let backend = open::<E>(directory.path(), &disk);
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
    assert_eq!(backend.stats().await.unwrap().flushes, 2, "the four were not merged");
    assert_eq!(backend.get(SPACE, b"k").await.unwrap().unwrap().value, "3");
    backend.close().await.unwrap();
}

async fn a_fence_raised_by_a_merged_batch_refuses_the_ones_behind_it<E: TestEngine>() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Arc::new(TestDisk::default());
    let backend = open::<E>(directory.path(), &disk);
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
    assert_eq!(backend.stats().await.unwrap().flushes, 2, "the four were not merged");
    assert_eq!(backend.get(SPACE, &[3]).await, Ok(None));
    backend.close().await.unwrap();
}

async fn a_full_disk_refuses_commits_until_there_is_room<E: TestEngine>() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Arc::new(TestDisk::default());
    let backend = open::<E>(directory.path(), &disk);
    backend.commit(put("before", b"v")).await.unwrap();
    disk.take_calls();

    disk.set_free_bytes(Some(limits::RESERVE_BYTES - 1));
    // The last measurement still counts for a moment.
    let mut let_through = 0;
    while backend.commit(put("during", b"v")).await != Err(StoreError::Full) {
        let_through += 1;
        assert!(let_through < 100_000, "a full disk is not noticed");
    }
    if let_through > 0 {
        let mut batch = Batch::new();
        batch.delete(SPACE, "during");
        disk.set_free_bytes(None);
        backend.commit(batch).await.unwrap();
        disk.set_free_bytes(Some(limits::RESERVE_BYTES - 1));
        while backend.commit(put("other", b"v")).await != Err(StoreError::Full) {}
    }
    disk.take_calls();
    assert_eq!(backend.commit(put("during", b"v")).await, Err(StoreError::Full));
    disk.set_free_bytes(Some(limits::RESERVE_BYTES / 4 - 1));
    assert_eq!(backend.delete_range(SPACE, KeyRange::all(), 9).await, Err(StoreError::Full));
    assert_eq!(backend.commit(remove("none")).await, Err(StoreError::Full));
    assert_eq!(backend.get(SPACE, b"during").await, Ok(None));
    assert!(backend.get(SPACE, b"before").await.unwrap().is_some(), "reads go on");
    assert_eq!(disk.take_calls(), [""; 0], "a refused commit touched the disk");
    assert_eq!(backend.fatal().reason(), None);

    // What only removes may go on for a while: it is how space comes back.
    disk.set_free_bytes(Some(limits::RESERVE_BYTES / 2));
    backend.commit(remove("none")).await.unwrap();
    let mut batch = remove("none");
    batch.put(SPACE, "during", "v");
    assert_eq!(backend.commit(batch).await, Err(StoreError::Full));

    disk.set_free_bytes(None);
    backend.commit(put("after", b"v")).await.unwrap();
    backend.close().await.unwrap();
}

/// What is acknowledged and not in the engine waits in the log while others fill the disk to its last byte.
async fn a_disk_that_others_fill_does_not_stop_the_store<E: TestEngine>() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Arc::new(TestDisk::default());
    let backend = open::<E>(directory.path(), &disk);
    backend.commit(put("before", b"v")).await.unwrap();
    disk.set_free_bytes(Some(0));
    disk.take_calls();
    assert_eq!(backend.commit(put("during", b"v")).await, Err(StoreError::Full));
    // The engine is due once a second.
    tokio::time::sleep(limits::WATERMARK_EVERY * 2).await;
    assert!(!disk.take_calls().contains(&E::DATA.to_owned()), "the engine wrote to a full disk");
    assert_eq!(backend.fatal().reason(), None);
    assert!(backend.get(SPACE, b"before").await.unwrap().is_some());

    disk.set_free_bytes(None);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !disk.take_calls().contains(&E::DATA.to_owned()) {
        assert!(std::time::Instant::now() < deadline, "the engine never syncs again");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    backend.commit(put("after", b"v")).await.unwrap();

    // Closed like that, it has everything all the same.
    disk.set_free_bytes(Some(0));
    backend.close().await.unwrap();
    drop(backend);
    let backend = E::open(directory.path()).unwrap();
    for key in ["before", "after"] {
        assert!(backend.get(SPACE, key.as_bytes()).await.unwrap().is_some(), "{key}");
    }
    backend.close().await.unwrap();
}

async fn a_reserve_beyond_the_volume_refuses_every_commit<E: TestEngine>() {
    let directory = tempfile::tempdir().unwrap();
    let options = OpenOptions { reserve_bytes: u64::MAX / 2, ..OpenOptions::default() };
    let backend = E::open_with(directory.path(), options).unwrap();
    assert_eq!(backend.commit(put("k", b"v")).await, Err(StoreError::Full));
    backend.close().await.unwrap();
}

async fn a_failed_sync_stops_the_store_for_good<E: TestEngine>() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Arc::new(TestDisk::default());
    let backend = open::<E>(directory.path(), &disk);
    backend.commit(put("kept", b"v")).await.unwrap();
    let mut fatal = backend.fatal();
    disk.fail_syncs();
    let Err(StoreError::Poisoned { reason }) = backend.commit(put("lost", b"v")).await else {
        panic!("acknowledged without a sync")
    };
    assert!(reason.contains("Input/output error"), "{reason}");
    assert_eq!(fatal.wait().await, reason);
    let poisoned = StoreError::Poisoned { reason };
    assert!(poisoned.to_string().contains("restore the latest export"), "{poisoned}");
    assert_eq!(backend.commit(put("later", b"v")).await, Err(poisoned.clone()));
    assert_eq!(backend.get(SPACE, b"kept").await, Err(poisoned.clone()));
    assert_eq!(backend.scan(SPACE, KeyRange::all(), false, 1).await, Err(poisoned.clone()));
    assert_eq!(backend.delete_range(SPACE, KeyRange::all(), 1).await, Err(poisoned.clone()));
    assert_eq!(backend.close().await, Err(poisoned));
    drop(backend);

    let backend = open::<E>(directory.path(), &Arc::new(TestDisk::default()));
    assert_eq!(backend.get(SPACE, b"kept").await.unwrap().unwrap().value, "v");
    backend.close().await.unwrap();
}

#[tokio::test]
async fn blob_files_are_synced_before_the_log_of_sled() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Arc::new(TestDisk::default());
    let backend = open::<Sled>(directory.path(), &disk);
    disk.take_calls();
    // As if sled had moved a page out of its log.
    std::fs::write(directory.path().join("sled/blobs/1234567"), b"page").unwrap();
    backend.commit(put("k", b"1")).await.unwrap();
    backend.close().await.unwrap();
    assert_eq!(disk.take_calls(), ["wal", "1234567", "blobs/", "db", "watermark"]);
}

async fn dropping_a_commit_does_not_withdraw_it<E: TestEngine>() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Arc::new(TestDisk::default());
    let backend = open::<E>(directory.path(), &disk);
    disk.close_gate();
    let writer = Arc::clone(&backend);
    let commit = start(async move { writer.commit(put("k", b"v")).await });
    let_others_run().await;
    disk.wait_for_sync();
    commit.abort();
    assert!(commit.await.unwrap_err().is_cancelled());
    disk.open_gate();
    // The committer works in order: after this one, the first is through.
    backend.commit(put("next", b"v")).await.unwrap();
    assert!(backend.get(SPACE, b"k").await.unwrap().is_some());
    backend.close().await.unwrap();
}

/// At many moments of a random workload: what has been synced so far, and nothing else, is a store with every
/// acknowledged commit in it.
async fn a_power_cut_leaves_every_acknowledged_commit<E: TestEngine>() {
    let directory = tempfile::tempdir().unwrap();
    let (store, mut random) = (directory.path().join("store"), fastrand::Rng::with_seed(7));
    let disk = Arc::new(TestDisk::default());
    let backend = open::<E>(&store, &disk);
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
        let after = E::open(&image).unwrap();
        for (key, value) in &expected {
            let found = after.get(SPACE, key).await.unwrap().map(|found| found.value.to_vec());
            assert!(found == *value, "round {round}, key {key:?}");
        }
        after.close().await.unwrap();
        std::fs::remove_dir_all(image).unwrap();
    }
    backend.close().await.unwrap();
}

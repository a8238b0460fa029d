//! The contract suite: what every backend promises, as tests that any backend can be put through.
//!
//! Each check works on a fresh, empty store. It must never ask for anything that the documentation of
//! [`Backend`] does not promise.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;

pub use crate::contract_model::{Model, Step, run_steps};
use crate::{
    backend::{Backend, KeyRange, Versioned},
    batch::{Batch, CommitSeq, Epoch, ShardId, Space, epoch_of, fence_key},
    error::StoreError,
    limits,
};

const A: Space = Space::new(b'A');
const B: Space = Space::new(b'B');

/// Makes stores for the suite.
#[async_trait]
pub trait Harness: Send + Sync {
    /// A fresh, empty store.
    async fn fresh(&self) -> Arc<dyn Backend>;

    /// Ends the store in good order and opens it again; `None` if the backend keeps nothing.
    async fn reopen(&self, backend: Arc<dyn Backend>) -> Option<Arc<dyn Backend>>;
}

/// Runs the whole suite.
///
/// # Panics
/// If the backend breaks a promise; the message says which.
pub async fn run(harness: &dyn Harness) {
    scans_are_ordered_and_paged(&*harness.fresh().await).await;
    scans_stay_in_their_space_and_range(&*harness.fresh().await).await;
    batches_are_all_or_nothing(&*harness.fresh().await).await;
    inserts_store_what_is_new(&*harness.fresh().await).await;
    versions_are_the_commits(&*harness.fresh().await).await;
    conflicting_commits_have_one_winner(harness.fresh().await).await;
    fences_refuse_the_past(&*harness.fresh().await).await;
    long_values_come_back(&*harness.fresh().await).await;
    long_values_leave_nothing_behind(&*harness.fresh().await).await;
    ranges_are_deleted_in_steps(&*harness.fresh().await).await;
    misuse_is_refused(&*harness.fresh().await).await;
    concurrent_commits_are_all_kept(harness).await;
    everything_outlives_a_reopen(harness).await;
    a_backend_knows_itself(&*harness.fresh().await).await;
    a_closed_backend_says_so(&*harness.fresh().await).await;
}

async fn put(backend: &dyn Backend, space: Space, key: &[u8], value: impl Into<Bytes>) -> CommitSeq {
    let mut batch = Batch::new();
    batch.put(space, key.to_vec(), value);
    backend.commit(batch).await.expect("a plain put")
}

async fn value(backend: &dyn Backend, space: Space, key: &[u8]) -> Option<Bytes> {
    backend.get(space, key).await.expect("a get").map(|stored| stored.value)
}

/// All keys of a range, page by page.
async fn keys(
    backend: &dyn Backend,
    space: Space,
    range: KeyRange,
    reverse: bool,
    limit: usize,
) -> Vec<Bytes> {
    let (mut keys, mut next) = (Vec::new(), Some(range));
    while let Some(range) = next {
        let page = backend.scan(space, range, reverse, limit).await.expect("a scan");
        assert!(page.items.len() <= limit, "a page of {limit} has {} items", page.items.len());
        assert!(page.next.is_none() || !page.items.is_empty(), "an empty page promises more");
        keys.extend(page.items.into_iter().map(|(key, _)| key));
        next = page.next;
    }
    keys
}

async fn scans_are_ordered_and_paged(backend: &dyn Backend) {
    let mut expected: Vec<Bytes> = (0..250_u32)
        .map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes().to_vec().into())
        .chain([Bytes::new(), Bytes::from_static(b"\0"), Bytes::from_static(b"\xff\xff\xff\xff\xff")])
        .collect();
    for key in &expected {
        put(backend, A, key, key.clone()).await;
    }
    expected.sort();
    for limit in [1, 7, 253, 1000] {
        assert_eq!(keys(backend, A, KeyRange::all(), false, limit).await, expected, "limit {limit}");
    }
    let first = backend.scan(A, KeyRange::all(), false, 3).await.expect("a scan");
    assert!(first.items.iter().all(|(key, value)| key == value), "a value under the wrong key");
    let all = backend.scan(A, KeyRange::all(), false, 253).await.expect("a scan");
    assert_eq!(all.next, None, "a full page at the end promises more");
    expected.reverse();
    for limit in [1, 7, 253, 1000] {
        assert_eq!(keys(backend, A, KeyRange::all(), true, limit).await, expected, "reverse, limit {limit}");
    }
}

async fn scans_stay_in_their_space_and_range(backend: &dyn Backend) {
    for space in [A, B] {
        for key in ["a", "b", "b\0", "ba", "bb", "b\u{7f}", "c", "d"] {
            put(backend, space, key.as_bytes(), "").await;
        }
    }
    let cases: [(KeyRange, &[&str]); 6] = [
        (KeyRange::prefix("b"), &["b", "b\0", "ba", "bb", "b\u{7f}"]),
        (KeyRange::between("b\0", "bb"), &["b\0", "ba"]),
        (KeyRange::prefix("bb").after(b"bb"), &[]),
        (KeyRange::all().after(b"b\x7f"), &["c", "d"]),
        (KeyRange::all().before("b"), &["a"]),
        (KeyRange::between("d", "a"), &[]),
    ];
    for (range, expected) in cases {
        assert_eq!(keys(backend, A, range.clone(), false, 2).await, expected, "{range:?}");
        let reversed: Vec<_> = expected.iter().rev().copied().collect();
        assert_eq!(keys(backend, A, range.clone(), true, 2).await, reversed, "{range:?} in reverse");
    }
}

async fn batches_are_all_or_nothing(backend: &dyn Backend) {
    let mut batch = Batch::new();
    batch.put(A, "one", "1").put(B, "two", "2").put(A, "one", "3").delete(B, "none");
    backend.commit(batch).await.expect("a batch");
    assert_eq!(value(backend, A, b"one").await.as_deref(), Some(&b"3"[..]), "the last change of a key wins");

    let mut batch = Batch::new();
    batch.expect_absent(A, "new").expect_absent(B, "two").put(A, "new", "x").delete(B, "two");
    assert_eq!(backend.commit(batch).await, Err(StoreError::Conflict));
    assert_eq!(value(backend, A, b"new").await, None, "a refused batch stored something");
    assert_eq!(
        value(backend, B, b"two").await.as_deref(),
        Some(&b"2"[..]),
        "a refused batch deleted something"
    );

    let mut batch = Batch::new();
    batch.put(A, "gone", "x").delete(A, "gone").delete(B, "two");
    backend.commit(batch).await.expect("a batch");
    assert_eq!(value(backend, A, b"gone").await, None);
    assert_eq!(value(backend, B, b"two").await, None);
    backend.commit(Batch::new()).await.expect("an empty batch");
}

async fn inserts_store_what_is_new(backend: &dyn Backend) {
    let mut batch = Batch::new();
    batch.insert(A, "short", "1").insert(A, "long", long(200_000, 1)).put(A, "gone", "x");
    batch.delete(A, "gone").insert(A, "gone", "2");
    let commit = backend.commit(batch).await.expect("inserts");
    assert_eq!(value(backend, A, b"gone").await.as_deref(), Some(&b"2"[..]));
    assert!(value(backend, A, b"long").await == Some(long(200_000, 1)));
    let stored = backend.get(A, b"short").await.expect("a get");
    assert_eq!(stored, Some(Versioned { value: "1".into(), version: commit.0 }));

    // What was inserted is replaced and removed like anything else.
    let mut batch = Batch::new();
    batch.expect_version(A, "short", commit.0).put(A, "short", "3").delete(A, "long");
    backend.commit(batch).await.expect("a put over an insert");
    let mut batch = Batch::new();
    batch.insert(A, "long", long(70_000, 2)).expect_absent(A, "long");
    backend.commit(batch).await.expect("an insert after a delete");
    assert!(value(backend, A, b"long").await == Some(long(70_000, 2)));
    let verified = backend.verify().await.expect("a check");
    assert!(verified.is_intact(), "{verified:?}");

    // A refused batch is refused whether it inserts or puts.
    let mut batch = Batch::new();
    batch.insert(A, "other", "1").expect_absent(A, "short");
    assert_eq!(backend.commit(batch).await, Err(StoreError::Conflict));
    assert_eq!(value(backend, A, b"other").await, None);

    // Broken promises are noticed in debug builds only.
    if cfg!(debug_assertions) {
        for broken in [Batch::new().insert(A, "short", "4"), Batch::new().put(A, "n", "").insert(A, "n", "")]
        {
            broken.put(A, "beside", "x");
            let refused = backend.commit(broken.clone()).await;
            assert!(matches!(refused, Err(StoreError::Invalid(_))), "{refused:?}");
        }
        assert_eq!(value(backend, A, b"short").await.as_deref(), Some(&b"3"[..]));
        assert_eq!(value(backend, A, b"beside").await, None);
    }
}

async fn versions_are_the_commits(backend: &dyn Backend) {
    let first = put(backend, A, b"k", "1").await;
    let stored = backend.get(A, b"k").await.expect("a get");
    assert_eq!(stored, Some(Versioned { value: "1".into(), version: first.0 }));

    let replace = |version: u64, value: &'static str| {
        let mut batch = Batch::new();
        batch.expect_version(A, "k", version).put(A, "k", value);
        backend.commit(batch)
    };
    assert_eq!(replace(first.0 + 1, "wrong").await, Err(StoreError::Conflict));
    let second = replace(first.0, "2").await.expect("the right version");
    assert!(second > first, "commits go backwards");
    assert_eq!(replace(first.0, "late").await, Err(StoreError::Conflict));

    let mut batch = Batch::new();
    batch.delete(A, "k");
    backend.commit(batch).await.expect("a delete");
    assert_eq!(replace(second.0, "late").await, Err(StoreError::Conflict), "an absent key has no version");
    // The same value again is not the same version: whoever still holds the old one is refused.
    let third = put(backend, A, b"k", "2").await;
    assert!(third > second);
    assert_eq!(replace(second.0, "late").await, Err(StoreError::Conflict));
}

async fn conflicting_commits_have_one_winner(backend: Arc<dyn Backend>) {
    for round in 0..20_u8 {
        let key = vec![round];
        let contenders: Vec<_> = (0..16_u8)
            .map(|contender| {
                let (backend, key) = (Arc::clone(&backend), key.clone());
                tokio::spawn(async move {
                    let mut batch = Batch::new();
                    batch.expect_absent(A, key.clone()).put(A, key, vec![contender]);
                    batch.put(B, vec![round, contender], "");
                    (contender, backend.commit(batch).await)
                })
            })
            .collect();
        let mut winners = Vec::new();
        for contender in contenders {
            match contender.await.expect("a task") {
                (contender, Ok(_)) => winners.push(contender),
                (_, refused) => assert_eq!(refused, Err(StoreError::Conflict)),
            }
        }
        assert_eq!(winners.len(), 1, "of several commits that expect absence, {winners:?} won");
        assert_eq!(value(&*backend, A, &key).await.as_deref(), Some(&winners[..]));
        let traces = keys(&*backend, B, KeyRange::prefix(key), false, 100).await;
        assert_eq!(traces, [vec![round, winners[0]]], "a loser left a trace");
    }
}

async fn fences_refuse_the_past(backend: &dyn Backend) {
    let (one, two) = (ShardId(1), ShardId(u32::MAX));
    let fenced = |shard: ShardId, epoch: u64, value: u64| {
        let mut batch = Batch::new();
        batch.put(A, fence_key(shard), value.to_be_bytes().to_vec()).fenced_by(shard, Epoch(epoch));
        backend.commit(batch)
    };
    fenced(one, 0, 1).await.expect("no epoch stored means 0");
    assert_eq!(backend.get(Space::FENCES, &fence_key(one)).await, Ok(None));
    fenced(one, 5, 2).await.expect("a newer epoch");
    fenced(one, 5, 3).await.expect("the same epoch");
    let refused = Err(StoreError::Fenced { shard: one, current: Epoch(5) });
    assert_eq!(fenced(one, 4, 4).await, refused);
    assert_eq!(fenced(one, 0, 5).await, refused);
    fenced(two, 1, 6).await.expect("another shard has its own epoch");
    let stored = value(backend, A, &fence_key(one)).await;
    assert_eq!(stored.as_deref(), Some(&3_u64.to_be_bytes()[..]), "a fenced batch stored something");
    let epoch = value(backend, Space::FENCES, &fence_key(one)).await.expect("an epoch");
    assert_eq!(epoch_of(&epoch), Some(Epoch(5)));

    // A batch that is refused for another reason does not raise the epoch.
    let mut batch = Batch::new();
    batch.expect_absent(A, fence_key(one)).fenced_by(one, Epoch(9));
    assert_eq!(backend.commit(batch).await, Err(StoreError::Conflict));
    fenced(one, 5, 7).await.expect("the epoch is still 5");
}

fn long(bytes: usize, seed: u64) -> Bytes {
    let mut value = vec![0; bytes];
    fastrand::Rng::with_seed(seed).fill(&mut value);
    value.into()
}

async fn long_values_come_back(backend: &dyn Backend) {
    let sizes = [0, 1, 6_000, 6_144, 6_200, 12_260, 12_261, 64_498, 64_499, 100_000, 128_997, 2 << 20];
    let mut batch = Batch::new();
    for (seed, bytes) in (0..).zip(sizes) {
        batch.put(A, format!("{bytes:08}"), long(bytes, seed));
    }
    let commit = backend.commit(batch).await.expect("long values");
    let mut scanned = Vec::new();
    let mut next = Some(KeyRange::all());
    while let Some(range) = next {
        let page = backend.scan(A, range, false, limits::PAGE_ITEMS).await.expect("a scan");
        scanned.extend(page.items);
        next = page.next;
    }
    assert_eq!(scanned.len(), sizes.len(), "chunks show in a scan, or values are missing");
    for (seed, bytes) in (0..).zip(sizes) {
        let (key, expected) = (format!("{bytes:08}"), long(bytes, seed));
        let stored = backend.get(A, key.as_bytes()).await.expect("a get").expect("a value");
        assert!(stored.value == expected && stored.version == commit.0, "{bytes} bytes come back changed");
        let (scanned_key, scanned_value) = &scanned[usize::try_from(seed).expect("few")];
        assert!(*scanned_key == key && *scanned_value == expected, "a scan shows {bytes} bytes changed");
    }
}

async fn long_values_leave_nothing_behind(backend: &dyn Backend) {
    for (seed, bytes) in (0..).zip([300_000, 20_000, 7_000, 10, 50_000, 0]) {
        put(backend, A, b"k", long(bytes, seed)).await;
        assert!(value(backend, A, b"k").await == Some(long(bytes, seed)), "{bytes} bytes come back changed");
        assert_eq!(keys(backend, A, KeyRange::all(), false, 10).await, ["k"], "chunks show in a scan");
    }
    put(backend, A, b"k", long(40_000, 1)).await;
    let mut batch = Batch::new();
    batch.put(A, "k", long(90_000, 2)).delete(A, "k").put(A, "k", long(15_000, 3));
    backend.commit(batch).await.expect("a batch");
    assert!(value(backend, A, b"k").await == Some(long(15_000, 3)));
    let mut batch = Batch::new();
    batch.delete(A, "k");
    backend.commit(batch).await.expect("a delete");
    assert_eq!(value(backend, A, b"k").await, None);
}

async fn ranges_are_deleted_in_steps(backend: &dyn Backend) {
    let mut batch = Batch::new();
    for number in 0..1_000_u16 {
        let value = if number % 100 == 0 { long(20_000, 0) } else { Bytes::from_static(b"v") };
        batch.put(A, number.to_be_bytes().to_vec(), value.clone());
        batch.put(B, number.to_be_bytes().to_vec(), value);
    }
    backend.commit(batch).await.expect("a batch");
    let some = KeyRange::between(100_u16.to_be_bytes().to_vec(), 900_u16.to_be_bytes().to_vec());
    assert_eq!(backend.delete_range(A, some.clone(), 0).await, Ok(0));
    assert_eq!(backend.delete_range(A, some.clone(), 10).await, Ok(10));
    let left = keys(backend, A, some.clone(), false, 1).await;
    assert_eq!(left[0][..], 110_u16.to_be_bytes(), "not the first keys were deleted");
    assert_eq!(backend.delete_range(A, some.clone(), 5_000).await, Ok(790));
    assert_eq!(backend.delete_range(A, some, 5_000).await, Ok(0));
    assert_eq!(keys(backend, A, KeyRange::all(), false, 300).await.len(), 200);
    assert_eq!(keys(backend, B, KeyRange::all(), false, 300).await.len(), 1_000, "another space was hit");
}

async fn misuse_is_refused(backend: &dyn Backend) {
    let long_key = vec![0; limits::KEY_BYTES + 1];
    let mut batch = Batch::new();
    batch.put(A, "fine", "").put(A, long_key.clone(), "");
    assert!(matches!(backend.commit(batch).await, Err(StoreError::TooLarge { .. })));
    assert_eq!(value(backend, A, b"fine").await, None);
    assert!(matches!(backend.get(A, &long_key).await, Err(StoreError::TooLarge { .. })));
    assert!(matches!(backend.scan(A, KeyRange::all(), false, 0).await, Err(StoreError::Invalid(_))));
    assert!(matches!(
        backend.scan(Space::META, KeyRange::all(), false, 1).await,
        Err(StoreError::Invalid(_))
    ));
    let fences = backend.delete_range(Space::FENCES, KeyRange::all(), 1).await;
    assert!(matches!(fences, Err(StoreError::Invalid(_))));

    // The longest key works, also as the place where a page ends.
    let longest = [vec![7; limits::KEY_BYTES], vec![8; limits::KEY_BYTES]];
    for key in &longest {
        put(backend, A, key, long(9_000, 1)).await;
    }
    assert_eq!(keys(backend, A, KeyRange::all(), false, 1).await, longest);
}

async fn concurrent_commits_are_all_kept(harness: &dyn Harness) {
    let backend = harness.fresh().await;
    let tasks: Vec<_> = (0..64_u8)
        .map(|task| {
            let backend = Arc::clone(&backend);
            tokio::spawn(async move {
                let mut commits = Vec::new();
                for number in 0..20_u8 {
                    let commit = put(&*backend, A, &[task, number], vec![number; 100]).await;
                    let seen = backend.get(A, &[task, number]).await.expect("a get").map(|seen| seen.version);
                    assert_eq!(seen, Some(commit.0), "an acknowledged value is not visible");
                    commits.push(commit);
                }
                commits
            })
        })
        .collect();
    let mut commits = BTreeSet::new();
    for task in tasks {
        commits.extend(task.await.expect("a task"));
    }
    assert_eq!(commits.len(), 64 * 20, "two commits have one number");
    let all = keys(&*backend, A, KeyRange::all(), false, 1000).await;
    assert_eq!(all.len(), 64 * 20);
    if let Some(backend) = harness.reopen(backend).await {
        assert_eq!(
            keys(&*backend, A, KeyRange::all(), false, 1000).await,
            all,
            "acknowledged commits are gone"
        );
    }
}

async fn everything_outlives_a_reopen(harness: &dyn Harness) {
    let backend = harness.fresh().await;
    put(&*backend, A, b"long", long(50_000, 1)).await;
    let mut batch = Batch::new();
    batch.put(A, "short", "v").fenced_by(ShardId(3), Epoch(2));
    let last = backend.commit(batch).await.expect("a batch");
    let Some(backend) = harness.reopen(backend).await else { return };
    assert!(value(&*backend, A, b"long").await == Some(long(50_000, 1)));
    let stored = backend.get(A, b"short").await.expect("a get");
    assert_eq!(stored, Some(Versioned { value: "v".into(), version: last.0 }));
    let mut batch = Batch::new();
    batch.fenced_by(ShardId(3), Epoch(1));
    let refused = Err(StoreError::Fenced { shard: ShardId(3), current: Epoch(2) });
    assert_eq!(backend.commit(batch).await, refused, "a fence is forgotten");
    assert!(put(&*backend, A, b"next", "").await > last, "commit numbers start again");
}

async fn a_backend_knows_itself(backend: &dyn Backend) {
    let mut batch = Batch::new();
    batch.put(A, "k", "value").put(B, "long", long(100_000, 1)).fenced_by(ShardId(1), Epoch(1));
    let commit = backend.commit(batch).await.expect("a batch");
    let stats = backend.stats().await.expect("statistics");
    assert!(!stats.engine.is_empty() && stats.commits >= 1 && stats.last_commit == commit.0, "{stats:?}");
    let verified = backend.verify().await.expect("a check");
    assert!(verified.is_intact() && verified.records >= 3 && verified.bytes > 100_000, "{verified:?}");
    let usage: Vec<_> = crate::usage(backend).await.expect("a count");
    let usage: Vec<_> = usage.iter().map(|usage| (usage.space, usage.records, usage.bytes)).collect();
    assert_eq!(usage, [(A, 1, 6), (B, 1, 100_004), (Space::FENCES, 1, 12)]);
    backend.compact().await.expect("compaction, or the word that there is none");
    assert!(value(backend, B, b"long").await == Some(long(100_000, 1)));
}

async fn a_closed_backend_says_so(backend: &dyn Backend) {
    put(backend, A, b"k", "v").await;
    assert!(!backend.describe().is_empty());
    assert_eq!(backend.fatal().reason(), None);
    backend.close().await.expect("a close");
    let mut batch = Batch::new();
    batch.put(A, "k", "w");
    assert_eq!(backend.commit(batch).await, Err(StoreError::Closed));
    assert_eq!(backend.get(A, b"k").await, Err(StoreError::Closed));
    assert_eq!(backend.scan(A, KeyRange::all(), false, 1).await, Err(StoreError::Closed));
    assert_eq!(backend.delete_range(A, KeyRange::all(), 1).await, Err(StoreError::Closed));
    assert_eq!(backend.verify().await, Err(StoreError::Closed));
    assert_eq!(backend.stats().await, Err(StoreError::Closed));
    assert_eq!(backend.close().await, Ok(()), "closing twice is harmless");
    assert_eq!(backend.fatal().reason(), None, "a close in good order is no failure");
}

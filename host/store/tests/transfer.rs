//! Exports and imports over all engines: round trips, damaged files, imports that are cut short, live stores.

#![expect(clippy::unwrap_used, reason = "a test may panic anywhere, also outside of its test function")]

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use stepwell_store::{
    Backend, Batch, CommitSeq, Epoch, Fatal, KeyRange, MemoryBackend, OpenOptions, Page, ShardId, Space,
    StoreError, StoreLocation, Versioned,
    fault::{FaultBackend, FaultPlan},
    limits, open,
    transfer::{Export, Recorder, Totals, TransferError, check_export, check_whole, import},
};

const A: Space = Space::new(b'A');
const Z: Space = Space::new(b'z');

type Contents = BTreeMap<(Space, Bytes), Bytes>;

/// Everything that a store holds.
async fn contents(backend: &dyn Backend) -> Contents {
    let mut all = Contents::new();
    for space in Space::readable() {
        let mut next = Some(KeyRange::all());
        while let Some(range) = next {
            let page = backend.scan(space, range, false, 1_000).await.unwrap();
            all.extend(page.items.into_iter().map(|(key, value)| ((space, key), value)));
            next = page.next;
        }
    }
    all
}

async fn put_all(backend: &dyn Backend, records: impl IntoIterator<Item = (Space, Bytes, Bytes)>) {
    let mut batch = Batch::new();
    for (space, key, value) in records {
        batch.put(space, key, value);
        if batch.ops.len() >= 4_096 || batch.bytes() > (8 << 20) {
            backend.commit(std::mem::take(&mut batch)).await.unwrap();
        }
    }
    backend.commit(batch).await.unwrap();
}

async fn file_of(mut export: Export) -> Vec<u8> {
    let mut file = Vec::new();
    while let Some(bytes) = export.next().await.unwrap() {
        file.extend_from_slice(&bytes);
    }
    assert_eq!(export.totals().file_bytes, file.len() as u64);
    file
}

async fn exported(backend: &Arc<dyn Backend>) -> Vec<u8> {
    file_of(Export::new(Arc::clone(backend))).await
}

async fn imported(backend: &dyn Backend, file: &[u8]) -> Result<Totals, TransferError> {
    import(backend, file, |_| ()).await.map(|(_, totals)| totals)
}

/// Records of every shape: many spaces, long keys, long and empty values, fences.
async fn fill(backend: &dyn Backend) {
    let mut random = fastrand::Rng::with_seed(7);
    let spaces = (0..limits::FIRST_RESERVED_SPACE - 1).step_by(7).map(Space::new);
    let mut records = Vec::new();
    for space in spaces {
        for index in 0..40_u32 {
            let value: Vec<u8> = (0..random.usize(..300)).map(|_| random.u8(..)).collect();
            records.push((space, Bytes::from(index.to_be_bytes().to_vec()), value.into()));
        }
    }
    let long: Vec<u8> = (0..200 * 1_024).map(|_| random.u8(..)).collect();
    records.push((A, "long".into(), long.into()));
    records.push((A, vec![0xFF; limits::KEY_BYTES].into(), vec![b'x'; 200 * 1_024].into()));
    records.push((Z, Bytes::new(), Bytes::new()));
    records.extend((0..2_500_u32).map(|index| (Z, index.to_be_bytes().to_vec().into(), "v".into())));
    put_all(backend, records).await;
    for (shard, epoch) in [(0, 3), (1, 1), (77, u64::MAX)] {
        let mut batch = Batch::new();
        batch.fenced_by(ShardId(shard), Epoch(epoch));
        backend.commit(batch).await.unwrap();
    }
}

fn locations(directory: &Path, name: &str) -> Vec<StoreLocation> {
    vec![
        StoreLocation::Memory,
        StoreLocation::Sled(directory.join(format!("{name}.sled"))),
        StoreLocation::Redb(directory.join(format!("{name}.redb"))),
    ]
}

#[tokio::test]
async fn what_is_exported_from_any_engine_is_imported_into_any_engine() {
    let directory = tempfile::tempdir().unwrap();
    for (from, source) in locations(directory.path(), "source").iter().enumerate() {
        let backend = open(source, OpenOptions::default()).unwrap();
        fill(&*backend).await;
        let expected = contents(&*backend).await;
        let file = exported(&backend).await;
        let (head, checked) = check_export(&file[..]).unwrap();
        assert_eq!((head.source, head.records), (backend.describe(), limits::FORMAT));
        assert_eq!(checked.records, expected.len() as u64);
        backend.close().await.unwrap();
        for target in locations(directory.path(), &format!("target{from}")) {
            let backend = open(&target, OpenOptions::default()).unwrap();
            assert_eq!(imported(&*backend, &file).await.unwrap(), checked, "{source} to {target}");
            backend.close().await.unwrap();
            if target == StoreLocation::Memory {
                continue;
            }
            let backend = open(&target, OpenOptions::default()).unwrap();
            assert_eq!(contents(&*backend).await, expected, "{source} to {target}");
            assert!(backend.verify().await.unwrap().is_intact());
            // Fences hold there too.
            let mut stale = Batch::new();
            stale.fenced_by(ShardId(0), Epoch(2));
            assert!(matches!(backend.commit(stale).await, Err(StoreError::Fenced { .. })));
            backend.close().await.unwrap();
        }
    }
}

#[tokio::test]
async fn an_empty_store_has_an_export_too() {
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    let file = exported(&backend).await;
    let target = MemoryBackend::new();
    assert_eq!(imported(&target, &file).await.unwrap().records, 0);
    assert!(contents(&target).await.is_empty());
    check_whole(&target).await.unwrap();
}

#[tokio::test]
async fn an_import_adds_to_nothing() {
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    put_all(&*backend, [(A, "key".into(), "value".into())]).await;
    let file = exported(&backend).await;
    let only_a_fence = MemoryBackend::new();
    only_a_fence.commit(Batch::new().fenced_by(ShardId(1), Epoch(1)).clone()).await.unwrap();
    for target in [&*backend, &only_a_fence] {
        let before = contents(target).await;
        let refused = imported(target, &file).await.unwrap_err();
        assert!(matches!(refused, TransferError::NotEmpty { .. }), "{refused}");
        assert_eq!(contents(target).await, before);
    }
}

/// A small export with several frames of records.
async fn small_export() -> (Vec<u8>, Contents) {
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    let records = [(A, "a", "first"), (A, "b", ""), (Z, "c", "an old value"), (Z, "d", "last")];
    put_all(&*backend, records.map(|(space, key, value)| (space, key.into(), value.into()))).await;
    backend.commit(Batch::new().fenced_by(ShardId(1), Epoch(9)).clone()).await.unwrap();
    (exported(&backend).await, contents(&*backend).await)
}

/// An import of a damaged file fails, and nobody can take what it leaves for a store.
async fn assert_refused(file: &[u8], what: &str) -> TransferError {
    let refused = check_export(file).expect_err(what);
    let target = MemoryBackend::new();
    let error = imported(&target, file).await.expect_err(what);
    assert_eq!(error.to_string(), refused.to_string(), "{what}");
    if check_whole(&target).await.is_ok() {
        assert!(contents(&target).await.is_empty(), "{what}");
    }
    refused
}

#[tokio::test]
async fn any_flipped_byte_any_cut_and_anything_behind_is_refused() {
    let (file, _) = small_export().await;
    for at in 0..file.len() {
        for flip in [0x01, 0x80, 0xFF] {
            let mut damaged = file.clone();
            damaged[at] ^= flip;
            assert_refused(&damaged, &format!("byte {at} with {flip:02x}")).await;
        }
        let cut = assert_refused(&file[..at], &format!("cut to {at} bytes")).await;
        let expected = if at < 12 { "no export" } else { "without its end mark" };
        assert!(cut.to_string().contains(expected), "{at}: {cut}");
    }
    let longer = assert_refused(&[&file[..], b"x"].concat(), "a byte behind").await;
    assert!(longer.to_string().contains("follows the end mark"), "{longer}");
}

/// The frames of a file, each whole.
fn frames(file: &[u8]) -> Vec<&[u8]> {
    let (mut frames, mut rest) = (Vec::new(), &file[12..]);
    while !rest.is_empty() {
        let stored = u32::from_be_bytes(rest[5..9].try_into().unwrap());
        let (frame, behind) = rest.split_at(13 + stored as usize);
        frames.push(frame);
        rest = behind;
    }
    frames
}

#[tokio::test]
async fn frames_cannot_be_left_out_swapped_or_doubled_and_damage_has_a_number() {
    let (file, _) = small_export().await;
    let frames = frames(&file);
    assert!(frames.len() >= 5, "{}", frames.len());
    let joined = |order: &[usize]| {
        order.iter().fold(file[..12].to_vec(), |file, frame| [&file, frames[*frame]].concat())
    };
    assert_eq!(joined(&[0, 1, 2, 3, 4]), file);
    for order in [&[0, 2, 1, 3, 4][..], &[0, 1, 3, 4], &[0, 1, 1, 2, 3, 4], &[0, 4], &[1, 2, 3, 4]] {
        assert_refused(&joined(order), &format!("{order:?}")).await;
    }
    let mut damaged = file.clone();
    let in_third = 12 + frames[0].len() + frames[1].len() + 13;
    damaged[in_third] ^= 1;
    let refused = assert_refused(&damaged, "the third frame").await;
    assert!(matches!(refused, TransferError::Damaged { frame: 3, .. }), "{refused}");
}

/// A backend whose commit with this number meets a fault; later ones do not happen, or fail too.
struct FaultAt {
    fault: FaultBackend,
    plan: FaultPlan,
    at: u32,
    commits: AtomicU32,
}

#[async_trait]
impl Backend for FaultAt {
    async fn commit(&self, batch: Batch) -> Result<CommitSeq, StoreError> {
        if self.commits.fetch_add(1, Ordering::Relaxed) == self.at {
            self.fault.set_plan(self.plan);
        }
        self.fault.commit(batch).await
    }

    async fn get(&self, space: Space, key: &[u8]) -> Result<Option<Versioned>, StoreError> {
        self.fault.get(space, key).await
    }

    async fn scan(
        &self,
        space: Space,
        range: KeyRange,
        reverse: bool,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.fault.scan(space, range, reverse, limit).await
    }

    async fn delete_range(&self, space: Space, range: KeyRange, max: usize) -> Result<u64, StoreError> {
        self.fault.delete_range(space, range, max).await
    }

    fn describe(&self) -> String {
        self.fault.describe()
    }

    fn fatal(&self) -> Fatal {
        self.fault.fatal()
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.fault.close().await
    }
}

#[tokio::test]
async fn an_import_that_is_cut_short_is_refused_and_starts_anew() {
    let source: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    let records = (0..17_000_u32).map(|index| (Z, index.to_be_bytes().to_vec().into(), "v".into()));
    put_all(&*source, records).await;
    source.commit(Batch::new().fenced_by(ShardId(1), Epoch(9)).clone()).await.unwrap();
    let (file, expected) = (exported(&source).await, contents(&*source).await);
    let (other, _) = small_export().await;

    let none = FaultPlan::none();
    let plans = [
        FaultPlan { full: 1.0, ..none },
        FaultPlan { unknown_lost: 1.0, ..none },
        FaultPlan { unknown_stored: 1.0, ..none },
        FaultPlan { crash_before: 1.0, ..none },
        FaultPlan { crash_after: 1.0, ..none },
    ];
    // The mark, two full batches and the rest, a fence, the removal of the mark.
    let commits = 6;
    for (plan, at) in plans.iter().flat_map(|plan| (0..=commits).map(move |at| (*plan, at))) {
        let store = Arc::new(MemoryBackend::new());
        let fault = FaultBackend::new(Arc::clone(&store) as Arc<dyn Backend>, none);
        let cut = FaultAt { fault, plan, at, commits: AtomicU32::new(0) };
        let outcome = imported(&cut, &file).await;
        assert_eq!(outcome.is_ok(), at == commits, "{plan:?} at {at}: {outcome:?}");
        match check_whole(&*store).await {
            // Either nothing has happened yet, or everything has.
            Ok(()) => {
                let found = contents(&*store).await;
                assert!(found.is_empty() || found == expected, "{plan:?} at {at}: {} records", found.len());
                assert_eq!(found.is_empty(), at == 0, "{plan:?} at {at}");
                if !found.is_empty() {
                    continue;
                }
            }
            Err(TransferError::Unfinished) => {
                let half: Arc<dyn Backend> = Arc::clone(&store) as _;
                let refused = Export::new(half).next().await.unwrap_err();
                assert!(matches!(refused, TransferError::Unfinished), "{refused}");
            }
            Err(other) => panic!("{plan:?} at {at}: {other}"),
        }
        // Another file of another content has to leave nothing of the first one; its fences are lower.
        assert!(imported(&*store, &other[..other.len() - 1]).await.is_err());
        assert!(matches!(check_whole(&*store).await, Err(TransferError::Unfinished)));
        imported(&*store, &file).await.unwrap();
        assert_eq!(contents(&*store).await, expected, "{plan:?} at {at}");
    }
}

/// Answers late and in another order than commits are made.
struct Late(MemoryBackend);

#[async_trait]
impl Backend for Late {
    async fn commit(&self, batch: Batch) -> Result<CommitSeq, StoreError> {
        let committed = self.0.commit(batch).await;
        for _ in 0..fastrand::u8(..8) {
            tokio::task::yield_now().await;
        }
        committed
    }

    async fn get(&self, space: Space, key: &[u8]) -> Result<Option<Versioned>, StoreError> {
        self.0.get(space, key).await
    }

    async fn scan(
        &self,
        space: Space,
        range: KeyRange,
        reverse: bool,
        limit: usize,
    ) -> Result<Page, StoreError> {
        tokio::task::yield_now().await;
        self.0.scan(space, range, reverse, limit.min(7)).await
    }

    async fn delete_range(&self, space: Space, range: KeyRange, max: usize) -> Result<u64, StoreError> {
        self.0.delete_range(space, range, max).await
    }

    fn describe(&self) -> String {
        self.0.describe()
    }

    fn fatal(&self) -> Fatal {
        self.0.fatal()
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.0.close().await
    }
}

/// Places that one token moves between: exactly one of them holds it after every commit.
const PLACES: u32 = 200;
/// Writers that move tokens, each its own.
const WRITERS: u32 = 8;

fn place(writer: u32, place: u32) -> (Space, Vec<u8>) {
    // Even places lie in the first space that is read, odd ones in the last.
    let space = if place.is_multiple_of(2) { A } else { Z };
    (space, [place.to_be_bytes(), writer.to_be_bytes()].concat())
}

/// Accounts between which writers move amounts: the sum of all is zero after every commit.
/// Few are busy at a time, and these are others every moment, so that no later commit covers a mistake.
const ACCOUNTS: u32 = 2_000;

fn account(number: u32) -> (Space, Vec<u8>) {
    let space = if number.is_multiple_of(2) { Space::new(b'B') } else { Space::new(b'y') };
    (space, number.to_be_bytes().to_vec())
}

fn amount(value: &[u8]) -> i64 {
    i64::from_be_bytes(value.try_into().unwrap())
}

/// Adds a transfer between two accounts, on the condition that nobody else changes them meanwhile.
async fn transfer(backend: &dyn Backend, batch: &mut Batch, from: u32, to: u32) {
    let moved = fastrand::i64(1..1_000);
    for (number, change) in [(from, -moved), (to, moved)] {
        let (space, key) = account(number);
        let stored = backend.get(space, &key).await.unwrap();
        let before = stored.as_ref().map_or(0, |stored| amount(&stored.value));
        match stored {
            Some(stored) => batch.expect_version(space, key.clone(), stored.version),
            None => batch.expect_absent(space, key.clone()),
        };
        batch.put(space, key, (before + change).to_be_bytes().to_vec());
    }
}

/// Moves a token about until it is told to stop; sometimes the caller of a commit goes away.
async fn move_token(backend: Arc<dyn Backend>, writer: u32, stop: Arc<AtomicBool>) {
    let (mut at, mut moves) = (0_u32, 0_u64);
    while !stop.load(Ordering::Relaxed) {
        let to = (at + fastrand::u32(1..PLACES)) % PLACES;
        moves += 1;
        let mut batch = Batch::new();
        let ((old, old_key), (new, new_key)) = (place(writer, at), place(writer, to));
        batch.delete(old, old_key).put(new, new_key, moves.to_be_bytes().to_vec());
        // The same number at both ends of what is read.
        for space in [Space::new(0), Space::new(0xEE)] {
            batch.put(space, writer.to_be_bytes().to_vec(), moves.to_be_bytes().to_vec());
        }
        // Accounts are shared by all writers, so the order of their commits matters.
        let busy = u32::try_from(moves / 2).unwrap() % ACCOUNTS;
        let from = busy + fastrand::u32(..4);
        transfer(&*backend, &mut batch, from, from + fastrand::u32(1..4)).await;
        match backend.commit(batch).await {
            Ok(_) => at = to,
            Err(StoreError::Conflict) => moves -= 1,
            Err(other) => panic!("{other}"),
        }
        if moves.is_multiple_of(50) {
            let junk = KeyRange::prefix(b"junk".to_vec());
            backend.delete_range(Space::new(b'J'), junk, 5).await.unwrap();
        }
        tokio::task::yield_now().await;
    }
}

/// Whether the contents are those after some commit of the writers above.
fn assert_whole_state(found: &Contents, round: u32) {
    let get = |space: Space, key: &[u8]| found.get(&(space, Bytes::copy_from_slice(key))).cloned();
    let amounts = (0..ACCOUNTS + 8).map(account).filter_map(|(space, key)| get(space, &key));
    assert_eq!(amounts.map(|value| amount(&value)).sum::<i64>(), 0, "round {round}");
    for writer in 0..WRITERS {
        let key = writer.to_be_bytes();
        let (first, last) = (get(Space::new(0), &key), get(Space::new(0xEE), &key));
        assert_eq!(first, last, "round {round}, writer {writer}");
        let tokens: Vec<_> = (0..PLACES)
            .filter_map(|at| {
                let (space, key) = place(writer, at);
                get(space, &key)
            })
            .collect();
        assert_eq!(tokens, first.into_iter().collect::<Vec<_>>(), "round {round}, writer {writer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_export_of_a_store_that_is_written_is_a_state_that_it_had() {
    let recorder = Arc::new(Recorder::new(Arc::new(Late(MemoryBackend::new()))));
    let filler =
        (0..500_u32).map(|index| (Space::new(b'Q'), index.to_be_bytes().to_vec().into(), "q".into()));
    put_all(&*recorder, filler).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let backend: Arc<dyn Backend> = Arc::clone(&recorder) as _;
            tokio::spawn(move_token(backend, writer, Arc::clone(&stop)))
        })
        .collect();
    let mut changed = 0;
    for round in 0..40 {
        let mut export = Export::live(&recorder).await.unwrap();
        let busy = Export::live(&recorder).await.err();
        assert!(matches!(busy, Some(TransferError::Busy)), "{busy:?}");
        if round % 5 == 4 {
            // One that nobody takes to its end must not disturb the next.
            assert!(export.next().await.unwrap().is_some());
            continue;
        }
        let file = file_of(export).await;
        let target = MemoryBackend::new();
        let totals = imported(&target, &file).await.unwrap();
        let found = contents(&target).await;
        changed += totals.records - found.len() as u64;
        assert_whole_state(&found, round);
    }
    assert!(changed > 0, "nothing was written while exports were made");
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    let backend: Arc<dyn Backend> = Arc::clone(&recorder) as _;
    let target = MemoryBackend::new();
    imported(&target, &file_of(Export::live(&recorder).await.unwrap()).await).await.unwrap();
    assert_eq!(contents(&target).await, contents(&*backend).await);
}

#[tokio::test]
async fn a_live_export_fails_when_it_is_read_too_slowly_and_commits_go_on() {
    let recorder = Recorder::new(Arc::new(MemoryBackend::new()));
    let mut export = Export::live(&recorder).await.unwrap();
    assert!(export.next().await.unwrap().is_some());
    let value = Bytes::from(vec![0; 16 << 20]);
    for _ in 0..9 {
        put_all(&recorder, [(A, "key".into(), value.clone())]).await;
    }
    let failed = export.next().await.unwrap_err();
    assert!(matches!(failed, TransferError::TooSlow), "{failed}");
    drop(export);
    file_of(Export::live(&recorder).await.unwrap()).await;
}

#[tokio::test]
async fn a_live_export_fails_when_the_outcome_of_a_commit_is_unknown() {
    let fault = Arc::new(FaultBackend::new(Arc::new(MemoryBackend::new()), FaultPlan::none()));
    let recorder = Recorder::new(Arc::clone(&fault) as Arc<dyn Backend>);
    let mut export = Export::live(&recorder).await.unwrap();
    assert!(export.next().await.unwrap().is_some());
    fault.set_plan(FaultPlan { unknown_stored: 1.0, ..FaultPlan::none() });
    let mut batch = Batch::new();
    batch.put(A, "key", "value");
    assert_eq!(recorder.commit(batch).await, Err(StoreError::Unknown));
    let failed = export.next().await.unwrap_err();
    assert!(matches!(failed, TransferError::Store(StoreError::Unknown)), "{failed}");
}

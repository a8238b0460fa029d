//! Opening an embedded store: what is refused, with which message, and what is not.

#![expect(clippy::unwrap_used, reason = "a test may panic anywhere, also outside of its test function")]

mod disk;
mod engine;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use engine::{Redb, Sled, TestEngine, for_each_engine};
use stepwell_store::{
    Backend, Batch, OpenError, OpenOptions, Scrub, Space, StoreError, VerifyOnOpen, limits,
};
use tempfile::TempDir;

for_each_engine! {
    a_second_handle_is_refused_until_the_first_is_closed,
    a_newer_format_is_refused_and_left_alone,
    a_format_that_is_no_longer_read_is_refused_and_left_alone,
    a_store_behind_its_watermark_is_refused,
    an_unreadable_watermark_is_refused_and_a_missing_one_is_made_anew,
    the_watermark_follows_without_a_close,
    a_missing_log_is_refused_but_in_a_store_of_the_format_before_it,
    a_damaged_log_is_refused_unless_only_its_end_is,
    records_that_were_dropped_or_rolled_back_are_noticed,
    a_damaged_value_is_reported_with_its_key,
    an_opening_without_end_is_given_up,
    a_directory_that_cannot_be_made_is_named,
    a_file_of_another_kind_is_refused_and_left_alone,
    records_without_a_format_are_refused,
    a_full_disk_is_refused_before_the_engine_is_touched,
    a_large_store_opens_unread_and_is_checked_in_the_background,
    a_check_is_right_while_commits_go_on,
}

const SPACE: Space = Space::new(b'T');

fn refusal<E: TestEngine>(directory: &Path) -> OpenError {
    match E::open(directory) {
        Ok(_) => panic!("{} was opened", directory.display()),
        Err(error) => {
            assert!(error.to_string().contains(directory.to_str().unwrap()), "no path in: {error}");
            error
        }
    }
}

async fn put(backend: &Arc<dyn Backend>, key: &str, value: &str) {
    let mut batch = Batch::new();
    batch.put(SPACE, key.to_owned(), value.to_owned());
    backend.commit(batch).await.unwrap();
}

/// A closed store with a few commits in it.
async fn store<E: TestEngine>() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let backend = E::open(&path).unwrap();
    for key in ["a", "b", "c"] {
        put(&backend, key, key).await;
    }
    backend.close().await.unwrap();
    (directory, path)
}

/// A record as it lies on disk, spelled out: a change of the format must show here.
fn record(key: &[u8], commit: u64, payload: &[u8]) -> Vec<u8> {
    let mut record = vec![1, 0];
    record.extend(commit.to_be_bytes());
    let sum = crc32c::crc32c(&[key, &record, payload].concat());
    [&record[..], &sum.to_be_bytes(), payload].concat()
}

async fn a_second_handle_is_refused_until_the_first_is_closed<E: TestEngine>() {
    let (_directory, path) = store::<E>().await;
    let first = E::open(&path).unwrap();
    let refused = refusal::<E>(&path);
    assert!(matches!(refused, OpenError::Locked { .. }), "{refused}");
    assert!(refused.to_string().contains(&format!("process {}", std::process::id())), "{refused}");
    put(&first, "d", "d").await;
    first.close().await.unwrap();
    let second = E::open(&path).unwrap();
    assert_eq!(second.get(SPACE, b"d").await.unwrap().unwrap().value, "d");
}

async fn a_newer_format_is_refused_and_left_alone<E: TestEngine>() {
    let (_directory, path) = store::<E>().await;
    let newer = record(b"\xffformat", 0, &(limits::FORMAT + 1).to_be_bytes());
    assert!(E::tamper(&path, b"\xffformat", Some(&newer)).is_some());
    let refused = refusal::<E>(&path);
    assert!(
        matches!(refused, OpenError::NewerFormat { found, supported: limits::FORMAT, .. } if found == limits::FORMAT + 1),
        "{refused}"
    );
    assert!(refused.to_string().contains("start the newer version again"), "{refused}");

    let current = record(b"\xffformat", 0, &limits::FORMAT.to_be_bytes());
    assert!(E::tamper(&path, b"\xffformat", Some(&current)).is_some());
    assert!(E::open(&path).unwrap().get(SPACE, b"a").await.unwrap().is_some());
}

async fn a_format_that_is_no_longer_read_is_refused_and_left_alone<E: TestEngine>() {
    let (_directory, path) = store::<E>().await;
    let older = record(b"\xffformat", 0, &(limits::OLDEST_FORMAT - 1).to_be_bytes());
    assert!(E::tamper(&path, b"\xffformat", Some(&older)).is_some());
    let refused = refusal::<E>(&path);
    assert!(matches!(refused, OpenError::OlderFormat { oldest: limits::OLDEST_FORMAT, .. }), "{refused}");
    assert!(refused.to_string().contains("start this one on an empty directory"), "{refused}");
    assert_eq!(E::peek(&path, b"\xffformat"), Some(older));
}

async fn a_store_behind_its_watermark_is_refused<E: TestEngine>() {
    let (directory, path) = store::<E>().await;
    let (own, copy) = (E::own(&path), directory.path().join("copy"));
    copy_tree(&own, &copy);
    let log = path.join(E::WAL);
    let first_log = fs::read(&log).unwrap();
    for key in ["d", "e"] {
        let backend = E::open(&path).unwrap();
        put(&backend, key, key).await;
        backend.close().await.unwrap();
    }

    // An older copy of the engine's files comes up without a word; the log goes on from a later commit.
    fs::rename(&own, directory.path().join("current")).unwrap();
    fs::rename(&copy, &own).unwrap();
    let refused = refusal::<E>(&path);
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
    assert!(
        refused.to_string().contains("from commit 5, but the engine's files end at commit 4"),
        "{refused}"
    );
    assert!(refused.to_string().contains("restore the latest export"), "{refused}");
    // With the log of that time, the watermark knows better.
    let last_log = fs::read(&log).unwrap();
    fs::write(&log, first_log).unwrap();
    let refused = refusal::<E>(&path);
    assert!(matches!(refused, OpenError::Behind { found: 4, watermark: 6, .. }), "{refused}");
    assert!(refused.to_string().contains("restore the latest export"), "{refused}");
    fs::write(&log, last_log).unwrap();

    // So do an empty and a missing one.
    remove(&own);
    assert!(matches!(refusal::<E>(&path), OpenError::Behind { found: 0, watermark: 6, .. }));
    assert!(!own.exists(), "the evidence was overwritten");
    fs::create_dir_all(E::data(&path).parent().unwrap()).unwrap();
    fs::write(E::data(&path), []).unwrap();
    assert!(matches!(refusal::<E>(&path), OpenError::Behind { found: 0, watermark: 6, .. }));
    fs::write(E::data(&path), [0; 4096]).unwrap();
    let refused = refusal::<E>(&path);
    assert!(matches!(refused, OpenError::Behind { found: 0, .. } | OpenError::Damaged { .. }), "{refused}");

    remove(&own);
    fs::rename(directory.path().join("current"), &own).unwrap();
    assert_eq!(E::open(&path).unwrap().get(SPACE, b"d").await.unwrap().unwrap().value, "d");
}

fn copy_tree(from: &Path, to: &Path) {
    if from.is_file() {
        fs::copy(from, to).unwrap();
        return;
    }
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        copy_tree(&entry.path(), &to.join(entry.file_name()));
    }
}

fn remove(path: &Path) {
    if path.is_file() { fs::remove_file(path).unwrap() } else { fs::remove_dir_all(path).unwrap() }
}

async fn an_unreadable_watermark_is_refused_and_a_missing_one_is_made_anew<E: TestEngine>() {
    let (_directory, path) = store::<E>().await;
    fs::write(path.join(E::WATERMARK), [7; 5000]).unwrap();
    let refused = refusal::<E>(&path);
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
    fs::remove_file(path.join(E::WATERMARK)).unwrap();
    let backend = E::open(&path).unwrap();
    assert!(backend.get(SPACE, b"a").await.unwrap().is_some());
    backend.close().await.unwrap();
    assert!(path.join(E::WATERMARK).exists());
}

#[tokio::test]
async fn a_creation_that_was_cut_short_is_begun_again() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir_all(directory.path().join("sled/blobs")).unwrap();
    fs::write(directory.path().join("watermark"), []).unwrap();
    let backend = Sled::open(directory.path()).unwrap();
    put(&backend, "a", "a").await;
    backend.close().await.unwrap();

    // sled was there and nothing was in it yet.
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(Sled::tamper(directory.path(), b"none", None), None);
    let backend = Sled::open(directory.path()).unwrap();
    put(&backend, "a", "a").await;
    backend.close().await.unwrap();

    // redb: an empty file, and one without a table.
    let directory = tempfile::tempdir().unwrap();
    fs::write(Redb::data(directory.path()), []).unwrap();
    let backend = Redb::open(directory.path()).unwrap();
    put(&backend, "a", "a").await;
    backend.close().await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    drop(redb::Database::create(Redb::data(directory.path())).unwrap());
    let backend = Redb::open(directory.path()).unwrap();
    put(&backend, "a", "a").await;
    backend.close().await.unwrap();
}

async fn the_watermark_follows_without_a_close<E: TestEngine>() {
    let (_directory, path) = store::<E>().await;
    let backend = E::open(&path).unwrap();
    let before = fs::read(path.join(E::WATERMARK)).unwrap();
    put(&backend, "d", "d").await;
    let deadline = Instant::now() + Duration::from_secs(30);
    while fs::read(path.join(E::WATERMARK)).unwrap() == before {
        assert!(Instant::now() < deadline, "the watermark stands still");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    backend.close().await.unwrap();
}

async fn a_missing_log_is_refused_but_in_a_store_of_the_format_before_it<E: TestEngine>() {
    let (_directory, path) = store::<E>().await;
    let log = path.join(E::WAL);
    fs::remove_file(&log).unwrap();
    let refused = refusal::<E>(&path).to_string();
    assert!(refused.contains("write-ahead log is missing"), "{refused}");
    assert!(!log.exists());

    let older = record(b"\xffformat", 0, &(limits::FORMAT_WITH_LOG - 1).to_be_bytes());
    assert!(E::tamper(&path, b"\xffformat", Some(&older)).is_some());
    let backend = E::open(&path).unwrap();
    put(&backend, "d", "d").await;
    backend.close().await.unwrap();
    assert!(log.exists());
    let current = record(b"\xffformat", 0, &limits::FORMAT.to_be_bytes());
    assert_eq!(E::peek(&path, b"\xffformat"), Some(current));
}

/// The log of a store whose engine has synced none of three commits.
async fn a_damaged_log_is_refused_unless_only_its_end_is<E: TestEngine>() {
    let (directory, path) = store::<E>().await;
    let (own, copy, log) = (E::own(&path), directory.path().join("copy"), path.join(E::WAL));
    let mark = path.join(E::WATERMARK);
    let watermark = fs::read(&mark).unwrap();
    copy_tree(&own, &copy);
    let backend = E::open(&path).unwrap();
    for key in ["d", "e", "f"] {
        put(&backend, key, key).await;
    }
    backend.close().await.unwrap();
    drop(backend);
    let whole = fs::read(&log).unwrap();
    let frames: Vec<_> = (0..whole.len() - 4).filter(|at| whole[*at..].starts_with(b"\xffwal")).collect();
    let frames = &frames[frames.len() - 3..];

    let damaged_at = |place: Option<usize>| {
        let mut bytes = whole.clone();
        if let Some(place) = place {
            bytes[place] ^= 1;
        }
        remove(&own);
        copy_tree(&copy, &own);
        fs::write(&log, bytes).unwrap();
        fs::write(&mark, &watermark).unwrap();
    };
    for (place, kept) in [(None, 3), (Some(frames[2] + 40), 2)] {
        damaged_at(place);
        let backend = E::open(&path).unwrap();
        for (number, key) in ["d", "e", "f"].iter().enumerate() {
            assert_eq!(backend.get(SPACE, key.as_bytes()).await.unwrap().is_some(), number < kept, "{key}");
        }
        assert!(stepwell_store::verify(&*backend).await.unwrap().is_intact());
        backend.close().await.unwrap();
    }
    for place in [frames[0] + 40, frames[1] + 40, frames[1] + 9] {
        damaged_at(Some(place));
        let refused = refusal::<E>(&path).to_string();
        assert!(refused.contains("and commit 7 was acknowledged after it"), "{refused}");
    }
    damaged_at(Some(9));
    let refused = refusal::<E>(&path).to_string();
    assert!(refused.contains("its header is damaged"), "{refused}");
}

async fn records_that_were_dropped_or_rolled_back_are_noticed<E: TestEngine>() {
    for replacement in [None, Some(record(b"Tb", 2, b"older"))] {
        let (_directory, path) = store::<E>().await;
        assert!(E::tamper(&path, b"Tb", replacement.as_deref()).is_some());
        let refused = refusal::<E>(&path);
        assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
        assert!(refused.to_string().contains("missing or older"), "{refused}");

        // Whoever opens it without that check is told by the one that is asked for.
        let options = OpenOptions { verify: VerifyOnOpen::Never, ..OpenOptions::default() };
        let backend = E::open_with(&path, options).unwrap();
        assert_eq!(backend.stats().await.unwrap().scrub, Scrub::Off);
        let verified = stepwell_store::verify(&*backend).await.unwrap();
        assert!(!verified.is_intact() && verified.damaged == 0, "{verified:?}");
        backend.close().await.unwrap();
    }
}

async fn a_damaged_value_is_reported_with_its_key<E: TestEngine>() {
    let (_directory, path) = store::<E>().await;
    let mut damaged = E::peek(&path, b"Tb").unwrap();
    *damaged.last_mut().unwrap() ^= 1;
    E::tamper(&path, b"Tb", Some(&damaged));
    let refused = refusal::<E>(&path).to_string();
    assert!(refused.contains("5462") && refused.contains("checksum"), "{refused}");

    let options = OpenOptions { verify: VerifyOnOpen::Never, ..OpenOptions::default() };
    let backend = E::open_with(&path, options).unwrap();
    let verified = backend.verify().await.unwrap();
    assert!(verified.damaged == 1 && verified.examples[0].contains("5462"), "{verified:?}");
    let Err(StoreError::Corrupt { space, key, .. }) = backend.get(SPACE, b"b").await else {
        panic!("a damaged value was read")
    };
    assert_eq!((space, &*key), (SPACE, "62"));
    let mut batch = Batch::new();
    batch.put(SPACE, "new", "x").put(SPACE, "b", "x");
    assert!(matches!(backend.commit(batch).await, Err(StoreError::Corrupt { .. })));
    assert_eq!(backend.get(SPACE, b"new").await, Ok(None), "half a batch was stored");
    assert_eq!(backend.get(SPACE, b"a").await.unwrap().unwrap().value, "a", "the others stay readable");
    backend.close().await.unwrap();
}

async fn an_opening_without_end_is_given_up<E: TestEngine>() {
    let (_directory, path) = store::<E>().await;
    let options = OpenOptions { open_limit: Duration::ZERO, ..OpenOptions::default() };
    let Err(refused) = E::open_with(&path, options) else { panic!("opened in no time") };
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
    assert!(refused.to_string().contains("did not end within"), "{refused}");
}

async fn a_directory_that_cannot_be_made_is_named<E: TestEngine>() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("file"), "").unwrap();
    let refused = refusal::<E>(&directory.path().join("file/store"));
    assert!(matches!(refused, OpenError::Io { action: "create", .. }), "{refused}");
}

async fn a_file_of_another_kind_is_refused_and_left_alone<E: TestEngine>() {
    let directory = tempfile::tempdir().unwrap();
    let data = E::data(directory.path());
    fs::create_dir_all(data.parent().unwrap()).unwrap();
    let text = "This is somebody's letter, and no database.\n".repeat(500);
    fs::write(&data, &text).unwrap();
    let refused = refusal::<E>(directory.path());
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
    assert!(fs::read_to_string(&data).is_ok_and(|found| found == text), "the file was changed");
}

async fn records_without_a_format_are_refused<E: TestEngine>() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(E::tamper(directory.path(), b"foreign", Some(b"record")), None);
    let refused = refusal::<E>(directory.path());
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
    assert!(refused.to_string().contains("records but no format"), "{refused}");
    assert_eq!(E::peek(directory.path(), b"foreign").as_deref(), Some(&b"record"[..]));
}

async fn a_full_disk_is_refused_before_the_engine_is_touched<E: TestEngine>() {
    let (_directory, path) = store::<E>().await;
    let before = fs::read(E::data(&path)).unwrap();
    let disk = Arc::new(disk::TestDisk::default());
    disk.set_free_bytes(Some(4096));
    let options = OpenOptions { disk: Arc::clone(&disk) as _, ..OpenOptions::default() };
    let Err(refused) = E::open_with(&path, options.clone()) else { panic!("opened on a full disk") };
    assert!(matches!(refused, OpenError::NoSpace { .. }), "{refused}");
    assert!(refused.to_string().contains("the data is intact"), "{refused}");
    assert!(fs::read(E::data(&path)).unwrap() == before, "the engine was touched");
    disk.set_free_bytes(None);
    let backend = E::open_with(&path, options).unwrap();
    assert!(backend.get(SPACE, b"c").await.unwrap().is_some());
}

/// Waits until the check after the opening has ended.
async fn scrubbed(backend: &Arc<dyn Backend>) -> Result<Scrub, StoreError> {
    let deadline = Instant::now() + Duration::from_mins(2);
    loop {
        let scrub = backend.stats().await?.scrub;
        if !matches!(scrub, Scrub::Running(_)) {
            return Ok(scrub);
        }
        assert!(Instant::now() < deadline, "the check does not end: {scrub:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn a_large_store_opens_unread_and_is_checked_in_the_background<E: TestEngine>() {
    let (_directory, path) = store::<E>().await;
    let backend = E::open(&path).unwrap();
    let mut noise = vec![0; 2 << 20];
    fastrand::Rng::with_seed(1).fill(&mut noise);
    for number in 0..=limits::VERIFY_BYTES / (2 << 20) {
        let mut batch = Batch::new();
        batch.insert(SPACE, number.to_be_bytes().to_vec(), noise.clone());
        backend.commit(batch).await.unwrap();
    }
    backend.close().await.unwrap();
    drop(backend);

    let backend = E::open(&path).unwrap();
    assert_ne!(backend.stats().await.unwrap().scrub, Scrub::Off);
    put(&backend, "b", "replaced meanwhile").await;
    let Scrub::Done(verified) = scrubbed(&backend).await.unwrap() else { panic!("no check") };
    assert!(verified.is_intact(), "{verified:?}");
    backend.close().await.unwrap();
    drop(backend);

    // A damaged record stops nobody but those who read it.
    let good = E::peek(&path, b"Tb").unwrap();
    let mut damaged = good.clone();
    *damaged.last_mut().unwrap() ^= 1;
    E::tamper(&path, b"Tb", Some(&damaged));
    let backend = E::open(&path).unwrap();
    let Scrub::Done(verified) = scrubbed(&backend).await.unwrap() else { panic!("no check") };
    assert!(verified.damaged == 1 && !verified.is_intact(), "{verified:?}");
    assert!(matches!(backend.get(SPACE, b"b").await, Err(StoreError::Corrupt { .. })));
    assert!(backend.get(SPACE, b"a").await.unwrap().is_some());
    backend.close().await.unwrap();
    drop(backend);

    // A record that is gone does.
    E::tamper(&path, b"Tb", None);
    let backend = E::open(&path).unwrap();
    let reason = tokio::time::timeout(Duration::from_mins(2), backend.fatal().wait()).await.unwrap();
    assert!(reason.contains("missing or older than acknowledged"), "{reason}");
    assert!(matches!(backend.get(SPACE, b"a").await, Err(StoreError::Poisoned { .. })));
}

async fn a_check_is_right_while_commits_go_on<E: TestEngine>() {
    let directory = tempfile::tempdir().unwrap();
    let backend = E::open(directory.path()).unwrap();
    let mut random = fastrand::Rng::with_seed(5);
    // More records than one piece of the check, so that commits hit what is before, in and behind it.
    for _ in 0..4 {
        let mut batch = Batch::new();
        for _ in 0..500 {
            batch.put(SPACE, random.u16(..2_000).to_be_bytes().to_vec(), vec![7; random.usize(..100)]);
        }
        backend.commit(batch).await.unwrap();
    }
    for round in 0..15 {
        let checker = Arc::clone(&backend);
        let check = tokio::spawn(async move { stepwell_store::verify(&*checker).await });
        tokio::task::yield_now().await;
        while !check.is_finished() {
            let mut batch = Batch::new();
            for _ in 0..random.usize(1..8) {
                let key = random.u16(..2_000).to_be_bytes().to_vec();
                match random.u8(..4) {
                    0 => batch.delete(SPACE, key),
                    1 => batch.put(SPACE, key, vec![8; 70_000]),
                    _ => batch.put(SPACE, key, vec![9; random.usize(..100)]),
                };
            }
            backend.commit(batch).await.unwrap();
        }
        let verified = check.await.unwrap().unwrap();
        assert!(verified.is_intact(), "round {round}: {verified:?}");
    }
    assert_eq!(backend.fatal().reason(), None);
    backend.close().await.unwrap();
}

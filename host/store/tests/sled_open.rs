//! Opening a sled store: what is refused, with which message, and what is not.

#![expect(clippy::unwrap_used, reason = "a test may panic anywhere, also outside of its test function")]

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use stepwell_store::{
    Backend, Batch, OpenError, SledBackend, SledOptions, Space, StoreError, VerifyOnOpen, limits,
};
use tempfile::TempDir;

const SPACE: Space = Space::new(b'T');

fn open(directory: &Path) -> Result<SledBackend, OpenError> {
    SledBackend::open(SledOptions::new(directory))
}

fn refusal(directory: &Path) -> OpenError {
    match open(directory) {
        Ok(_) => panic!("{} was opened", directory.display()),
        Err(error) => {
            assert!(error.to_string().contains(directory.to_str().unwrap()), "no path in: {error}");
            error
        }
    }
}

async fn put(backend: &SledBackend, key: &str, value: &str) {
    let mut batch = Batch::new();
    batch.put(SPACE, key.to_owned(), value.to_owned());
    backend.commit(batch).await.unwrap();
}

/// A closed store with a few commits in it.
async fn store() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let backend = open(&path).unwrap();
    for key in ["a", "b", "c"] {
        put(&backend, key, key).await;
    }
    backend.close().await.unwrap();
    (directory, path)
}

/// Changes the tree behind the store's back.
fn tamper(directory: &Path, change: impl FnOnce(&sled::Db)) {
    let db = sled::Config::new().path(directory.join("sled")).flush_every_ms(None).open().unwrap();
    change(&db);
    db.flush().unwrap();
}

/// A record as it lies on disk, spelled out: a change of the format must show here.
fn record(key: &[u8], commit: u64, payload: &[u8]) -> Vec<u8> {
    let mut record = vec![1, 0];
    record.extend(commit.to_be_bytes());
    let sum = crc32c::crc32c(&[key, &record, payload].concat());
    [&record[..], &sum.to_be_bytes(), payload].concat()
}

#[tokio::test]
async fn a_second_handle_is_refused_until_the_first_is_closed() {
    let (_directory, path) = store().await;
    let first = open(&path).unwrap();
    let refused = refusal(&path);
    assert!(matches!(refused, OpenError::Locked { .. }), "{refused}");
    assert!(refused.to_string().contains(&format!("process {}", std::process::id())), "{refused}");
    put(&first, "d", "d").await;
    first.close().await.unwrap();
    let second = open(&path).unwrap();
    assert_eq!(second.get(SPACE, b"d").await.unwrap().unwrap().value, "d");
}

#[tokio::test]
async fn a_newer_format_is_refused_and_left_alone() {
    let (_directory, path) = store().await;
    let newer = record(b"\xffformat", 0, &(limits::FORMAT + 1).to_be_bytes());
    tamper(&path, |db| assert!(db.insert(b"\xffformat", newer).unwrap().is_some()));
    let refused = refusal(&path);
    assert!(
        matches!(refused, OpenError::NewerFormat { found, supported: limits::FORMAT, .. } if found == limits::FORMAT + 1),
        "{refused}"
    );
    assert!(refused.to_string().contains("start the newer version again"), "{refused}");

    let current = record(b"\xffformat", 0, &limits::FORMAT.to_be_bytes());
    tamper(&path, |db| assert!(db.insert(b"\xffformat", current).unwrap().is_some()));
    assert!(open(&path).unwrap().get(SPACE, b"a").await.unwrap().is_some());
}

#[tokio::test]
async fn a_format_that_is_no_longer_read_is_refused_and_left_alone() {
    let (_directory, path) = store().await;
    let older = record(b"\xffformat", 0, &(limits::OLDEST_FORMAT - 1).to_be_bytes());
    tamper(&path, |db| assert!(db.insert(b"\xffformat", older.clone()).unwrap().is_some()));
    let refused = refusal(&path);
    assert!(matches!(refused, OpenError::OlderFormat { oldest: limits::OLDEST_FORMAT, .. }), "{refused}");
    assert!(refused.to_string().contains("start this one on an empty directory"), "{refused}");
    tamper(&path, |db| assert_eq!(db.get(b"\xffformat").unwrap().unwrap().to_vec(), older));
}

#[tokio::test]
async fn a_store_behind_its_watermark_is_refused() {
    let (directory, path) = store().await;
    let copy = directory.path().join("copy");
    fs::create_dir_all(copy.join("blobs")).unwrap();
    for entry in fs::read_dir(path.join("sled")).unwrap().map(Result::unwrap) {
        if entry.path().is_file() {
            fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
        }
    }
    let backend = open(&path).unwrap();
    put(&backend, "d", "d").await;
    backend.close().await.unwrap();

    // An older copy of sled's folder comes up without a word; the watermark knows better.
    fs::rename(path.join("sled"), directory.path().join("current")).unwrap();
    fs::rename(&copy, path.join("sled")).unwrap();
    let refused = refusal(&path);
    assert!(matches!(refused, OpenError::Behind { found: 4, watermark: 5, .. }), "{refused}");
    assert!(refused.to_string().contains("restore the latest export"), "{refused}");

    // So does an empty or a missing folder.
    fs::remove_dir_all(path.join("sled")).unwrap();
    assert!(matches!(refusal(&path), OpenError::Behind { found: 0, watermark: 5, .. }));
    assert!(!path.join("sled").exists(), "the evidence was overwritten");
    fs::create_dir_all(path.join("sled")).unwrap();
    fs::write(path.join("sled/db"), [0; 4096]).unwrap();
    assert!(matches!(refusal(&path), OpenError::Behind { found: 0, .. } | OpenError::Damaged { .. }));

    fs::remove_dir_all(path.join("sled")).unwrap();
    fs::rename(directory.path().join("current"), path.join("sled")).unwrap();
    assert_eq!(open(&path).unwrap().get(SPACE, b"d").await.unwrap().unwrap().value, "d");
}

#[tokio::test]
async fn an_unreadable_watermark_is_refused_and_a_missing_one_is_made_anew() {
    let (_directory, path) = store().await;
    fs::write(path.join("watermark"), [7; 5000]).unwrap();
    let refused = refusal(&path);
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
    fs::remove_file(path.join("watermark")).unwrap();
    let backend = open(&path).unwrap();
    assert!(backend.get(SPACE, b"a").await.unwrap().is_some());
    backend.close().await.unwrap();
    assert!(path.join("watermark").exists());
}

#[tokio::test]
async fn a_creation_that_was_cut_short_is_begun_again() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir_all(directory.path().join("sled/blobs")).unwrap();
    fs::write(directory.path().join("watermark"), []).unwrap();
    let backend = open(directory.path()).unwrap();
    put(&backend, "a", "a").await;
    backend.close().await.unwrap();

    let directory = tempfile::tempdir().unwrap();
    tamper(directory.path(), |_| ());
    let backend = open(directory.path()).unwrap();
    put(&backend, "a", "a").await;
    backend.close().await.unwrap();
}

#[tokio::test]
async fn the_watermark_follows_without_a_close() {
    let (_directory, path) = store().await;
    let backend = open(&path).unwrap();
    let before = fs::read(path.join("watermark")).unwrap();
    put(&backend, "d", "d").await;
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while fs::read(path.join("watermark")).unwrap() == before {
        assert!(std::time::Instant::now() < deadline, "the watermark stands still");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    backend.close().await.unwrap();
}

#[tokio::test]
async fn records_that_were_dropped_or_rolled_back_are_noticed() {
    for replacement in [None, Some(record(b"Tb", 2, b"older"))] {
        let (_directory, path) = store().await;
        tamper(&path, |db| {
            let old = match replacement {
                None => db.remove(b"Tb"),
                Some(older) => db.insert(b"Tb", older),
            };
            assert!(old.unwrap().is_some());
        });
        let refused = refusal(&path);
        assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
        assert!(refused.to_string().contains("missing or older"), "{refused}");
    }
}

#[tokio::test]
async fn a_damaged_value_is_reported_with_its_key() {
    let (_directory, path) = store().await;
    tamper(&path, |db| {
        let mut record = db.get(b"Tb").unwrap().unwrap().to_vec();
        *record.last_mut().unwrap() ^= 1;
        db.insert(b"Tb", record).unwrap();
    });
    let refused = refusal(&path).to_string();
    assert!(refused.contains("5462") && refused.contains("checksum"), "{refused}");

    let options = SledOptions { verify: VerifyOnOpen::Never, ..SledOptions::new(&path) };
    let backend = SledBackend::open(options).unwrap();
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

#[tokio::test]
async fn an_opening_without_end_is_given_up() {
    let (_directory, path) = store().await;
    let options = SledOptions { open_limit: Duration::ZERO, ..SledOptions::new(&path) };
    let Err(refused) = SledBackend::open(options) else { panic!("opened in no time") };
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
    assert!(refused.to_string().contains("did not end within"), "{refused}");
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("file"), "").unwrap();
    let refused = refusal(&directory.path().join("file/store"));
    assert!(matches!(refused, OpenError::Io { action: "create", .. }), "{refused}");
}

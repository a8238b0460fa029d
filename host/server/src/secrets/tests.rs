//! Secrets are sealed, bound to their names, and never shown; the key is made once and never over another.

use std::path::Path;

use stepwell_executor::SystemClock;
use stepwell_store::MemoryBackend;

use super::*;

fn secrets(store: &Store, key: SecretKey) -> Secrets {
    Secrets::new(store.clone(), key, Arc::new(SystemClock))
}

fn store() -> Store {
    Store::new(Arc::new(MemoryBackend::new()))
}

fn key_file(path: &Path) -> SecretKey {
    SecretKey::made_in(path.to_owned())
}

#[tokio::test]
async fn values_are_sealed_and_opened() {
    let store = store();
    let secrets = secrets(&store, SecretKey::in_memory());
    let first = secrets.put("stripe", b"s3cret".to_vec()).await.unwrap();
    assert!(first.new);
    let sealed = store.secret("stripe").await.unwrap().unwrap();
    assert!(!sealed.sealed.windows(6).any(|window| window == b"s3cret"));
    assert_eq!(sealed.sealed.len(), 6 + 16);
    assert_eq!(secrets.open("stripe").await.unwrap().into_text(), "s3cret");
    let second = secrets.put("stripe", b"s3cret".to_vec()).await.unwrap();
    assert_eq!((second.new, second.created_at), (false, first.created_at));
    let again = store.secret("stripe").await.unwrap().unwrap();
    assert_ne!(again.nonce, sealed.nonce);
    assert_ne!(again.sealed, sealed.sealed);
    let value = secrets.open("stripe").await.unwrap();
    assert_eq!(format!("{value:?} {:?}", SecretKey::in_memory()), "SecretValue SecretKey");
    secrets.delete("stripe").await.unwrap();
    assert!(matches!(secrets.open("stripe").await, Err(SecretError::Missing)));
}

#[tokio::test]
async fn a_value_under_another_name_or_changed_does_not_open() {
    let store = store();
    let secrets = secrets(&store, SecretKey::in_memory());
    secrets.put("a", b"value of a".to_vec()).await.unwrap();
    let mut record = store.secret("a").await.unwrap().unwrap();
    record.name = "b".to_owned();
    store.put_secret(&record).await.unwrap();
    assert!(matches!(secrets.open("b").await, Err(SecretError::Sealed)));
    record.name = "a".to_owned();
    record.sealed[3] ^= 1;
    store.put_secret(&record).await.unwrap();
    assert!(matches!(secrets.open("a").await, Err(SecretError::Sealed)));
    record.nonce.pop();
    store.put_secret(&record).await.unwrap();
    assert!(matches!(secrets.open("a").await, Err(SecretError::Sealed)));
}

#[tokio::test]
async fn what_cannot_be_a_secret_is_refused_without_quoting_it() {
    let secrets = secrets(&store(), SecretKey::in_memory());
    let long = "n".repeat(65);
    for name in ["", "a b", "a/b", "\u{e9}", long.as_str()] {
        let error = secrets.put(name, b"s3cret".to_vec()).await.unwrap_err().to_string();
        assert!(error.starts_with("name: ") && !error.contains("s3cret"), "{error}");
    }
    for (value, reason) in [
        (Vec::new(), "value: is empty"),
        (vec![b'x'; (64 << 10) + 1], "value: is longer than 64 KiB"),
        (vec![0xff], "value: is not UTF-8 text"),
        (b"a\0b".to_vec(), "value: holds a NUL character"),
    ] {
        assert_eq!(secrets.put("a", value).await.unwrap_err().to_string(), reason);
    }
    secrets.put("a", vec![b'x'; 64 << 10]).await.unwrap();
    assert_eq!(secrets.open("a").await.unwrap().into_text().len(), 64 << 10);
}

#[tokio::test]
async fn names_are_listed_over_pages() {
    let store = store();
    let secrets = secrets(&store, SecretKey::in_memory());
    for number in 0..60 {
        secrets.put(&format!("s{number:02}"), b"v".to_vec()).await.unwrap();
    }
    let listed = secrets.list().await.unwrap();
    assert_eq!(listed.len(), 60);
    assert!(listed.is_sorted_by_key(|secret| secret.name.clone()));
}

#[tokio::test]
async fn a_key_file_is_made_once_for_its_owner_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("secret.key");
    let store = store();
    let first = secrets(&store, key_file(&path));
    assert!(matches!(first.open("a").await, Err(SecretError::Missing)));
    assert!(!path.exists());
    first.put("a", b"s3cret".to_vec()).await.unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap().trim().len(), 64);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    let second = secrets(&store, SecretKey::from_file(path.clone()).unwrap());
    assert_eq!(second.open("a").await.unwrap().into_text(), "s3cret");

    // Gone, with secrets stored: no new key takes its place.
    std::fs::remove_file(&path).unwrap();
    let third = secrets(&store, key_file(&path));
    let error = third.put("b", b"v".to_vec()).await.unwrap_err().to_string();
    assert!(error.contains("the key is missing"), "{error}");
    assert!(third.open("a").await.is_err() && !path.exists());
    // Another one does not open what is there, and says so.
    std::fs::write(&path, [7_u8; 32]).unwrap();
    let fourth = secrets(&store, key_file(&path));
    let error = fourth.open("a").await.unwrap_err().to_string();
    assert!(error.contains("does not open"), "{error}");
}

#[test]
fn what_is_no_key_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    let refusal = || SecretKey::from_file(path.clone()).err().unwrap();
    assert!(refusal().contains("there is no such file"), "{}", refusal());
    for text in ["", "00", &"g".repeat(64), &"0".repeat(63), &"0".repeat(200)] {
        std::fs::write(&path, text).unwrap();
        assert!(refusal().contains("this is no key"), "{text}: {}", refusal());
    }
    std::fs::write(&path, format!(" {}\r\n", "0A".repeat(32))).unwrap();
    assert!(SecretKey::from_file(path.clone()).is_ok());
}

//! A directory with objects: what is written comes back, in order, and nothing leads out of it.

use super::*;
use bytes::Bytes;

const ACCOUNT: &str = "123456789012";

fn at(key: &str) -> Address {
    Address { account: ACCOUNT.to_owned(), bucket: "bucket".to_owned(), key: key.to_owned() }
}

async fn store() -> (tempfile::TempDir, Directory) {
    let root = tempfile::tempdir().unwrap();
    let store = Directory::open(root.path()).unwrap();
    store.create_bucket(ACCOUNT, "bucket").await.unwrap();
    (root, store)
}

async fn put(store: &Directory, key: &str, text: &str) -> Result<ObjectHead, ObjectError> {
    let mut upload = store.put(&at(key), Attributes::default()).await?;
    upload.write(Bytes::copy_from_slice(text.as_bytes())).await?;
    upload.finish().await
}

async fn read(store: &Directory, key: &str) -> Result<String, ObjectError> {
    let object = store.get(&at(key), None).await?;
    Ok(String::from_utf8(object.body.read_all(1_000).await?).unwrap())
}

async fn keys(store: &Directory, prefix: &str, after: Option<&str>, page: usize) -> Vec<String> {
    let mut listing = store.list(&at(prefix), after).await.unwrap();
    let mut keys = Vec::new();
    loop {
        let next = listing.next(page).await.unwrap();
        keys.extend(next.iter().map(|head| head.key.clone()));
        if next.len() < page {
            return keys;
        }
    }
}

#[tokio::test]
async fn what_is_written_comes_back_with_its_facts() {
    let (_root, store) = store().await;
    let metadata = [("a".to_owned(), "b".to_owned())].into();
    let attributes = Attributes { content_type: Some("text/plain".to_owned()), metadata };
    let mut upload = store.put(&at("x/y"), attributes.clone()).await.unwrap();
    upload.write(Bytes::from_static(b"text ")).await.unwrap();
    upload.write(Bytes::from_static(b"data")).await.unwrap();
    assert_eq!(store.head(&at("x/y")).await, Err(ObjectError::NoSuchKey), "not before it is finished");
    let written = upload.finish().await.unwrap();
    assert_eq!(written.etag, "\"332eec544317a6d340b8e77da7fe54ad\"");
    assert_eq!(store.head(&at("x/y")).await.unwrap(), written);
    assert_eq!((written.bytes, &written.attributes), (9, &attributes));
    assert_eq!(read(&store, "x/y").await.unwrap(), "text data");
    put(&store, "x/y", "other").await.unwrap();
    let pinned = store.get(&at("x/y"), Some(&written.etag)).await;
    assert_eq!(pinned.unwrap_err(), ObjectError::Changed);
    store.delete(&at("x/y")).await.unwrap();
    store.delete(&at("x/y")).await.unwrap();
    assert_eq!(read(&store, "x/y").await, Err(ObjectError::NoSuchKey));
    put(&store, "x", "its directory is gone").await.unwrap();
}

#[tokio::test]
async fn files_put_there_by_hand_are_objects() {
    let (root, store) = store().await;
    let file = root.path().join(ACCOUNT).join("bucket/by hand.txt");
    std::fs::write(&file, "1").unwrap();
    let head = store.head(&at("by hand.txt")).await.unwrap();
    assert!(head.etag.ends_with("-1\""), "{}", head.etag);
    put(&store, "by hand.txt", "2").await.unwrap();
    std::fs::write(&file, "33").unwrap();
    let changed = store.head(&at("by hand.txt")).await.unwrap();
    assert!(
        changed.etag.ends_with("-1\"") && changed.etag != head.etag,
        "facts of another content count not"
    );
}

#[tokio::test]
async fn keys_come_in_the_order_of_their_bytes() {
    let (_root, store) = store().await;
    let mut all = ["a", "a-b/c", "a.b", "b/a", "b/c/d", "b/c.d", "b0", "é"].map(str::to_owned);
    for key in &all {
        put(&store, key, "").await.unwrap();
    }
    all.sort();
    for page in [1, 2, 3, 100] {
        assert_eq!(keys(&store, "", None, page).await, all);
    }
    for (index, key) in all.iter().enumerate() {
        assert_eq!(keys(&store, "", Some(key), 2).await, all[index + 1..]);
    }
    assert_eq!(keys(&store, "b/c", None, 9).await, ["b/c.d", "b/c/d"]);
    assert_eq!(keys(&store, "b/", Some("b/c"), 9).await, ["b/c.d", "b/c/d"]);
    assert_eq!(keys(&store, "nothing", None, 9).await, [""; 0]);
}

#[tokio::test]
async fn nothing_leads_out() {
    let (root, store) = store().await;
    let account = root.path().join(ACCOUNT);
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "x").unwrap();
    std::os::unix::fs::symlink(outside.path(), account.join("bucket/link")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret"), account.join("bucket/file")).unwrap();
    std::os::unix::fs::symlink(outside.path(), account.join("other")).unwrap();
    for key in ["link/secret", "file", "../.stepwell", "link/../../x"] {
        assert!(read(&store, key).await.is_err(), "{key}");
    }
    assert!(put(&store, "link/new", "x").await.is_err());
    assert!(!outside.path().join("new").exists());
    // A new object takes the link's place; what it led to stays as it was.
    put(&store, "file", "y").await.unwrap();
    assert_eq!(std::fs::read_to_string(outside.path().join("secret")).unwrap(), "x");
    assert_eq!(keys(&store, "", None, 9).await, ["file"]);
    let other = Address { bucket: "other".to_owned(), ..at("secret") };
    assert_eq!(store.head(&other).await, Err(ObjectError::NoSuchBucket));
    assert_eq!(store.buckets(ACCOUNT).await.unwrap().len(), 1);
    let foreign = Address { account: "210987654321".to_owned(), ..at("file") };
    assert_eq!(store.head(&foreign).await, Err(ObjectError::NoSuchBucket));
}

#[tokio::test]
async fn what_is_given_up_leaves_nothing() {
    let (root, store) = store().await;
    let unfinished = root.path().join(ACCOUNT).join(".stepwell/unfinished");
    let mut upload = store.put(&at("a"), Attributes::default()).await.unwrap();
    upload.write(Bytes::from_static(b"x")).await.unwrap();
    assert_eq!(std::fs::read_dir(&unfinished).unwrap().count(), 1);
    drop(upload);
    assert_eq!(std::fs::read_dir(&unfinished).unwrap().count(), 0);
    put(&store, "a", "x").await.unwrap();
    assert!(matches!(put(&store, "a/b", "x").await, Err(ObjectError::Invalid(_))), "a key and a directory");
    assert_eq!(std::fs::read_dir(&unfinished).unwrap().count(), 0);
}

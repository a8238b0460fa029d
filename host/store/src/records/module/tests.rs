//! What is stored of modules is read back, also what the first release stored; changes of one module exclude each other.

use super::*;
use crate::memory::MemoryBackend;
use crate::{Backend, Batch};
use std::sync::Arc;

/// A module as the first release wrote it.
#[derive(Serialize, Deserialize)]
struct FirstRecord {
    name: String,
    sha256: String,
    kind: String,
    size_bytes: u64,
    compile_milliseconds: u64,
    imports: Vec<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

fn content(sha256: &str) -> ModuleContent {
    ModuleContent {
        sha256: sha256.to_owned(),
        kind: "command".to_owned(),
        adapted: true,
        size_bytes: 7,
        compile_milliseconds: 8,
        imports: vec!["wasi:cli/stdout@0.2.0".to_owned()],
        manifest: r#"{"clock":"fixed"}"#.to_owned(),
    }
}

fn module(name: &str, sha256: &str) -> ModuleRecord {
    ModuleRecord {
        name: name.to_owned(),
        latest: content(sha256),
        created_at: Timestamp(1),
        updated_at: Timestamp(2),
        next_version: 3,
        revision_id: "r".to_owned(),
        settings: ModuleSettings { description: "d".to_owned(), ..ModuleSettings::default() },
    }
}

fn version(name: &str, number: u64, sha256: &str) -> ModuleVersionRecord {
    ModuleVersionRecord {
        name: name.to_owned(),
        number,
        content: content(sha256),
        settings: ModuleSettings::default(),
        created_at: Timestamp(3),
        revision_id: "v".to_owned(),
    }
}

fn alias(name: &str, alias: &str, version: Option<u64>) -> ModuleAliasRecord {
    ModuleAliasRecord {
        name: name.to_owned(),
        alias: alias.to_owned(),
        version,
        weighted: version.map(|version| (version + 1, 0.25)),
        description: String::new(),
        revision_id: "a".to_owned(),
        created_at: Timestamp(4),
        updated_at: Timestamp(5),
    }
}

fn store() -> Store {
    Store::new(Arc::new(MemoryBackend::new()))
}

#[tokio::test]
async fn what_is_stored_is_read_back_whole_and_by_module() {
    let store = store();
    let mut changes = Changes::new();
    changes.module(&module("m", "00"), None).unwrap();
    for number in [1, 2, 300] {
        changes.module_version(&version("m", number, &format!("{number}"))).unwrap();
    }
    changes.module_version(&version("m-2", 9, "9")).unwrap();
    changes.module_alias(&alias("m", "live", Some(1))).unwrap();
    changes.module_alias(&alias("m", "test", None)).unwrap();
    changes.module_alias(&alias("n", "live", None)).unwrap();
    store.commit(changes).await.unwrap();
    let (read, _) = store.module("m").await.unwrap().unwrap();
    assert_eq!(read, module("m", "00"));
    let versions = store.module_versions("m", Some(1), 10).await.unwrap();
    assert_eq!(versions, [version("m", 2, "2"), version("m", 300, "300")]);
    assert_eq!(store.newest_module_version("m").await.unwrap().unwrap().number, 300);
    assert!(store.newest_module_version("n").await.unwrap().is_none());
    let aliases = store.module_aliases("m", None, 10).await.unwrap();
    assert_eq!(aliases, [alias("m", "live", Some(1)), alias("m", "test", None)]);
    assert_eq!(store.module_alias("m", "test").await.unwrap(), Some(alias("m", "test", None)));
    let digests: Vec<String> = store.module_contents().await.unwrap().into_iter().collect();
    assert_eq!(digests, ["00", "1", "2", "300", "9"]);
}

#[tokio::test]
async fn a_record_of_the_first_release_is_a_module_with_an_empty_manifest() {
    let backend = Arc::new(MemoryBackend::new());
    let first = FirstRecord {
        name: "m".to_owned(),
        sha256: "ab".to_owned(),
        kind: "component".to_owned(),
        size_bytes: 7,
        compile_milliseconds: 8,
        imports: Vec::new(),
        created_at: Timestamp(1),
        updated_at: Timestamp(2),
    };
    let mut batch = Batch::new();
    batch.put(space::MODULES, "m", encode(&first).unwrap());
    backend.commit(batch).await.unwrap();
    let store = Store::new(backend);
    let (record, expected) = store.module("m").await.unwrap().unwrap();
    assert_eq!((record.latest.sha256.as_str(), record.latest.manifest.as_str()), ("ab", "{}"));
    assert_eq!((record.next_version, record.revision_id.as_str()), (1, ""));
    assert_eq!(store.modules(None, 10).await.unwrap(), std::slice::from_ref(&record));
    assert!(store.module_contents().await.unwrap().contains("ab"));
    // What is written now, the first release still reads: going back loses versions, not modules.
    let mut changes = Changes::new();
    changes.module(&record, Some(expected)).unwrap();
    store.commit(changes).await.unwrap();
    let back: FirstRecord = store.record(space::MODULES, b"m").await.unwrap().unwrap();
    assert_eq!((back.sha256.as_str(), back.updated_at), ("ab", Timestamp(2)));
}

#[tokio::test]
async fn two_changes_of_one_module_exclude_each_other() {
    let store = store();
    let put = |expected| {
        let mut changes = Changes::new();
        changes.module(&module("m", "00"), expected).unwrap();
        store.commit(changes)
    };
    put(None).await.unwrap();
    assert_eq!(put(None).await, Err(StoreError::Conflict));
    let (_, read) = store.module("m").await.unwrap().unwrap();
    put(Some(read)).await.unwrap();
    let mut late = Changes::new();
    late.module(&module("m", "01"), Some(read)).unwrap();
    late.module_alias(&alias("m", "live", None)).unwrap();
    assert_eq!(store.commit(late).await, Err(StoreError::Conflict));
    assert!(store.module_alias("m", "live").await.unwrap().is_none());
    let mut gone = Changes::new();
    gone.delete_module("m", read);
    assert_eq!(store.commit(gone).await, Err(StoreError::Conflict));
}

#[tokio::test]
async fn access_keys_are_stored_by_id_and_stay_when_revoked() {
    let store = store();
    let mut record = crate::AccessKeyRecord {
        id: "AKIAAAAAAAAAAAAAAAAA".into(),
        account: "123456789012".into(),
        policies: vec!["read".into()],
        description: String::new(),
        scheme: "s".into(),
        nonce: vec![1],
        sealed: vec![2],
        created_at: Timestamp(1),
        expires_at: None,
        revoked_at: None,
    };
    store.put_access_key(&record).await.unwrap();
    record.revoked_at = Some(Timestamp(2));
    store.put_access_key(&record).await.unwrap();
    assert_eq!(store.access_keys(None, 10).await.unwrap(), std::slice::from_ref(&record));
    assert!(store.access_keys(Some(&record.id), 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn secrets_are_stored_by_name() {
    let store = store();
    let record = super::super::SecretRecord {
        name: "stripe".to_owned(),
        scheme: "s".to_owned(),
        nonce: vec![1; 24],
        sealed: vec![255; 70_000],
        created_at: Timestamp(1),
        updated_at: Timestamp(2),
    };
    store.put_secret(&record).await.unwrap();
    assert_eq!(store.secrets(None, 10).await.unwrap(), std::slice::from_ref(&record));
    assert_eq!(store.secret("stripe").await.unwrap(), Some(record));
    store.delete_secret("stripe").await.unwrap();
    assert_eq!(store.secret("stripe").await.unwrap(), None);
}

//! Modules over a real sandbox and store, without HTTP.

use std::collections::BTreeSet;
use std::time::Duration;

use stepwell_executor::SystemClock;
use stepwell_sandbox::{DataDirectory, Manifest, SandboxConfig};
use stepwell_store::{Backend, MemoryBackend, SledBackend, SledOptions};
use tempfile::TempDir;

use super::*;
use crate::secrets::SecretError;

const PATIENCE: Duration = Duration::from_secs(20);

/// A program that does nothing; `salt` makes contents differ.
fn wasm(salt: &str) -> Vec<u8> {
    let text = format!(
        r#"(module (memory (export "memory") 1) (data (i32.const 0) "{salt}") (func (export "_start")))"#
    );
    wat::parse_str(text).unwrap()
}

fn upload(salt: &str) -> Upload {
    Upload { wasm: wasm(salt), ..Upload::default() }
}

fn config(directory: &TempDir, backend: Arc<dyn Backend>) -> ModulesConfig {
    let mut sandbox = SandboxConfig::new(directory.path().join("modules"));
    sandbox.max_concurrent_calls = 8;
    ModulesConfig {
        store: Store::new(backend),
        sandbox: Sandbox::open(sandbox).unwrap(),
        clock: Arc::new(SystemClock),
        max_bytes: 1_000_000,
        secret_key: SecretKey::in_memory(),
        directories: BTreeMap::from([("models".to_owned(), directory.path().to_owned())]),
    }
}

fn modules() -> (Arc<Modules>, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let modules = Modules::new(config(&directory, Arc::new(MemoryBackend::new())));
    (modules, directory)
}

impl Modules {
    async fn executed(&self, name: &str, qualifier: Option<&str>) -> Result<(String, String), ResolveError> {
        let resolved = self.resolve(name, qualifier, None, "key").await?;
        Ok((resolved.executed_version.clone(), resolved.sha256.clone()))
    }

    async fn installed(&self) -> BTreeSet<String> {
        self.sandbox.installed().await.unwrap().into_iter().collect()
    }

    /// What an execution that began then runs, by its content.
    async fn pinned(&self, name: &str, qualifier: &str, at: Timestamp) -> Option<String> {
        match self.resolve(name, Some(qualifier), Some(at), "key").await {
            Ok(resolved) => Some(resolved.sha256.clone()),
            Err(ResolveError::NotFound) => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// Forgets the past as if it were long ago, with the contents that nothing else needs.
    async fn forget_all_past(&self) {
        self.forget_past(Timestamp(i64::MAX)).await.unwrap();
        self.let_go([]).await;
    }

    async fn publish_any(&self, name: &str) -> Published {
        self.publish(name, Publish::default()).await.unwrap()
    }

    async fn point(&self, name: &str, alias: &str, version: Option<u64>) -> Result<bool, ModuleError> {
        let change = AliasChange { version, ..AliasChange::default() };
        Ok(self.put_alias(name, alias, change).await?.1)
    }
}

use super::version::Published;

#[tokio::test]
async fn versions_stay_what_they_are_and_aliases_move() {
    let (modules, _directory) = modules();
    let first = modules.put("m", upload("1")).await.unwrap();
    assert!(first.new && first.warnings.is_empty() && first.version.is_none());
    let one = modules.publish_any("m").await;
    assert!(one.new && one.version.number == 1);
    let again = modules.publish_any("m").await;
    assert!(!again.new && again.version == one.version);

    let second = modules.put("m", Upload { publish: true, ..upload("2") }).await.unwrap();
    assert_eq!((second.new, second.version.unwrap().number), (false, 2));
    let (old, new) = (first.module.latest.sha256, second.module.latest.sha256);
    assert_eq!(modules.executed("m", None).await.unwrap(), ("$LATEST".to_owned(), new.clone()));
    assert_eq!(modules.executed("m", Some("$LATEST")).await.unwrap().0, "$LATEST");
    assert_eq!(modules.executed("m", Some("1")).await.unwrap(), ("1".to_owned(), old.clone()));

    assert!(modules.point("m", "live", Some(1)).await.unwrap());
    assert_eq!(modules.executed("m", Some("live")).await.unwrap(), ("1".to_owned(), old));
    assert!(!modules.point("m", "live", Some(2)).await.unwrap());
    assert_eq!(modules.executed("m", Some("live")).await.unwrap(), ("2".to_owned(), new));
    modules.point("m", "live", None).await.unwrap();
    assert_eq!(modules.executed("m", Some("live")).await.unwrap().0, "$LATEST");

    // A manifest makes another version, and versions keep theirs.
    let manifest = Manifest { arguments: vec!["-v".to_owned()], ..Manifest::default() };
    let changed = modules.set_manifest("m", manifest.clone()).await.unwrap();
    assert_ne!(changed.module.revision_id, second.module.revision_id);
    assert_eq!(modules.publish_any("m").await.version.number, 3);
    assert_eq!(modules.resolve("m", Some("3"), None, "").await.unwrap().grants.manifest, manifest);
    assert_eq!(modules.resolve("m", Some("2"), None, "").await.unwrap().grants.manifest, Manifest::default());
    // An upload without a manifest keeps it.
    modules.put("m", upload("4")).await.unwrap();
    assert_eq!(modules.resolve("m", None, None, "").await.unwrap().grants.manifest, manifest);
    let numbers: Vec<u64> =
        modules.versions("m").await.unwrap().iter().map(|version| version.number).collect();
    assert_eq!(numbers, [1, 2, 3]);
}

#[tokio::test]
async fn what_is_not_there_is_not_found_and_what_is_wrong_is_named() {
    let (modules, _directory) = modules();
    modules.put("m", upload("1")).await.unwrap();
    modules.publish_any("m").await;
    for (name, qualifier) in
        [("n", None), ("m", Some("2")), ("m", Some("live")), ("m", Some("")), ("m", Some("é"))]
    {
        let error = modules.executed(name, qualifier).await.unwrap_err();
        assert!(matches!(error, ResolveError::NotFound), "{name} {qualifier:?}: {error}");
    }
    let long = "a".repeat(129);
    for alias in ["", "12", "a.b", "$LATEST", long.as_str()] {
        let refusal = modules.point("m", alias, Some(1)).await.unwrap_err().to_string();
        assert!(refusal.starts_with("alias: "), "{alias}: {refusal}");
    }
    for (version, weighted, reason) in [
        (Some(1), Some((1, 0.5)), "same as the first"),
        (None, Some((1, 0.5)), "$LATEST stands for it alone"),
        (Some(1), Some((2, 1.5)), "from 0 to 1"),
        (Some(1), Some((2, f64::NAN)), "from 0 to 1"),
        (Some(1), Some((2, 0.5)), "'m:2'"),
        (Some(7), None, "'m:7'"),
    ] {
        let change = AliasChange { version, weighted, ..AliasChange::default() };
        let refusal = modules.put_alias("m", "live", change).await.unwrap_err().to_string();
        assert!(refusal.contains(reason), "{refusal}");
    }
    assert!(modules.aliases("m").await.unwrap().is_empty());
    let text = "x".repeat(300);
    let publish = Publish { description: Some(text), ..Publish::default() };
    modules.put("m", upload("2")).await.unwrap();
    assert!(modules.publish("m", publish).await.unwrap_err().to_string().starts_with("description: "));
    let stale = Publish { sha256: Some("00".to_owned()), ..Publish::default() };
    assert!(matches!(modules.publish("m", stale).await, Err(ModuleError::Changed { .. })));
    assert_eq!(modules.versions("m").await.unwrap().len(), 1);
}

#[tokio::test]
async fn changes_happen_only_to_what_they_expect() {
    let (modules, _directory) = modules();
    let put = |salt: &str, expected| modules.put("m", Upload { expected, ..upload(salt) });
    let gone = Expected::Revision("r".to_owned());
    assert!(matches!(put("1", gone.clone()).await, Err(ModuleError::Missing { .. })));
    let first = put("1", Expected::New).await.unwrap();
    assert!(matches!(put("2", Expected::New).await, Err(ModuleError::Exists { .. })));
    assert!(matches!(put("2", gone.clone()).await, Err(ModuleError::Changed { .. })));
    let second = put("2", Expected::Revision(first.module.revision_id.clone())).await.unwrap();
    let stale = Update { expected: Expected::Revision(first.module.revision_id), ..Update::default() };
    let refusal = modules.update("m", stale).await.unwrap_err().to_string();
    assert_eq!(refusal, format!("m has changed: its revision id is {}", second.module.revision_id));
    // What was refused has left nothing behind.
    modules.forget_all_past().await;
    assert_eq!(modules.installed().await, BTreeSet::from([second.module.latest.sha256]));
}

#[tokio::test]
async fn a_share_of_the_calls_goes_to_the_second_version() {
    let (modules, _directory) = modules();
    for salt in ["1", "2"] {
        modules.put("m", Upload { publish: true, ..upload(salt) }).await.unwrap();
    }
    let change = AliasChange { version: Some(1), weighted: Some((2, 0.1)), ..AliasChange::default() };
    modules.put_alias("m", "live", change).await.unwrap();
    let mut second = 0;
    for attempt in 0..2_000 {
        let key = format!("execution-{attempt}");
        let version = modules.resolve("m", Some("live"), None, &key).await.unwrap().executed_version.clone();
        let again = modules.resolve("m", Some("live"), None, &key).await.unwrap().executed_version.clone();
        assert_eq!(version, again);
        second += u32::from(version == "2");
    }
    assert!((140..=260).contains(&second), "{second} of 2000");
    let all = AliasChange { version: Some(1), weighted: Some((2, 1.0)), ..AliasChange::default() };
    modules.put_alias("m", "live", all).await.unwrap();
    assert_eq!(modules.executed("m", Some("live")).await.unwrap().0, "2");
    // Neither of the two can go.
    for number in [1, 2] {
        let refusal = modules.delete_version("m", number).await.unwrap_err();
        assert!(matches!(&refusal, ModuleError::InUse { alias, .. } if alias == "live"), "{refusal}");
    }
    modules.delete_alias("m", "live").await.unwrap();
    modules.delete_version("m", 1).await.unwrap();
    assert!(matches!(modules.delete_version("m", 1).await, Err(ModuleError::MissingVersion { .. })));
    // Numbers are not used twice.
    modules.delete_version("m", 2).await.unwrap();
    assert_eq!(modules.publish_any("m").await.version.number, 3);
}

#[tokio::test]
async fn contents_stay_as_long_as_a_name_a_version_or_a_call_needs_them() {
    let (modules, _directory) = modules();
    let first = modules.put("m", Upload { publish: true, ..upload("1") }).await.unwrap().module.latest.sha256;
    let second = modules.put("m", upload("2")).await.unwrap().module.latest.sha256;
    assert_eq!(modules.installed().await, BTreeSet::from([first.clone(), second.clone()]));
    modules.put("other", upload("2")).await.unwrap();
    let third = modules.put("m", upload("3")).await.unwrap().module.latest.sha256;
    assert!(modules.installed().await.contains(&second));
    let call = modules.resolve("m", Some("1"), None, "").await.unwrap();
    modules.delete("m").await.unwrap();
    assert!(matches!(modules.executed("m", Some("1")).await, Err(ResolveError::NotFound)));
    // Executions that began before may still call what was.
    assert!(modules.installed().await.contains(&third));
    modules.forget_all_past().await;
    // `m` is gone; the call that began before goes on.
    assert_eq!(modules.installed().await, BTreeSet::from([first.clone(), second.clone()]));
    assert!(!modules.installed().await.contains(&third));
    let cleaning = tokio::spawn({
        let modules = Arc::clone(&modules);
        async move { modules.keep_clean().await }
    });
    // A second one with the same content comes and goes meanwhile.
    modules.put("n", upload("1")).await.unwrap();
    modules.delete("n").await.unwrap();
    modules.forget_all_past().await;
    assert!(modules.installed().await.contains(&first));
    drop(call);
    let gone = async {
        while modules.installed().await.contains(&first) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("the content goes when its last call has ended");
    assert_eq!(modules.installed().await, BTreeSet::from([second]));
    cleaning.abort();
}

#[tokio::test]
async fn an_execution_keeps_what_it_began_with() {
    let (modules, _directory) = modules();
    let before = modules.clock.now();
    let put = async |salt: &str| {
        let stored = modules.put("m", Upload { publish: true, ..upload(salt) }).await.unwrap();
        stored.module.latest.sha256
    };
    let first = put("1").await;
    modules.point("m", "live", Some(1)).await.unwrap();
    let early = modules.clock.now();
    let second = put("2").await;
    modules.point("m", "live", Some(2)).await.unwrap();
    modules.delete_version("m", 1).await.unwrap();
    let later = modules.clock.now();
    modules.delete("m").await.unwrap();
    let gone = modules.clock.now();
    assert_eq!(modules.pinned("m", LATEST, gone).await, None);
    let third = put("3").await;
    let last = modules.clock.now();
    for _ in 0..2 {
        for (at, qualifier, content) in [
            (early, LATEST, Some(&first)),
            (early, "live", Some(&first)),
            (early, "1", Some(&first)),
            (later, LATEST, Some(&second)),
            (later, "live", Some(&second)),
            (later, "2", Some(&second)),
            (last, LATEST, Some(&third)),
            (last, "live", None),
            (last, "1", Some(&third)),
            // Whoever began before there was anything takes what came first.
            (before, LATEST, Some(&first)),
            // And before it came again, what came then.
            (gone, LATEST, Some(&third)),
        ] {
            assert_eq!(modules.pinned("m", qualifier, at).await.as_ref(), content, "{qualifier} at {at:?}");
        }
        assert_eq!(modules.executed("m", None).await.unwrap().1, third);
    }
    modules.sweep().await;
    assert_eq!(modules.installed().await.len(), 3);
    modules.forget_past(modules.clock.now()).await.unwrap();
    assert_eq!(modules.pinned("m", LATEST, early).await, Some(first), "that was a moment ago");
    modules.forget_all_past().await;
    assert_eq!(modules.installed().await, BTreeSet::from([third]));
}

#[tokio::test]
async fn settings_alone_change_nothing_for_executions() {
    let (modules, _directory) = modules();
    modules.put("m", upload("1")).await.unwrap();
    let settings = ModuleSettings { description: "new".to_owned(), ..ModuleSettings::default() };
    modules.update("m", Update { settings: Some(settings), ..Update::default() }).await.unwrap();
    assert!(modules.store.module_pasts(None, 9).await.unwrap().is_empty());
    let manifest = Manifest { arguments: vec!["-v".to_owned()], ..Manifest::default() };
    let early = modules.clock.now();
    modules.set_manifest("m", manifest.clone()).await.unwrap();
    let pinned = modules.resolve("m", None, Some(early), "").await.unwrap();
    assert_eq!(pinned.grants.manifest, Manifest::default());
    let newest = modules.resolve("m", None, Some(modules.clock.now()), "").await.unwrap();
    assert_eq!(newest.grants.manifest, manifest);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_calls_of_an_execution_agree_whatever_moment_it_begins_in() {
    let (modules, _directory) = modules();
    modules.put("m", upload("0")).await.unwrap();
    let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let executions = (0..3).map(|_| {
        let (modules, done) = (Arc::clone(&modules), Arc::clone(&done));
        tokio::spawn(async move {
            let mut begun: Vec<(Timestamp, Option<String>)> = Vec::new();
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let at = modules.clock.now();
                begun.push((at, modules.pinned("m", LATEST, at).await));
                for (at, first) in begun.iter().rev().take(5) {
                    assert_eq!(&modules.pinned("m", LATEST, *at).await, first, "began at {at:?}");
                }
                tokio::time::sleep(Duration::from_micros(200)).await;
            }
            for (at, first) in &begun {
                assert_eq!(&modules.pinned("m", LATEST, *at).await, first, "began at {at:?}");
            }
        })
    });
    let executions: Vec<_> = executions.collect();
    for number in 1..=15 {
        let stored = modules.put("m", upload(&number.to_string())).await.unwrap();
        let begun = modules.pinned("m", LATEST, modules.clock.now()).await;
        assert_eq!(begun, Some(stored.module.latest.sha256), "whoever was told of a change finds it");
    }
    done.store(true, std::sync::atomic::Ordering::Relaxed);
    for execution in executions {
        execution.await.unwrap();
    }
}

#[tokio::test]
async fn a_sweep_removes_what_nobody_names() {
    let (modules, directory) = modules();
    let kept = modules.put("m", upload("1")).await.unwrap().module.latest.sha256;
    // As an upload leaves it that breaks off before its name is stored.
    modules.sandbox().install(wasm("2"), &Manifest::default()).await.unwrap();
    let artifact = directory.path().join("modules/compiled").join(format!("{}.artifact", "ab".repeat(32)));
    std::fs::write(&artifact, b"left over").unwrap();
    assert_eq!(modules.installed().await.len(), 3);
    modules.sweep().await;
    assert_eq!(modules.installed().await, BTreeSet::from([kept]));
    assert!(!artifact.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_that_begin_while_modules_change_find_their_content() {
    let (modules, _directory) = modules();
    modules.put("m", Upload { publish: true, ..upload("0") }).await.unwrap();
    modules.point("m", "live", Some(1)).await.unwrap();
    let calls = (0..3).map(|_| {
        let modules = Arc::clone(&modules);
        tokio::spawn(async move {
            let mut seen = BTreeSet::new();
            while seen.len() < 3 {
                let resolved = modules.resolve("m", Some("live"), None, "").await.unwrap();
                let source = modules.sandbox().source(&resolved.sha256).await.unwrap();
                assert!(source.is_some(), "the content of {} is gone", resolved.executed_version);
                seen.insert(resolved.executed_version.clone());
            }
        })
    });
    let calls: Vec<_> = calls.collect();
    let mut number = 1;
    while !calls.iter().all(tokio::task::JoinHandle::is_finished) {
        let stored = modules.put("m", Upload { publish: true, ..upload(&number.to_string()) }).await.unwrap();
        let next = stored.version.unwrap().number;
        modules.point("m", "live", Some(next)).await.unwrap();
        modules.delete_version("m", number).await.unwrap();
        assert_eq!(modules.executed("m", Some("live")).await.unwrap().0, next.to_string());
        number = next;
    }
    for call in calls {
        call.await.unwrap();
    }
}

#[tokio::test]
async fn secrets_and_directories_are_resolved_for_calls() {
    let (modules, directory) = modules();
    let manifest = Manifest {
        secrets: BTreeMap::from([("KEY".to_owned(), "stripe".to_owned())]),
        directories: vec![DataDirectory { name: "models".to_owned(), path: "/models".to_owned() }],
        ..Manifest::default()
    };
    let stored = modules.put("m", Upload { manifest: Some(manifest.clone()), ..upload("1") }).await.unwrap();
    assert_eq!(stored.warnings.len(), 1);
    assert!(stored.warnings[0].contains("secret stripe"), "{:?}", stored.warnings);
    let error = modules.executed("m", None).await.unwrap_err();
    assert_eq!(error.name(), Some("Sandbox.MissingSecret"));
    assert!(error.to_string().contains("the secret stripe, which does not exist"), "{error}");

    for value in ["s3cret-one", "s3cret-two"] {
        modules.put_secret("stripe", value.as_bytes().to_vec()).await.unwrap();
        let resolved = modules.resolve("m", None, None, "").await.unwrap();
        assert_eq!(resolved.grants.secrets["KEY"], value);
        assert_eq!(resolved.grants.directories, [(directory.path().to_owned(), "/models".to_owned())]);
        assert!(!format!("{resolved:?}").contains("s3cret"), "{resolved:?}");
    }
    modules.delete_secret("stripe").await.unwrap();
    assert_eq!(modules.executed("m", None).await.unwrap_err().name(), Some("Sandbox.MissingSecret"));
    assert!(matches!(modules.delete_secret("stripe").await, Err(SecretError::Missing)));

    let elsewhere = Manifest {
        directories: vec![DataDirectory { name: "data".to_owned(), path: "/data".to_owned() }],
        ..Manifest::default()
    };
    let stored = modules.set_manifest("m", elsewhere).await.unwrap();
    assert!(stored.warnings[0].contains("--data-directory data=PATH"), "{:?}", stored.warnings);
    let error = modules.executed("m", None).await.unwrap_err();
    assert_eq!(error.name(), Some("Sandbox.MissingDirectory"));
}

#[tokio::test]
async fn all_of_it_survives_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let open = || {
        let backend = SledBackend::open(SledOptions::new(directory.path().join("data"))).unwrap();
        let mut config = config(&directory, Arc::new(backend));
        config.secret_key = SecretKey::made_in(directory.path().join("secret.key"));
        Modules::new(config)
    };
    let manifest = Manifest {
        secrets: BTreeMap::from([("KEY".to_owned(), "stripe".to_owned())]),
        ..Manifest::default()
    };
    let first = open();
    first.put("m", Upload { manifest: Some(manifest), publish: true, ..upload("1") }).await.unwrap();
    let latest = first.put("m", upload("2")).await.unwrap().module;
    first.point("m", "live", Some(1)).await.unwrap();
    first.put_secret("stripe", b"s3cret".to_vec()).await.unwrap();
    first.store.close().await.unwrap();
    drop(first);

    let second = open();
    second.sweep().await;
    assert_eq!(second.get("m", None).await.unwrap().module, latest);
    let live = second.resolve("m", Some("live"), None, "").await.unwrap();
    assert_eq!((live.executed_version.as_str(), live.grants.secrets["KEY"].as_str()), ("1", "s3cret"));
    assert!(second.sandbox().source(&live.sha256).await.unwrap().is_some());
    assert_eq!(second.aliases("m").await.unwrap().len(), 1);
    second.store.close().await.unwrap();
}

#[test]
fn a_record_without_a_revision_id_gets_one_of_its_content() {
    let digits: String = ('a'..='f').cycle().take(64).collect();
    let record = ModuleRecord {
        name: "m".to_owned(),
        latest: ModuleContent { sha256: digits, ..ModuleContent::default() },
        created_at: Timestamp(0),
        updated_at: Timestamp(0),
        next_version: 1,
        revision_id: String::new(),
        settings: ModuleSettings::default(),
    };
    assert_eq!(with_revision(record).revision_id, "abcdefab-cdef-abcd-efab-cdefabcdefab");
}

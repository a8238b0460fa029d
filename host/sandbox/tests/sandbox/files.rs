//! Files of modules: the scratch directory and its bound, data directories, the bound on open files, and that nothing of a
//! call stays on the host.

use crate::guests::{Fixture, call_with, guest};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use stepwell_sandbox::{Call, CallError, DataDirectory, Grants, Limits, Manifest, Scratch};

/// A sandbox with the command guest, and a directory of data beside it.
struct Files {
    fixture: Fixture,
    digest: String,
    data: tempfile::TempDir,
}

fn manifest() -> Manifest {
    Manifest {
        scratch: Some(Scratch { size_mib: 1, path: "/tmp".into() }),
        directories: vec![DataDirectory { name: "models".into(), path: "/models".into() }],
        limits: Limits { open_files: Some(8), ..Limits::default() },
        ..Manifest::default()
    }
}

impl Files {
    async fn new() -> Self {
        let fixture = Fixture::new();
        let digest = fixture.sandbox.install(guest("command"), &manifest()).await.unwrap().digest;
        let data = tempfile::tempdir().unwrap();
        fs::write(data.path().join("table"), b"rows").unwrap();
        Self { fixture, digest, data }
    }

    fn call(&self, operations: &Value) -> Call {
        let input = json!({ "do": "files", "operations": operations }).to_string();
        let directories = vec![(self.data.path().to_owned(), "/models".to_owned())];
        let grants = Grants { manifest: manifest(), directories, ..Grants::default() };
        Call { grants: Arc::new(grants), ..call_with(&input, Manifest::default()) }
    }

    async fn attempt(&self, operations: Value) -> Result<Value, CallError> {
        let output = self.fixture.sandbox.invoke(&self.digest, self.call(&operations)).await?;
        Ok(serde_json::from_str(&output.result).unwrap())
    }

    /// Runs operations, and returns what each gave: its value, or the kind of its error.
    async fn run(&self, operations: Value) -> Vec<Value> {
        let outcomes = self.attempt(operations).await.unwrap();
        let outcomes = outcomes.as_array().unwrap();
        outcomes.iter().map(|outcome| outcome.get("ok").unwrap_or(&outcome["error"]).clone()).collect()
    }

    async fn failure(&self, operations: Value) -> CallError {
        self.attempt(operations).await.unwrap_err()
    }

    fn scratch(&self) -> PathBuf {
        self.fixture.directory.path().join("scratch")
    }

    /// Waits until nothing of the calls is left: their directories are removed behind them.
    fn wait_until_gone(&self) {
        let started = Instant::now();
        while fs::read_dir(self.scratch()).unwrap().count() > 0 {
            assert!(started.elapsed() < Duration::from_secs(20), "something is left");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn write(path: &str, bytes: usize) -> Value {
    json!({ "operation": "write", "path": path, "bytes": bytes })
}

fn on(operation: &str, path: &str) -> Value {
    json!({ "operation": operation, "path": path })
}

#[tokio::test]
async fn a_scratch_directory_is_a_calls_own() {
    let files = Files::new().await;
    for _ in 0..2 {
        let outcomes = files
            .run(json!([
                on("list", "/tmp"),
                on("mkdir", "/tmp/d"),
                write("/tmp/d/a", 100_000),
                { "operation": "append", "path": "/tmp/d/a", "bytes": 5 },
                { "operation": "rename", "path": "/tmp/d/a", "to": "/tmp/b" },
                on("list", "/tmp"),
                on("read", "/tmp/b"),
                on("remove", "/tmp/b"),
                on("remove", "/tmp/d"),
                write("/tmp/left", 10),
            ]))
            .await;
        assert_eq!(outcomes[0], json!([]));
        assert_eq!(outcomes[5], json!(["b", "d"]));
        assert_eq!(outcomes[6]["bytes"], 100_005);
        assert_eq!(outcomes[7..], [Value::Null, Value::Null, json!(10)]);
    }
    files.wait_until_gone();
}

#[tokio::test]
async fn a_full_scratch_directory_ends_the_call() {
    let files = Files::new().await;
    let full = CallError::ScratchFull { limit_bytes: 1 << 20 };
    let many = |operation: Value, count: usize| Value::from(vec![operation; count]);
    let empty: Vec<_> = (0..300).map(|number| on("mkdir", &format!("/tmp/{number}"))).collect();
    for operations in [
        json!([write("/tmp/a", 2 << 20)]),
        json!([write("/tmp/a", 1 << 20)]),
        json!([{ "operation": "sparse", "path": "/tmp/a", "bytes": 1u64 << 40 }]),
        many(json!({ "operation": "append", "path": "/tmp/a", "bytes": 60_000 }), 18),
        json!(empty),
    ] {
        let error = files.failure(operations).await;
        assert_eq!((&error, error.name()), (&full, "Sandbox.ScratchFull"));
    }
    // What is removed makes room: ten times the bound goes through.
    let pairs: Vec<_> = (0..12).flat_map(|_| [write("/tmp/a", 900_000), on("remove", "/tmp/a")]).collect();
    let outcomes = files.run(Value::from(pairs)).await;
    assert!(outcomes.iter().all(|outcome| *outcome == json!(900_000) || outcome.is_null()), "{outcomes:?}");
    let outcomes = files.run(many(write("/tmp/a", 900_000), 12)).await;
    assert!(outcomes.iter().all(|outcome| *outcome == json!(900_000)), "{outcomes:?}");
    files.wait_until_gone();
}

#[tokio::test]
async fn open_files_end_at_the_manifests_bound() {
    let files = Files::new().await;
    let open = |count: usize| json!([write("/tmp/a", 1), { "operation": "open-many", "path": "/tmp/a", "count": count }]);
    assert_eq!(files.run(open(8)).await[1], json!(8));
    let error = files.failure(open(9)).await;
    assert_eq!(
        (&error, error.name()),
        (&CallError::TooManyOpenFiles { limit: 8 }, "Sandbox.TooManyOpenFiles")
    );
}

#[tokio::test]
async fn nothing_outside_is_reached() {
    let files = Files::new().await;
    symlink("/etc", files.data.path().join("outward")).unwrap();
    symlink("table", files.data.path().join("inward")).unwrap();
    let paths = [
        "/etc/passwd",
        "/tmp/../etc/passwd",
        "/tmp/../../../../etc/passwd",
        "/models/../secret",
        "/models/outward/passwd",
        "/proc/self/environ",
        "/",
        "..",
    ];
    for path in paths {
        let outcomes =
            files.run(json!([on("read", path), write(path, 1), on("mkdir", &format!("{path}/x"))])).await;
        assert!(outcomes.iter().all(Value::is_string), "{path}: {outcomes:?}");
    }
    let outcomes = files
        .run(json!([
            { "operation": "symlink", "path": "/tmp/link", "target": "../../etc" },
            { "operation": "symlink", "path": "/tmp/link", "target": "a" },
            write("/tmp/a", 1),
            { "operation": "link", "path": "/tmp/link", "target": "/tmp/a" },
            on("list", "/tmp"),
            on("read", "/models/inward"),
        ]))
        .await;
    let refused = json!("PermissionDenied");
    assert_eq!(outcomes[..5], [refused.clone(), refused.clone(), json!(1), refused, json!(["a"])]);
    assert_eq!(outcomes[5], json!({ "bytes": 4, "begins": "rows" }));
}

#[tokio::test]
async fn data_directories_are_for_reading() {
    let files = Files::new().await;
    let outcomes = files
        .run(json!([
            on("list", "/models"),
            on("read", "/models/table"),
            write("/models/table", 1),
            { "operation": "append", "path": "/models/table", "bytes": 1 },
            write("/models/new", 1),
            on("mkdir", "/models/new"),
            on("remove", "/models/table"),
            { "operation": "rename", "path": "/models/table", "to": "/models/new" },
            { "operation": "rename", "path": "/models/table", "to": "/tmp/stolen" },
            { "operation": "sparse", "path": "/models/table", "bytes": 0 },
        ]))
        .await;
    assert_eq!(outcomes[..2], [json!(["table"]), json!({ "bytes": 4, "begins": "rows" })]);
    assert!(outcomes[2..].iter().all(Value::is_string), "{outcomes:?}");
    assert_eq!(fs::read(files.data.path().join("table")).unwrap(), b"rows");
}

#[tokio::test]
async fn a_missing_data_directory_is_the_hosts_failure() {
    let mut files = Files::new().await;
    let place = files.data.path().to_owned();
    files.data.close().unwrap();
    files.data = tempfile::tempdir().unwrap();
    let call = files.call(&json!([]));
    let directories = vec![(place, "/models".to_owned())];
    let grants = Arc::new(Grants { directories, ..(*call.grants).clone() });
    let error = files.fixture.sandbox.invoke(&files.digest, Call { grants, ..call }).await.unwrap_err();
    assert_eq!(error.name(), "Sandbox.HostFailure");
    assert!(error.cause().contains("data directory models"), "{}", error.cause());
    files.wait_until_gone();
}

#[tokio::test]
async fn a_call_without_grants_has_no_files() {
    let files = Files::new().await;
    let input = json!({ "do": "files", "operations": [on("read", "/models/table"), write("/tmp/a", 1)] });
    let call = call_with(&input.to_string(), Manifest::default());
    let output = files.fixture.sandbox.invoke(&files.digest, call).await.unwrap();
    assert!(!output.result.contains("\"ok\""), "{}", output.result);
}

#[tokio::test]
async fn what_a_process_leaves_goes_at_the_next_start() {
    let files = Files::new().await;
    let place = files.scratch().join("17");
    fs::create_dir_all(place.join("a/b")).unwrap();
    fs::write(place.join("a/file"), b"x").unwrap();
    let Files { fixture, digest, data } = files;
    let files = Files { fixture: fixture.restart(), digest, data };
    assert!(!exists(&place));
    assert_eq!(files.run(json!([write("/tmp/a", 1)])).await, [json!(1)]);
}

fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

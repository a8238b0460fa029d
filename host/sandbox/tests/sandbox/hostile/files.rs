//! Files: the Rust guest `command`, told to break out of its directories and to fill them.

use super::{Case, Expected};
use crate::guests::guest;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::OnceLock;
use stepwell_sandbox::{DataDirectory, Limits, Manifest, Scratch};

/// What no module may ever read.
const SECRET: &str = "outside-outside-outside";

const FULL: Expected = Expected::Ends(&["Sandbox.ScratchFull"]);
/// Every operation failed, and nothing of the outside is in the answer.
const REFUSED: Expected = Expected::Returns(|result| {
    let outcomes: Value = serde_json::from_str(result).unwrap_or_default();
    let refused = |outcome: &Value| outcome.get("error").is_some();
    !result.contains(SECRET) && outcomes.as_array().is_some_and(|outcomes| outcomes.iter().all(refused))
});
/// Whatever came of the operations, nothing of the outside is in the answer.
const CONTAINED: Expected = Expected::Returns(|result| !result.contains(SECRET) && !result.contains("root:"));

/// A directory of data with ways out of it, and beside it what must not be reached.
fn data() -> PathBuf {
    static DATA: OnceLock<tempfile::TempDir> = OnceLock::new();
    let outside = DATA.get_or_init(|| {
        let outside = tempfile::tempdir().unwrap();
        let data = outside.path().join("data");
        fs::create_dir(&data).unwrap();
        fs::write(outside.path().join("secret"), SECRET).unwrap();
        fs::write(data.join("table"), "rows").unwrap();
        symlink("../secret", data.join("relative")).unwrap();
        symlink(outside.path().join("secret"), data.join("absolute")).unwrap();
        symlink("..", data.join("up")).unwrap();
        symlink("/", data.join("root")).unwrap();
        symlink("loop", data.join("loop")).unwrap();
        outside
    });
    outside.path().join("data")
}

fn files(name: &str, operations: &Value, expected: Expected) -> Case {
    let manifest = Manifest {
        scratch: Some(Scratch { size_mib: 2, path: "/tmp".into() }),
        directories: vec![DataDirectory { name: "data".into(), path: "/data".into() }],
        limits: Limits { open_files: Some(16), ..Limits::default() },
        ..Manifest::default()
    };
    let input = json!({ "do": "files", "operations": operations }).to_string();
    Case::new(format!("files: {name}"), guest("command"), expected)
        .input(input)
        .manifest(manifest)
        .directory(data(), "/data")
}

fn on(operation: &str, path: &str) -> Value {
    json!({ "operation": operation, "path": path })
}

fn write(path: &str, bytes: usize) -> Value {
    json!({ "operation": "write", "path": path, "bytes": bytes })
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = escapes();
    cases.extend(links());
    cases.extend(bombs());
    cases
}

/// Paths that lead out.
fn escapes() -> Vec<Case> {
    let paths = [
        "/etc/passwd",
        "etc/passwd",
        "../secret",
        "/tmp/../../../../etc/passwd",
        "/tmp/./../../etc/passwd",
        "/tmp//../../etc/passwd",
        "/data/../secret",
        "/data/../../etc/passwd",
        "/data/relative",
        "/data/absolute",
        "/data/up/secret",
        "/data/up/up/etc/passwd",
        "/data/root/etc/passwd",
        "/data/loop",
        "/data/table/../../secret",
        "/data/table/x",
        "/proc/self/environ",
        "/proc/self/root/etc/passwd",
        "/dev/sda",
        "/sys/kernel",
        "\\\\?\\C:\\secret",
        "/tmp/\u{202e}/../../etc/passwd",
        "",
        "/",
    ];
    paths
        .iter()
        .map(|path| {
            let operations = json!([
                on("read", path),
                write(path, 1),
                json!({ "operation": "append", "path": path, "bytes": 1 }),
                json!({ "operation": "rename", "path": path, "to": "/tmp/stolen" }),
                on("remove", path),
            ]);
            files(&format!("reading, writing and removing {path:?}"), &operations, REFUSED)
        })
        .chain([files("a path of a megabyte", &json!([on("read", &"/tmp/a".repeat(170_000))]), REFUSED)])
        .collect()
}

/// Links that a module would like to make, and those that are there.
fn links() -> Vec<Case> {
    let make = |kind: &str, target: &str| {
        json!([
            { "operation": kind, "path": "/tmp/link", "target": target },
            on("read", "/tmp/link"),
            on("list", "/tmp/link"),
        ])
    };
    let mut cases = Vec::new();
    for target in ["/etc/passwd", "../../../../etc/passwd", "..", "/", "/data/table", "link"] {
        for kind in ["symlink", "link"] {
            cases.push(files(&format!("a {kind} to {target}"), &make(kind, target), REFUSED));
        }
    }
    cases.push(files(
        "listing and renaming ways out",
        &json!([
            on("list", "/data/up"),
            on("list", "/data/root"),
            { "operation": "rename", "path": "/data/up", "to": "/tmp/up" },
            { "operation": "rename", "path": "/tmp", "to": "/data/tmp" },
        ]),
        REFUSED,
    ));
    cases.push(files(
        "listing what is there",
        &json!([on("list", "/data"), on("list", "/tmp"), on("list", "/")]),
        CONTAINED,
    ));
    cases
}

/// More than the directory holds.
fn bombs() -> Vec<Case> {
    let many = |operation: Value, count: usize| Value::from(vec![operation; count]);
    let each = |count: usize, make: fn(usize) -> Value| Value::from((0..count).map(make).collect::<Vec<_>>());
    let deep = |depth: usize| {
        Value::from(
            (1..=depth).map(|level| on("mkdir", &format!("/tmp{}", "/d".repeat(level)))).collect::<Vec<_>>(),
        )
    };
    let open = |count: usize| json!([write("/tmp/a", 1), { "operation": "open-many", "path": "/tmp/a", "count": count }]);
    let reopened = json!([{ "operation": "open-many", "path": "/data/table", "count": 17 }]);
    let too_many = Expected::Ends(&["Sandbox.TooManyOpenFiles"]);
    vec![
        files("one large file", &json!([write("/tmp/a", 1 << 30)]), FULL),
        files(
            "a file that is appended to",
            &many(json!({ "operation": "append", "path": "/tmp/a", "bytes": 100_000 }), 40),
            FULL,
        ),
        files(
            "a sparse file of eight exabytes",
            &json!([{ "operation": "sparse", "path": "/tmp/a", "bytes": u64::MAX / 2 }]),
            FULL,
        ),
        files(
            "a sparse file of more than there is",
            &json!([{ "operation": "sparse", "path": "/tmp/a", "bytes": u64::MAX }]),
            Expected::Bounded,
        ),
        files(
            "many sparse files",
            &each(
                100,
                |number| json!({ "operation": "sparse", "path": format!("/tmp/{number}"), "bytes": 100_000 }),
            ),
            FULL,
        ),
        files("many empty files", &each(1_000, |number| write(&format!("/tmp/{number}"), 0)), FULL),
        files("many directories", &each(1_000, |number| on("mkdir", &format!("/tmp/{number}"))), FULL),
        files("directories in directories", &deep(1_000), FULL),
        files("long names", &each(1_000, |number| write(&format!("/tmp/{number:0>250}"), 0)), FULL),
        files(
            "files that come and go",
            &Value::from(
                (0..300)
                    .flat_map(|number| {
                        [write(&format!("/tmp/{number}"), 1_000_000), on("remove", &format!("/tmp/{number}"))]
                    })
                    .take(60)
                    .collect::<Vec<_>>(),
            ),
            CONTAINED,
        ),
        files("open files", &open(17), too_many),
        files("open files for reading", &reopened, too_many),
        files(
            "names that are no names",
            &json!([write("/tmp/a\0b", 1), write("/tmp/..", 1), write("/tmp/.", 1), on("mkdir", "/tmp/")]),
            REFUSED,
        ),
    ]
}

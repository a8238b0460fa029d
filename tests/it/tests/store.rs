//! `stepwell store` on the real binary: what a server has written is exported, imported into another engine, and served
//! from there, byte for byte; and what cannot be right is refused by name.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use stepwell_it::{Client, eventually, machine_arn, server_binary, soon};
use tempfile::TempDir;

/// Executions of each kind.
const EXECUTIONS: usize = 20;
/// Bytes of a large input.
const LARGE_BYTES: usize = 200 << 10;

/// A directory for stores and files.
struct Place(TempDir);

/// A server on one store; killed when dropped.
struct Serving {
    process: Child,
    client: Client,
}

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().expect("a temporary directory"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The store of this name, as the command line has it.
    fn store(&self, engine: &str, name: &str) -> String {
        match engine {
            "sled" => format!("sled:{}", self.path(name).display()),
            "redb" => format!("redb:{}/store.redb", self.path(name).display()),
            other => panic!("no engine is called {other}"),
        }
    }

    /// Starts a server that has to answer.
    fn serve(&self, store: &str) -> Serving {
        self.try_serve(store).unwrap_or_else(|reason| panic!("{reason}"))
    }

    /// Starts a server and waits until it answers; the error is what it said instead.
    fn try_serve(&self, store: &str) -> Result<Serving, String> {
        let log = self.path("server.log");
        let before = read(&log).len();
        let file = OpenOptions::new().create(true).append(true).open(&log).expect("the output file");
        let mut command = stepwell(&["serve", "--listen", "127.0.0.1:0", "--store", store]);
        command.stdout(file.try_clone().expect("a second handle")).stderr(file);
        let mut process = command.spawn().expect("the server");
        let answer = eventually(Duration::from_mins(1), "the server's first answer", || {
            if let Some(status) = process.try_wait().expect("the state of the child") {
                return Some(Err(format!("{status}: {}", &read(&log)[before..])));
            }
            let said = &read(&log)[before..];
            let (_, rest) = said.split_once("http://127.0.0.1:")?;
            let end = rest.find(|character: char| !character.is_ascii_digit())?;
            let client = Client::new(&format!("http://127.0.0.1:{}", &rest[..end]));
            client
                .send("GET", "/healthz", &[], b"")
                .is_ok_and(|reply| reply.status == 200)
                .then_some(Ok(client))
        });
        answer.map(|client| Serving { process, client })
    }
}

impl Serving {
    /// Asks it to stop and waits for a good end.
    fn stop(mut self) {
        let process = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(process, Signal::TERM).expect("the signal");
        let status = soon("the server's end", || self.process.try_wait().expect("the state of the child"));
        assert!(status.success(), "{status}");
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // Both fail only for a child that has already ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The binary, without settings of whoever runs the tests.
fn stepwell(arguments: &[&str]) -> Command {
    let mut command = Command::new(server_binary());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("STEPWELL_") {
            command.env_remove(name);
        }
    }
    command.env("NO_COLOR", "1").stdin(Stdio::null()).args(arguments);
    command
}

/// Runs `stepwell store` and expects an exit code; returns standard output and standard error.
fn store(code: i32, arguments: &[&str]) -> (String, String) {
    let output: Output = stepwell(&["store"]).args(arguments).output().expect("the command line");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (standard, diagnostic) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {standard}{diagnostic}");
    (standard, diagnostic)
}

/// The same with the bytes of a file on standard input.
fn store_from(code: i32, input: &[u8], arguments: &[&str]) -> String {
    let mut command = stepwell(&["store"]);
    let mut child =
        command.args(arguments).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the child");
    // Whoever refuses early does not read to the end.
    let _ = child.stdin.take().expect("a pipe").write_all(input);
    let output = child.wait_with_output().expect("its end");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    said
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

fn shown(path: &Path) -> &str {
    path.to_str().expect("a path of plain characters")
}

/// A machine without tasks: it passes its input on, or waits for an hour.
fn definition() -> Value {
    json!({
        "StartAt": "Kind",
        "States": {
            "Kind": {
                "Type": "Choice",
                "Choices": [
                    {"Variable": "$.wait", "IsPresent": true, "Next": "Hour"},
                    {"Variable": "$.fail", "IsPresent": true, "Next": "Broken"}
                ],
                "Default": "Pass"
            },
            "Pass": {"Type": "Pass", "Next": "Many"},
            "Many": {
                "Type": "Map",
                "ItemsPath": "$.items",
                "ItemProcessor": {"StartAt": "Item", "States": {"Item": {"Type": "Pass", "End": true}}},
                "End": true
            },
            "Hour": {"Type": "Wait", "Seconds": 3600, "Next": "Pass"},
            "Broken": {"Type": "Fail", "Error": "Broken", "Cause": "as asked"}
        }
    })
}

/// Runs executions of all kinds to where they stay; returns their ARNs.
fn run_workflows(client: &Client) -> Vec<String> {
    let machine = client.create_machine("keeper", &definition());
    let large = "x".repeat(LARGE_BYTES);
    let mut all = Vec::new();
    for number in 0..EXECUTIONS {
        for (kind, input) in [
            ("small", json!({"items": [1, 2, number]})),
            ("large", json!({"items": [large.as_str()]})),
            ("failing", json!({"fail": true})),
            ("waiting", json!({"wait": true, "items": []})),
        ] {
            all.push(client.start(&machine, &format!("{kind}-{number}"), &input));
        }
    }
    for arn in &all {
        soon("the executions to rest", || {
            let waits = arn.contains(":waiting-");
            let status = client.describe(arn)["status"].clone();
            if waits {
                let history = client.expect("GetExecutionHistory", &json!({"executionArn": arn}));
                history.to_string().contains("WaitStateEntered").then_some(())
            } else {
                (status != "RUNNING").then_some(())
            }
        });
    }
    all
}

/// What the API says of machines and executions, as bytes.
fn answers(client: &Client, executions: &[String]) -> Vec<Vec<u8>> {
    let machine = machine_arn("keeper");
    let mut questions = vec![
        ("ListStateMachines", json!({})),
        ("DescribeStateMachine", json!({"stateMachineArn": machine})),
        ("ListExecutions", json!({"stateMachineArn": machine})),
        ("ListExecutions", json!({"stateMachineArn": machine, "statusFilter": "RUNNING"})),
    ];
    for arn in executions {
        questions.push(("DescribeExecution", json!({"executionArn": arn})));
        questions.push(("GetExecutionHistory", json!({"executionArn": arn})));
    }
    let ask = |(operation, input): &(&str, Value)| {
        let reply = client.post(operation, input.to_string().as_bytes()).expect("an answer");
        assert_eq!(reply.status, 200, "{operation} {input}");
        reply.body
    };
    questions.iter().map(ask).collect()
}

fn moves_byte_for_byte(from: &str, to: &str) {
    let place = Place::new();
    let (source, target) = (place.store(from, "old"), place.store(to, "new"));
    let file = place.path("backup.stepwell");
    let backup = shown(&file);

    let server = place.serve(&source);
    let executions = run_workflows(&server.client);
    let expected = answers(&server.client, &executions);
    let (_, locked) = store(2, &["export", "--store", &source, "--output", backup]);
    assert!(locked.contains(&source) && locked.contains("held by another running server"), "{locked}");
    server.stop();

    let (told, _) = store(0, &["export", "--store", &source, "--output", backup, "--json"]);
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told["fileBytes"], file.metadata().expect("the file").len());
    store(0, &["import", "--store", &target, "--input", backup]);
    let (verified, _) = store(0, &["verify", "--store", &target, "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&verified).expect("JSON")["intact"], true);

    let server = place.serve(&target);
    let found = answers(&server.client, &executions);
    for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
        let text = String::from_utf8_lossy;
        assert_eq!(text(found), text(expected), "answer {index} from {from} to {to}");
    }
    // What waits there is alive.
    let waiting = executions.iter().find(|arn| arn.contains(":waiting-")).expect("one that waits");
    server.client.expect("StopExecution", &json!({"executionArn": waiting}));
    soon("the end of a waiting execution", || {
        (server.client.describe(waiting)["status"] == "ABORTED").then_some(())
    });
    server.stop();
}

#[test]
fn what_sled_holds_moves_to_redb_byte_for_byte() {
    moves_byte_for_byte("sled", "redb");
}

#[test]
fn what_redb_holds_moves_to_sled_byte_for_byte() {
    moves_byte_for_byte("redb", "sled");
}

#[test]
fn an_export_of_a_running_server_is_a_store_that_can_be_served() {
    let place = Place::new();
    let server = place.serve(&place.store("sled", "old"));
    let machine = server.client.create_machine("keeper", &definition());
    let start = |client: &Client, number: usize| {
        client.start(
            &machine,
            &format!("busy-{number}"),
            &json!({"items": (0..number % 20).collect::<Vec<_>>()}),
        )
    };
    let before: Vec<String> = (0..100).map(|number| start(&server.client, number)).collect();
    let export = thread::scope(|scope| {
        for thread in 1..=2 {
            let client = server.client.clone();
            scope.spawn(move || (0..200).for_each(|number| drop(start(&client, thread * 1_000 + number))));
        }
        let reply = server.client.send("GET", "/api/store/export", &[], b"").expect("an export");
        assert_eq!(reply.status, 200);
        reply.body
    });
    server.stop();

    let target = place.store("sled", "new");
    store_from(0, &export, &["import", "--store", &target, "--input", "-"]);
    let server = place.serve(&target);
    let listed =
        server.client.expect("ListExecutions", &json!({"stateMachineArn": machine, "maxResults": 1000}));
    let listed: Vec<&str> = listed["executions"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|execution| execution["executionArn"].as_str().expect("an ARN"))
        .collect();
    for arn in &before {
        assert!(listed.contains(&arn.as_str()), "{arn} was acknowledged before the export began");
    }
    for arn in listed {
        soon("the end of an execution", || {
            (server.client.describe(arn)["status"] == "SUCCEEDED").then_some(())
        });
        let history =
            server.client.expect("GetExecutionHistory", &json!({"executionArn": arn, "maxResults": 1000}));
        let ids = history["events"].as_array().expect("events").iter().map(|event| event["id"].as_u64());
        assert!(ids.eq((1..).map(Some).take(history["events"].as_array().expect("events").len())), "{arn}");
    }
    server.stop();
}

#[test]
fn what_cannot_be_right_is_refused_by_name_and_changes_nothing() {
    let place = Place::new();
    let (source, target) = (place.store("sled", "old"), place.store("sled", "new"));
    let file = place.path("backup.stepwell");
    let backup = shown(&file);

    let (_, missing) = store(2, &["verify", "--store", &source]);
    assert!(missing.contains("there is no store") && !place.path("old").exists(), "{missing}");
    let (_, memory) = store(2, &["stats", "--store", "memory:"]);
    assert!(memory.contains("--store memory:"), "{memory}");
    let (_, unknown) = store(2, &["stats", "--store", "postgres:x"]);
    assert!(unknown.contains("--store") && unknown.contains("sled:DIR"), "{unknown}");

    let server = place.serve(&source);
    run_workflows(&server.client);
    server.stop();
    store(0, &["export", "--store", &source, "--output", backup, "--progress"]);
    let whole = std::fs::read(&file).expect("the export");
    let (_, exists) = store(2, &["export", "--store", &source, "--output", backup]);
    assert!(exists.contains(backup) && std::fs::read(&file).expect("the export") == whole, "{exists}");
    let (_, full) = store(2, &["import", "--store", &source, "--input", backup]);
    assert!(full.contains(&source) && full.contains("not empty"), "{full}");

    // A damaged file is refused before the store is made.
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 0x10;
    let damaged_file = place.path("damaged.stepwell");
    std::fs::write(&damaged_file, &damaged).expect("a file");
    let (_, refused) = store(2, &["import", "--store", &target, "--input", shown(&damaged_file)]);
    assert!(refused.contains("damaged.stepwell") && refused.contains("is damaged"), "{refused}");
    assert!(!place.path("new").exists());

    // From a pipe only a part arrives: nobody serves it, and the next import starts anew.
    let part = &whole[..whole.len() / 3 * 2];
    let cut = store_from(2, part, &["import", "--store", &target, "--input", "-"]);
    assert!(cut.contains("cut off"), "{cut}");
    let refused = place.try_serve(&target).err().expect("a part is not served");
    assert!(refused.contains("cut short"), "{refused}");
    store(2, &["verify", "--store", &target]);
    store(2, &["export", "--store", &target, "--output", shown(&place.path("part.stepwell"))]);
    assert!(!place.path("part.stepwell").exists());
    store_from(0, &whole, &["import", "--store", &target, "--input", "-"]);
    place.serve(&target).stop();
    assert_eq!(std::fs::read_dir(place.0.path()).expect("the folder").count(), 5, "files were left behind");
}

#[test]
fn stats_and_compact_say_what_there_is_and_what_can_be_done() {
    let place = Place::new();
    let source = place.store("sled", "old");
    let server = place.serve(&source);
    run_workflows(&server.client);
    server.stop();
    let (stats, _) = store(0, &["stats", "--store", &source, "--records", "--json"]);
    let stats: Value = serde_json::from_str(&stats).expect("JSON");
    assert!(stats["engine"].as_str().expect("a text").contains("sled"), "{stats}");
    let spaces = stats["spaces"].as_array().expect("spaces");
    let machines = spaces.iter().find(|space| space["holds"] == "state machines").expect("machines");
    assert_eq!(machines["records"], 1);
    let (table, _) = store(0, &["stats", "--store", &source, "--records"]);
    assert!(table.contains("history") && table.contains("on disk"), "{table}");

    let (compacted, _) = store(0, &["compact", "--store", &source]);
    let new = format!("{source}.new");
    assert!(compacted.contains("Nothing was changed"), "{compacted}");
    assert!(compacted.contains(&format!("store import --store {new}")), "{compacted}");
    // The commands that it shows, in the shell that they are for.
    let binary = server_binary();
    for command in compacted.lines().filter_map(|line| line.strip_prefix("  ")) {
        let command = command.replace("stepwell store", &format!("{} store", binary.display()));
        let ran = Command::new("sh").args(["-ec", &command]).output().expect("a shell");
        assert!(ran.status.success(), "{command}: {}", String::from_utf8_lossy(&ran.stderr));
    }
    place.serve(&source).stop();
}

//! `stepwell serve` as a process: start, signals, sudden death, and refusals to start.

#![allow(clippy::unwrap_used)] // a test may panic, its helpers too

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(30);

/// A running `stepwell`; killed when dropped.
struct Process {
    child: Child,
    endpoint: String,
}

impl Process {
    /// Starts a server on a directory, and waits until it says where it listens.
    fn start(store: &str, arguments: &[&str]) -> Process {
        let mut child = command(store, arguments).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut endpoint = None;
        for line in output.lines() {
            let line = line.unwrap();
            if let Some((_, found)) = line.split_once("listening on  ") {
                endpoint = Some(found.to_owned());
                break;
            }
        }
        Process { child, endpoint: endpoint.expect("the banner says where the server listens") }
    }

    fn call(&self, operation: &str, input: &Value) -> Value {
        let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None);
        let agent: ureq::Agent = config.build().into();
        let target = format!("AWSStepFunctions.{operation}");
        let request = agent.post(format!("{}/", self.endpoint)).header("X-Amz-Target", target);
        let mut answer = request.send(input.to_string()).unwrap();
        answer.body_mut().read_json().unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end; the exit code, none after a signal.
    fn ended(mut self) -> Option<i32> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(began.elapsed() < PATIENCE, "still running");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop((self.child.kill(), self.child.wait()));
    }
}

fn command(store: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stepwell"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("STEPWELL_")) {
        command.env_remove(name);
    }
    command.args(["serve", "--max-concurrent-calls", "8", "--store", store]).args(arguments);
    if !arguments.contains(&"--listen") {
        command.args(["--listen", "127.0.0.1:0"]);
    }
    command
}

/// Runs a server that is expected not to start.
fn refused(store: &str, arguments: &[&str]) -> (i32, String) {
    let Output { status, stderr, .. } = command(store, arguments).output().unwrap();
    (status.code().unwrap(), String::from_utf8(stderr).unwrap())
}

fn sled(directory: &Path) -> String {
    format!("sled:{}", directory.join("data").display())
}

fn waiting_machine(seconds: u64) -> Value {
    let definition =
        json!({"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": seconds, "End": true}}});
    json!({"name": "m", "definition": definition.to_string(), "roleArn": "arn:aws:iam::123456789012:role/r"})
}

#[test]
fn the_bounds_of_express_executions_are_flags() {
    let express = |server: &Process, seconds| {
        let mut machine = waiting_machine(seconds);
        machine["type"] = json!("EXPRESS");
        server.call("CreateStateMachine", &machine)["stateMachineArn"].clone()
    };
    let few = Process::start("memory:", &["--max-express-executions", "1"]);
    let start = json!({"stateMachineArn": express(&few, 60)});
    assert!(few.call("StartExecution", &start)["executionArn"].is_string());
    let refused = few.call("StartExecution", &start)["__type"].clone();
    assert!(refused.as_str().unwrap().ends_with("#ExecutionLimitExceeded"), "{refused}");

    let small = Process::start("memory:", &["--express-execution-data-mib", "1"]);
    let input = |length: usize| json!({"x": "x".repeat(length)}).to_string();
    let machine = express(&small, 1);
    let run = |length| {
        small.call("StartSyncExecution", &json!({"stateMachineArn": machine, "input": input(length)}))
    };
    assert_eq!(run(100_000)["status"], "SUCCEEDED");
    let large = run(1_100_000);
    assert_eq!(large["error"], "Stepwell.ExpressMemoryExceeded", "{:.300}", large.to_string());
}

#[test]
fn the_strict_profile_counts_what_a_store_has_before_it_begins() {
    let directory = tempfile::tempdir().unwrap();
    let store = sled(directory.path());
    let first = Process::start(&store, &[]);
    let machine = first.call("CreateStateMachine", &waiting_machine(60))["stateMachineArn"].clone();
    let started = first.call("StartExecution", &json!({"stateMachineArn": machine}));
    first.signal(Signal::TERM);
    assert_eq!(first.ended(), Some(0));
    let second = Process::start(&store, &["--profile", "strict"]);
    let execution = json!({"executionArn": started["executionArn"]});
    assert_eq!(second.call("DescribeExecution", &execution)["status"], "RUNNING");
    assert!(second.call("StopExecution", &execution)["stopDate"].is_number());
    assert!(second.call("StartExecution", &json!({"stateMachineArn": machine}))["startDate"].is_number());
}

#[test]
fn executions_survive_signals_and_sudden_death() {
    let directory = tempfile::tempdir().unwrap();
    let store = sled(directory.path());
    let first = Process::start(&store, &[]);
    let machine = first.call("CreateStateMachine", &waiting_machine(2));
    let start = json!({"stateMachineArn": machine["stateMachineArn"], "name": "e"});
    let started = first.call("StartExecution", &start);
    let execution = json!({"executionArn": started["executionArn"]});
    first.signal(Signal::KILL);
    assert_eq!(first.ended(), None);

    let second = Process::start(&store, &[]);
    assert_eq!(second.call("DescribeExecution", &execution)["status"], "RUNNING");
    assert_eq!(second.call("StartExecution", &start), started);
    second.signal(Signal::TERM);
    assert_eq!(second.ended(), Some(0));

    let third = Process::start(&store, &[]);
    let began = Instant::now();
    while third.call("DescribeExecution", &execution)["status"] != "SUCCEEDED" {
        assert!(began.elapsed() < PATIENCE, "the wait never ends");
        thread::sleep(Duration::from_millis(20));
    }
    third.signal(Signal::INT);
    assert_eq!(third.ended(), Some(0));
}

#[test]
fn a_store_in_use_is_refused_with_advice() {
    let directory = tempfile::tempdir().unwrap();
    let store = sled(directory.path());
    let first = Process::start(&store, &[]);
    let (code, message) = refused(&store, &[]);
    assert_eq!(code, 1);
    let process = format!("(process {})", first.child.id());
    assert!(message.contains("cannot open the store: ") && message.contains(&process), "{message}");
    assert!(message.contains("stop that one first") && !message.contains("panicked"), "{message}");
}

#[test]
fn what_cannot_be_used_is_refused_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("data"), "a file").unwrap();
    let (code, message) = refused(&sled(directory.path()), &[]);
    assert_eq!(code, 1);
    assert!(message.contains("cannot open the store: ") && !message.contains("panicked"), "{message}");

    let running = Process::start("memory:", &[]);
    let address = running.endpoint.trim_start_matches("http://");
    let (code, message) = refused("memory:", &["--listen", address]);
    assert_eq!(code, 1);
    assert!(message.contains(&format!("cannot listen on {address}")), "{message}");

    let (code, message) = refused("memory:", &["--log-filter", "a=b=c"]);
    assert_eq!(code, 2);
    assert!(message.contains("--log-filter"), "{message}");
}

#[test]
fn directories_and_keys_that_cannot_be_used_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "no key").unwrap();
    let (file, there) = (file.display().to_string(), directory.path().display().to_string());
    let twice = format!("a={there},a={there}");
    for (flag, value, reason) in [
        ("--data-directory", "a=/nowhere/at/all", "cannot use /nowhere/at/all"),
        ("--data-directory", &format!("a={file}"), "it is no directory"),
        ("--data-directory", &twice, "the name is given twice"),
        ("--secret-key-file", "/nowhere/at/all", "there is no such file"),
        ("--secret-key-file", &file, "this is no key"),
    ] {
        let (code, message) = refused("memory:", &[flag, value]);
        assert_eq!(code, 1, "{message}");
        assert!(message.contains(flag) && message.contains(reason), "{message}");
    }
    let (code, message) = refused("memory:", &["--data-directory", "models"]);
    assert!(code == 2 && message.contains("give NAME=PATH"), "{message}");
}

#[test]
fn an_open_address_needs_keys_or_the_word_and_a_warning() {
    let (code, message) = refused("memory:", &["--listen", "0.0.0.0:0"]);
    assert_eq!(code, 1, "{message}");
    assert!(message.contains("--allow-unauthenticated") && message.contains("access key"), "{message}");
    let open = ["--listen", "0.0.0.0:0", "--allow-unauthenticated"];
    for (listen, warned) in [(&open[..], true), (&["--listen", "127.0.0.1:0"], false)] {
        let mut child =
            command("memory:", listen).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(output.next().unwrap().unwrap().starts_with("Stepwell "));
        output.find(|line| line.as_ref().unwrap().contains("machine list")).unwrap().unwrap();
        let mut errors = child.stderr.take().unwrap();
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        assert!(child.wait().unwrap().success());
        let mut text = String::new();
        errors.read_to_string(&mut text).unwrap();
        assert_eq!(text.contains("warning: "), warned, "{listen:?}: {text}");
    }
}

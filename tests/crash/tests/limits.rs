//! A server that runs out of what the operating system lends it: file descriptors, and room in its files.
//!
//! It waits, refuses, or ends with the reason; nothing acknowledged is lost, and it works again when there is enough.

use serde_json::json;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use stepwell_crash::engine::{ENGINES, Engine};
use stepwell_crash::machines::Kind;
use stepwell_crash::population::{Population, sleepers, slept};
use stepwell_it::{CallFailure, announce, soon};

/// File descriptors of a server that works, and not many more.
const DESCRIPTORS: usize = 160;
/// Connections that take all of them.
const CONNECTIONS: usize = 400;
/// Room that is left in the largest file, in bytes.
const ROOM_BYTES: u64 = 3 << 20;
/// Input of each execution that fills it, in bytes.
const INPUT_BYTES: usize = 64 << 10;
/// More executions than there is room for.
const EXECUTIONS: usize = 2_000;

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn a_server_without_descriptors_loses_nothing_and_works_again() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut setup = Engine::Sled.setup(&directory.path().join("data"));
    setup.wrapper = words(&["prlimit", &format!("--nofile={DESCRIPTORS}:{DESCRIPTORS}")]);
    let mut population = Population::new(setup);
    let endpoint = population.server.client().endpoint().trim_start_matches("http://").to_owned();
    let endpoint: SocketAddr = endpoint.parse().expect("an address");
    // Their timers fire while there is no descriptor left; no tasks, which may fail for want of one.
    let arns = sleepers(&population.server.client(), 1, 20);
    // Once the server accepts no more, and the system's queue is full, a connection is not made.
    let connect = |_| TcpStream::connect_timeout(&endpoint, Duration::from_secs(1)).ok();
    let idle: Vec<TcpStream> = (0..CONNECTIONS).map_while(connect).collect();
    announce(&format!("descriptors: {} idle connections", idle.len()));
    // The time in which that happens; nothing is synchronised by it.
    std::thread::sleep(Duration::from_secs(2));
    drop(idle);
    if !population.server.runs() {
        let said = population.server.output();
        assert!(!said.contains("panicked"), "{said}");
        let last = said.lines().last().unwrap_or_default();
        assert!(last.starts_with("stepwell:") && last.contains("Too many open files"), "{said}");
        announce(&format!("descriptors: the server ended: {last}"));
    }
    if !population.server.runs() {
        population.server.restart();
    }
    let client = population.server.client();
    soon("an answer after the idle connections are gone", || {
        client.send("GET", "/healthz", &[], b"").ok().filter(|reply| reply.status == 200)
    });
    for arn in &arns {
        assert_eq!(client.ended(arn, Duration::from_mins(1))["status"], "SUCCEEDED");
        slept(&client, arn);
    }
    population.assert_whole();
}

#[test]
fn a_file_that_cannot_grow_ends_the_acknowledgements_and_loses_nothing() {
    for engine in
        ENGINES.into_iter().filter(|engine| engine.offered_or_skipped(&format!("file size on {engine}")))
    {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut population = Population::on(engine, &directory);
        population.start(10).expect("executions start");
        population.assert_whole();
        population.server.kill9();
        let data = population.server.data().to_owned();
        let largest = engine.files(&data).iter().filter_map(|path| Some(path.metadata().ok()?.len())).max();
        let limit = largest.expect("a store has files") + ROOM_BYTES;
        let mut setup = engine.setup(&data);
        // The signal is ignored, so that a write fails as on a disk that fails.
        setup.wrapper =
            words(&["env", "--ignore-signal=XFSZ", "prlimit", &format!("--fsize={limit}:{limit}")]);
        let unlimited = std::mem::replace(&mut population.server, setup.start());
        let (acknowledged, reason) = start_until_refused(&mut population);
        announce(&format!("file size on {engine}: {} acknowledged, then: {reason}", acknowledged.len()));
        population.server = unlimited;
        let client = population.server.restart();
        for arn in &acknowledged {
            assert_eq!(client.ended(arn, Duration::from_mins(1))["status"], "SUCCEEDED", "{arn}");
        }
        let refused = population.read_all(&client).expect("answers");
        assert!(refused.is_empty(), "{refused:?}");
        population.assert_no_violation();
    }
}

/// ARNs of what was acknowledged, and what was said then.
fn start_until_refused(population: &mut Population) -> (Vec<String>, String) {
    let client = population.server.client();
    let mut acknowledged = Vec::new();
    for number in 0..EXECUTIONS {
        let input = json!({"number": number, "load": "x".repeat(INPUT_BYTES)}).to_string();
        let request =
            json!({"stateMachineArn": Kind::Chain.arn(), "name": format!("x-{number}"), "input": input});
        match client.call("StartExecution", &request) {
            Ok(started) => acknowledged.push(started["executionArn"].as_str().expect("an ARN").to_owned()),
            Err(CallFailure::Refused(refusal)) => {
                assert!((500..600).contains(&refusal.status), "a client may try again: {refusal:?}");
                return (acknowledged, refusal.message);
            }
            Err(CallFailure::Broken(_)) => {
                let status = population.server.wait_for_end();
                let said = population.server.output();
                assert!(!said.contains("panicked"), "{status}: {said}");
                // A commit that failed with it may be logged behind.
                let reason =
                    said.lines().rev().find(|line| line.starts_with("stepwell:")).unwrap_or_default();
                assert!(reason.to_lowercase().contains("too large"), "{status}: {said}");
                return (acknowledged, reason.to_owned());
            }
        }
    }
    panic!("{EXECUTIONS} executions were accepted, and the file is still not full");
}

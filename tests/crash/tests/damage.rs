//! A store that is damaged while the server is stopped: flipped bits, files cut short, files that are gone.
//!
//! The server may serve everything acknowledged unchanged, or refuse to start with a message that names the store and
//! says how to restore, or answer a clear error for exactly what is damaged. It must never answer anything else than
//! what was acknowledged, never forget an execution, and never hang. What was acknowledged in the second before the
//! crash is not judged: bytes that are damaged there cannot be told from a write that was torn.

use fastrand::Rng;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;
use stepwell_crash::engine::Engine;
use stepwell_crash::machines::KINDS;
use stepwell_crash::population::{Population, sleepers};
use stepwell_crash::violation::Violation;
use stepwell_crash::{long_form, seed};
use stepwell_it::{Client, Refusal, announce};

/// Cases of the short and of the long form, for each engine.
const CASES: [usize; 2] = [20, 200];
/// Executions in the store.
const EXECUTIONS: usize = 60;
/// Executions among them that wait for an hour.
const WAITING: usize = 5;
/// Executions started last, of which nothing is promised: they fill the end of the write-ahead log.
const UNPROMISED: usize = 20;
/// Longer than the store takes to remember what it has acknowledged, which it does once a second.
const REMEMBERED: Duration = Duration::from_secs(3);
/// One case in so many damages the largest file, where the records are.
const LARGEST: usize = 3;
/// Longest range of bytes that is damaged at once.
const RANGE_BYTES: u64 = 4_096;

/// What was done to a file.
#[derive(Clone, Copy, Debug)]
enum Damage {
    /// So many single bits, anywhere.
    Bits(u32),
    /// A range overwritten by chance.
    Range,
    /// A range overwritten with zeros, as file systems leave it.
    Zeros,
    /// Cut short at any length.
    Cut,
    /// Gone.
    Removed,
}

/// How the server met a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// Everything was served unchanged.
    Unchanged,
    /// Some requests got a clear error, all others the truth.
    ErrorsForSome,
    /// It did not start, and said why.
    Refused,
    /// It started, and ended when it met the damage, and said why.
    Ended,
}

fn hurt(engine: Engine) {
    let test = format!("damage {engine}");
    if !engine.offered_or_skipped(&test) {
        return;
    }
    let mut random = Rng::with_seed(seed(&test));
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (mut population, sleepers) = populate(engine, &directory);
    let original = directory.path().join("original");
    let data = population.server.data().to_owned();
    fs::rename(&data, &original).expect("the data moves");
    let mut outcomes: BTreeMap<Outcome, usize> = BTreeMap::new();
    for case in 0..CASES[usize::from(long_form())] {
        copy(&original, &data);
        let (file, damage) = damage(engine, &data, &mut random);
        let context = format!("{test}, case {case}: {damage:?} of {}", file.display());
        let outcome = meet(&mut population, &sleepers, &context);
        let violations = population.journal.violations();
        let violations: Vec<String> = violations.iter().map(Violation::to_string).collect();
        assert!(violations.is_empty(), "{context}:\n{}", violations.join("\n"));
        *outcomes.entry(outcome).or_default() += 1;
        if population.server.runs() {
            population.server.kill9();
        }
        fs::remove_dir_all(&data).expect("the damaged data goes");
    }
    announce(&format!("{test}: {outcomes:?}"));
    // The data that nobody hurt is whole to the end.
    fs::rename(&original, &data).expect("the data moves back");
    population.server.restart();
    for arn in &sleepers {
        population.server.client().expect("StopExecution", &json!({"executionArn": arn}));
    }
    population.assert_whole();
}

/// A stopped server whose store holds executions that have ended and some that wait.
fn populate(engine: Engine, directory: &tempfile::TempDir) -> (Population, Vec<String>) {
    let mut population = Population::on(engine, directory);
    let sleepers = sleepers(&population.server.client(), 3_600, WAITING);
    population.start(EXECUTIONS).expect("the executions start");
    population.assert_whole();
    // Damage to what was written in the last second before a crash looks like the write that the crash tore.
    thread::sleep(REMEMBERED);
    self::sleepers(&population.server.client(), 7_200, UNPROMISED);
    // A crash leaves the most to recover from.
    population.server.kill9();
    (population, sleepers)
}

/// Starts the server on damaged data and compares everything.
fn meet(population: &mut Population, sleepers: &[String], context: &str) -> Outcome {
    let already = population.server.output().len();
    let client = match population.server.try_restart() {
        Ok(client) => client,
        Err(said) => {
            assert_says_what_to_do(population.server.data(), &said, context);
            return Outcome::Refused;
        }
    };
    match compare(population, &client, sleepers) {
        Ok(refused) if refused.is_empty() => Outcome::Unchanged,
        Ok(refused) => {
            for (about, refusal) in refused {
                assert!(
                    refusal.status >= 500 && refusal.message.len() > 20,
                    "{context}: {about}: {refusal:?}"
                );
            }
            Outcome::ErrorsForSome
        }
        Err(reason) => {
            // It must have ended by itself, and have said why.
            let status = population.server.wait_for_end();
            let said = population.server.output()[already..].to_owned();
            assert_says_what_to_do(
                population.server.data(),
                &said,
                &format!("{context} ({status}, {reason})"),
            );
            Outcome::Ended
        }
    }
}

/// What was refused, by what it was about. The error says how the connection broke.
fn compare(
    population: &Population,
    client: &Client,
    sleepers: &[String],
) -> Result<Vec<(String, Refusal)>, String> {
    let mut refused = population.read_all(client)?;
    for arn in sleepers {
        match client.call("DescribeExecution", &json!({"executionArn": arn})) {
            Ok(description) => {
                assert_eq!(description["status"], "RUNNING", "{description}");
            }
            Err(stepwell_it::CallFailure::Refused(refusal)) => refused.push((arn.clone(), refusal)),
            Err(stepwell_it::CallFailure::Broken(reason)) => return Err(reason),
        }
    }
    for kind in KINDS {
        let request = json!({"stateMachineArn": kind.arn(), "maxResults": 1_000});
        match client.list("ListExecutions", "executions", request) {
            Ok(listed) => compare_list(population, kind, &listed),
            Err(stepwell_it::CallFailure::Refused(refusal)) => refused.push((kind.arn(), refusal)),
            Err(stepwell_it::CallFailure::Broken(reason)) => return Err(reason),
        }
    }
    Ok(refused)
}

fn compare_list(population: &Population, kind: stepwell_crash::machines::Kind, listed: &[serde_json::Value]) {
    for (arn, status) in population.journal.of_machine(kind) {
        let found = listed.iter().find(|one| one["executionArn"] == arn.as_str());
        let found = found.map(|one| &one["status"]);
        if found.and_then(|found| found.as_str()) != status.as_deref() {
            let found = format!("listed as {found:?}");
            population.journal.violate(Violation::new(arn, format!("acknowledged as {status:?}"), found));
        }
    }
}

/// A message names the store and the way back; what a panic printed is not enough.
fn assert_says_what_to_do(data: &Path, said: &str, context: &str) {
    let last = said.lines().filter(|line| line.starts_with("stepwell:")).collect::<Vec<_>>().join("\n");
    let named = last.contains(&*data.to_string_lossy());
    let restore = ["restore", "upgrade", "newer", "import"].iter().any(|word| last.contains(word));
    assert!(named && restore, "{context}: the message does not say what to do:\n{said}");
}

/// Damages one file, and returns which and how.
fn damage(engine: Engine, data: &Path, random: &mut Rng) -> (PathBuf, Damage) {
    let files = engine.files(data);
    let length = |path: &PathBuf| fs::metadata(path).map_or(0, |file| file.len());
    let largest = files.iter().max_by_key(|path| length(path)).expect("a store has files");
    let path = if random.usize(..LARGEST) == 0 { largest } else { &files[random.usize(..files.len())] };
    let damage = match random.usize(..10) {
        0..4 => Damage::Bits(random.u32(1..=8)),
        4..6 => Damage::Range,
        6 => Damage::Zeros,
        7..9 => Damage::Cut,
        _ => Damage::Removed,
    };
    apply(path, length(path), damage, random);
    (path.clone(), damage)
}

fn apply(path: &Path, length: u64, damage: Damage, random: &mut Rng) {
    let open = || OpenOptions::new().read(true).write(true).open(path).expect("a file of the store");
    match damage {
        Damage::Bits(count) => {
            let file = open();
            for _ in 0..count {
                let (at, mut byte) = (random.u64(..length), [0]);
                file.read_exact_at(&mut byte, at).expect("a byte");
                byte[0] ^= 1 << random.u32(..8);
                file.write_all_at(&byte, at).expect("a byte");
            }
        }
        Damage::Range | Damage::Zeros => {
            let at = random.u64(..length);
            let mut bytes =
                vec![0; usize::try_from(random.u64(1..=RANGE_BYTES.min(length - at))).expect("a page")];
            if matches!(damage, Damage::Range) {
                random.fill(&mut bytes);
            }
            open().write_all_at(&bytes, at).expect("the range");
        }
        Damage::Cut => open().set_len(random.u64(..length)).expect("the cut"),
        Damage::Removed => fs::remove_file(path).expect("the file"),
    }
}

fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").args(["-a", "--sparse=always"]).arg(from).arg(to).status().expect("cp");
    assert!(done.success(), "copying the store: {done}");
}

#[test]
fn a_damaged_sled_store_is_never_served_as_if_it_were_whole() {
    hurt(Engine::Sled);
}

#[test]
fn a_damaged_redb_store_is_never_served_as_if_it_were_whole() {
    hurt(Engine::Redb);
}

//! The embedded engines over several processes: `kill -9` at random moments, the lock, damaged files.
//!
//! The binary is its own child (so it has its own `main`): a killed process must be a real one, and a damaged
//! file may make an engine panic on threads of its own.

#![expect(clippy::unwrap_used, reason = "a test may panic anywhere, also outside of its test function")]

mod engine;

use std::{
    collections::BTreeMap,
    env, fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, ExitCode, Stdio},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use engine::{Redb, Sled, TestEngine};
use stepwell_store::{Backend, Batch, KeyRange, OpenError, OpenOptions, Space, StoreError, StoreLocation};

const RECORDS: Space = Space::new(b'R');
const LATEST: Space = Space::new(b'L');
const WRITERS: u8 = 8;
/// How many of its last records a writer keeps.
const KEPT: u32 = 40;
const KILLS: usize = 20;
const DAMAGES: u64 = 40;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().collect();
    // `cargo test -- NAME` and test runners that list first have nothing to choose from here.
    if arguments.iter().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    if let (Ok(role), Ok(location)) = (env::var("STORE_TEST_ROLE"), env::var("STORE_TEST_LOCATION")) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let location = location.parse().unwrap();
        match &*role {
            "write" => runtime.block_on(write(&location)),
            "hold" => hold(&location),
            "check" => println!("{}", runtime.block_on(check(&location))),
            other => panic!("unknown role {other}"),
        }
        return ExitCode::SUCCESS;
    }
    run::<Sled>("sled");
    run::<Redb>("redb");
    ExitCode::SUCCESS
}

fn run<E: TestEngine>(engine: &str) {
    for (name, test) in [
        ("another_process_is_refused", another_process_is_refused::<E> as fn()),
        ("killed_processes_lose_nothing", killed_processes_lose_nothing::<E>),
        ("damage_never_passes_silently", damage_never_passes_silently::<E>),
    ] {
        let started = Instant::now();
        test();
        println!("test {engine}::{name} ... ok ({:.1} s)", started.elapsed().as_secs_f32());
    }
}

fn open(location: &StoreLocation) -> Result<Arc<dyn Backend>, OpenError> {
    stepwell_store::open(location, OpenOptions::default())
}

// --- parents ---------------------------------------------------------------------------------------------------

fn child(role: &str, location: &StoreLocation) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.env("STORE_TEST_ROLE", role).env("STORE_TEST_LOCATION", location.to_string());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

fn another_process_is_refused<E: TestEngine>() {
    let directory = tempfile::tempdir().unwrap();
    let mut holder = child("hold", &E::location(directory.path()));
    let mut line = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "held\n");
    let Err(refused) = E::open(directory.path()) else { panic!("opened twice") };
    assert!(matches!(refused, OpenError::Locked { .. }), "{refused}");
    assert!(refused.to_string().contains(&format!("process {}", holder.id())), "{refused}");
    // A killed process leaves its lock file, but not its lock.
    holder.kill().unwrap();
    holder.wait().unwrap();
    drop(E::open(directory.path()).unwrap());
}

fn killed_processes_lose_nothing<E: TestEngine>() {
    let directory = tempfile::tempdir().unwrap();
    let seed = seed();
    let mut random = fastrand::Rng::with_seed(seed);
    let mut acknowledged = BTreeMap::new();
    for round in 0..KILLS {
        let mut writer = child("write", &E::location(directory.path()));
        let (lines, heard) = mpsc::channel();
        let output = BufReader::new(writer.stdout.take().unwrap());
        let reader = thread::spawn(move || {
            for line in output.lines() {
                // What the kill cut short was not acknowledged.
                if lines.send(line.unwrap()).is_err() {
                    return;
                }
            }
        });
        let mut note = |line: &str| {
            if let Some((writer, number)) = line.strip_suffix('.').and_then(|line| line.split_once(' ')) {
                acknowledged.insert(writer.parse::<u8>().unwrap(), number.parse::<u32>().unwrap());
            }
        };
        note(&heard.recv_timeout(Duration::from_mins(1)).expect("the writer does not start"));
        thread::sleep(Duration::from_micros(random.u64(..150_000)));
        writer.kill().unwrap();
        writer.wait().unwrap();
        reader.join().unwrap();
        for line in heard.try_iter() {
            note(&line);
        }

        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let latest = runtime.block_on(async {
            let backend = E::open(directory.path()).unwrap();
            let latest = intact(&*backend).await.unwrap();
            backend.close().await.unwrap();
            latest
        });
        for (writer, number) in &acknowledged {
            let stored = latest.get(writer).copied().unwrap_or_default();
            assert!(
                stored >= *number,
                "seed {seed}, round {round}: {number} of {writer} was acknowledged, {stored} is there"
            );
        }
    }
    let total: u32 = acknowledged.values().sum();
    println!("  {KILLS} kills, {total} acknowledged commits, none lost (seed {seed})");
}

fn damage_never_passes_silently<E: TestEngine>() {
    let directory = tempfile::tempdir().unwrap();
    let (store, seed) = (directory.path().join("store"), seed());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let backend = E::open(&store).unwrap();
        for number in 1..=150 {
            for writer in 0..WRITERS {
                backend.commit(transition(writer, number)).await.unwrap();
            }
        }
        backend.close().await.unwrap();
    });
    let (mut refused, mut harmless) = (0, 0);
    for round in 0..DAMAGES {
        let copy = directory.path().join("copy");
        copy_tree(&store, &copy);
        let what = damage::<E>(&copy, &mut fastrand::Rng::with_seed(seed + round), round);
        let mut checker = child("check", &E::location(&copy));
        let started = Instant::now();
        while checker.try_wait().unwrap().is_none() {
            if started.elapsed() > Duration::from_mins(2) {
                checker.kill().unwrap();
                panic!("seed {}, {what}: neither opened nor refused", seed + round);
            }
            thread::sleep(Duration::from_millis(5));
        }
        let output = checker.wait_with_output().unwrap();
        let verdict = String::from_utf8(output.stdout).unwrap();
        match verdict.trim_end() {
            "intact" => harmless += 1,
            verdict if verdict.starts_with("refused: ") => refused += 1,
            verdict => panic!("seed {}, {what}: {verdict:?}, {}", seed + round, output.status),
        }
        fs::remove_dir_all(copy).unwrap();
    }
    assert!(refused > 0, "no damage was noticed at all");
    println!("  {DAMAGES} damages: {refused} refused, {harmless} without effect, none silent (seed {seed})");
}

/// Damages one file of a store in one of several ways.
fn damage<E: TestEngine>(store: &Path, random: &mut fastrand::Rng, round: u64) -> String {
    let mut files = vec![store.join(E::WATERMARK)];
    if E::own(store).is_dir() {
        files.extend(fs::read_dir(E::own(store)).unwrap().map(|entry| entry.unwrap().path()));
    }
    files.retain(|file| file.is_file());
    files.sort();
    let data = E::data(store);
    // Mostly the file where the data is.
    let file = if round.is_multiple_of(8) { files.swap_remove(random.usize(..files.len())) } else { data };
    let mut bytes = fs::read(&file).unwrap();
    let at = random.usize(..bytes.len());
    let what = match round % 4 {
        0 | 1 => {
            bytes[at] ^= 1 << random.u8(..8);
            "a flipped bit"
        }
        2 => {
            bytes.truncate(at);
            "a cut"
        }
        _ => {
            let end = (at + 4096).min(bytes.len());
            bytes[at..end].fill(0);
            "a zeroed block"
        }
    };
    fs::write(&file, bytes).unwrap();
    format!("{what} at {at} of {}", file.display())
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A new seed each run, or the one given, to repeat a failure.
fn seed() -> u64 {
    env::var("STORE_TEST_SEED").map_or_else(|_| fastrand::u64(..1_000_000), |seed| seed.parse().unwrap())
}

// --- children --------------------------------------------------------------------------------------------------

fn hold(location: &StoreLocation) {
    let _backend = open(location).unwrap();
    println!("held");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
}

/// Commits without end, and says so after each acknowledgement.
async fn write(location: &StoreLocation) {
    let backend = open(location).unwrap();
    let latest = intact(&*backend).await.unwrap();
    let writers = (0..WRITERS).map(|writer| {
        let (backend, first) = (Arc::clone(&backend), latest.get(&writer).copied().unwrap_or_default() + 1);
        tokio::spawn(async move {
            for number in first.. {
                backend.commit(transition(writer, number)).await.unwrap();
                // One write: lines of several writers never mix.
                std::io::stdout().write_all(format!("{writer} {number}.\n").as_bytes()).unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
}

async fn check(location: &StoreLocation) -> String {
    let options = OpenOptions { open_limit: Duration::from_mins(1), ..OpenOptions::default() };
    let backend = match stepwell_store::open(location, options) {
        Ok(backend) => backend,
        Err(refused) => return format!("refused: {refused}"),
    };
    match intact(&*backend).await {
        Ok(latest)
            if latest.len() == usize::from(WRITERS) && latest.values().all(|number| *number == 150) =>
        {
            "intact".to_owned()
        }
        Ok(latest) => format!("lost: {latest:?}"),
        Err(Damage::Reported(error)) => format!("refused: {error}"),
        Err(Damage::Silent(what)) => format!("lost: {what}"),
    }
}

// --- the data --------------------------------------------------------------------------------------------------

/// One step of a writer: a new record, the removal of an old one, and the number of the new one.
fn transition(writer: u8, number: u32) -> Batch {
    let mut batch = Batch::new();
    batch.put(RECORDS, key(writer, number), content(writer, number));
    batch.put(LATEST, vec![writer], number.to_be_bytes().to_vec());
    if number > KEPT {
        batch.delete(RECORDS, key(writer, number - KEPT));
    }
    batch
}

fn key(writer: u8, number: u32) -> Vec<u8> {
    [&[writer][..], &number.to_be_bytes()].concat()
}

/// Mostly about 1 KB, at times several chunks.
fn content(writer: u8, number: u32) -> Vec<u8> {
    let length = if number.is_multiple_of(16) { 20_000 } else { 500 + 40 * (number as usize % 30) };
    let mut content = vec![0; length];
    fastrand::Rng::with_seed(u64::from(number) << 8 | u64::from(writer)).fill(&mut content);
    content
}

#[derive(Debug)]
enum Damage {
    /// A call failed: the operator knows.
    Reported(StoreError),
    /// Wrong data came back.
    Silent(String),
}

impl From<StoreError> for Damage {
    fn from(error: StoreError) -> Self {
        Self::Reported(error)
    }
}

/// Reads the latest number of each writer, and checks that exactly its last records are there, unchanged.
async fn intact(backend: &dyn Backend) -> Result<BTreeMap<u8, u32>, Damage> {
    let mut latest = BTreeMap::new();
    for (writer, number) in backend.scan(LATEST, KeyRange::all(), false, 100).await?.items {
        latest.insert(writer[0], u32::from_be_bytes(number[..].try_into().unwrap()));
    }
    for (writer, latest) in &latest {
        let page = backend.scan(RECORDS, KeyRange::prefix(vec![*writer]), false, 100).await?;
        let expected = (latest + 1).saturating_sub(KEPT).max(1)..=*latest;
        let expected: Vec<_> =
            expected.map(|number| (key(*writer, number), content(*writer, number))).collect();
        if page.items.len() != expected.len()
            || page
                .items
                .iter()
                .zip(&expected)
                .any(|(found, expected)| found.0 != expected.0 || found.1 != expected.1)
        {
            let found: Vec<_> = page.items.iter().map(|(key, value)| (key.clone(), value.len())).collect();
            return Err(Damage::Silent(format!("writer {writer} at {latest} has {found:?}")));
        }
    }
    Ok(latest)
}

//! How many transitions a second the sled backend commits on this machine, beside what the disk itself can do.
//!
//! `cargo run --release -p stepwell-store --example commit_rate [DIRECTORY [SECONDS]]` prints a table. A transition
//! is what an executor writes for one step: 1.8 KB in a history record, a checkpoint and an index entry.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use stepwell_store::{Backend, Batch, MemoryBackend, SledBackend, SledOptions, Space};

const HISTORY: Space = Space::new(b'E');
const CHECKPOINT: Space = Space::new(b'X');
const INDEX: Space = Space::new(b'S');

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let parent = arguments.next().map_or_else(|| PathBuf::from("."), PathBuf::from);
    let length = Duration::from_secs(arguments.next().and_then(|text| text.parse().ok()).unwrap_or(5));
    let directory = tempfile::tempdir_in(parent).expect("a directory to write in");

    println!("{:<34} {:>9} {:>10} {:>10} {:>9}", "", "per s", "p50 ms", "p99 ms", "flushes");
    let appends = append_and_sync(&directory.path().join("log"), length);
    print_row("append 4 KiB + fdatasync", appends, length, None);
    for callers in [1, 64, 1024] {
        let path = directory.path().join(format!("store-{callers}"));
        let backend = Arc::new(SledBackend::open(SledOptions::new(path)).expect("a new store"));
        let times = commit(Arc::clone(&backend) as _, callers, length).await;
        print_row(&format!("sled, {callers} callers"), times, length, Some(backend.counters().flushes));
        backend.close().await.expect("a close");
    }
    let times = commit(Arc::new(MemoryBackend::new()), 64, length).await;
    print_row("memory, 64 callers", times, length, None);
}

fn append_and_sync(path: &Path, length: Duration) -> Vec<Duration> {
    let mut file = File::create(path).expect("a new file");
    let (mut times, started) = (Vec::new(), Instant::now());
    while started.elapsed() < length {
        let before = Instant::now();
        file.write_all(&[7; 4096]).expect("a write");
        file.sync_data().expect("a sync");
        times.push(before.elapsed());
    }
    times
}

/// Lets so many callers commit one transition after another; returns how long each commit took.
async fn commit(backend: Arc<dyn Backend>, callers: u64, length: Duration) -> Vec<Duration> {
    let started = Instant::now();
    let tasks: Vec<_> = (0..callers)
        .map(|caller| {
            let backend = Arc::clone(&backend);
            tokio::spawn(async move {
                let (mut times, mut step) = (Vec::new(), 0);
                while started.elapsed() < length {
                    let batch = transition(started.elapsed(), caller, step);
                    let before = Instant::now();
                    backend.commit(batch).await.expect("a commit");
                    times.push(before.elapsed());
                    step += 1;
                }
                times
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.expect("a caller"));
    }
    times
}

/// Ten steps make an execution; execution ids grow with time, as the real ones do.
fn transition(now: Duration, caller: u64, step: u64) -> Batch {
    let execution = step / 10;
    // Executions of all callers begin at about the same time: order by their number first.
    let id = [execution.to_be_bytes(), caller.to_be_bytes()].concat();
    let history_key = [&id[..], &(step % 10).to_be_bytes()].concat();
    let mut batch = Batch::new();
    batch.put(HISTORY, history_key, vec![now.subsec_nanos().to_le_bytes()[0]; 750]);
    batch.put(CHECKPOINT, id.clone(), vec![1; 950]);
    batch.put(INDEX, id, vec![2; 30]);
    batch
}

#[expect(clippy::cast_precision_loss, reason = "numbers for people")]
fn print_row(name: &str, mut times: Vec<Duration>, length: Duration, flushes: Option<u64>) {
    times.sort();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1000.0;
    let rate = times.len() as f64 / length.as_secs_f64();
    let flushes = flushes.map_or_else(String::new, |flushes| flushes.to_string());
    println!("{name:<34} {rate:>9.0} {:>10.2} {:>10.2} {flushes:>9}", at(50), at(99));
}

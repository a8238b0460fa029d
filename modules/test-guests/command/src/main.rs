//! A plain program that does as its input says: the guest for everything that a `wasi:cli/command` can reach.
//!
//! It reads JSON from standard input and acts by `"do"`; [`Deed`] lists what it can do. Its answer is JSON on standard
//! output.

mod files;

use files::Operation;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::{Read, Write};
use std::time::{Duration, Instant, SystemTime};

/// What to do.
#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", rename_all_fields = "camelCase")]
enum Deed {
    /// Answers with the input, the arguments and the environment.
    Echo,
    /// Ends with a status, after an error object if there is a name for it.
    Exit {
        code: i32,
        error: Option<String>,
        #[serde(default)]
        cause: String,
    },
    /// Says nothing and ends well.
    Nothing,
    /// Answers with something that is not JSON.
    Garbage,
    /// Writes that many bytes, in lines.
    Flood { bytes: usize, to: Output },
    /// Gives signs of life on standard error.
    Heartbeat {
        beats: u32,
        #[serde(default)]
        pause_milliseconds: u64,
    },
    /// Works on files and says what came of each operation.
    Files { operations: Vec<Operation> },
    /// Reads the clocks.
    Clock,
    /// Asks for 16 random bytes.
    Random,
    /// Blocks inside a host call.
    Sleep { milliseconds: u64 },
    /// Keeps one core busy and never ends.
    Spin,
}

/// One of the two outputs that every program has.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Output {
    Stdout,
    Stderr,
}

/// How much one line of a flood holds.
const LINE_BYTES: usize = 1_000;
/// Readings of a clock among which the smallest step is looked for.
const READINGS: usize = 1_000;

fn main() {
    let mut input = String::new();
    if let Err(error) = std::io::stdin().read_to_string(&mut input) {
        fail("Command.Unreadable", &error.to_string(), 1);
    }
    match serde_json::from_str(&input) {
        Ok(deed) => act(deed, &input),
        Err(error) => fail("Command.InvalidInput", &error.to_string(), 1),
    }
}

/// Does as it was told.
fn act(deed: Deed, input: &str) {
    match deed {
        Deed::Echo => answer(&echo(input)),
        Deed::Exit { code, error: Some(error), cause } => fail(&error, &cause, code),
        Deed::Exit { code, error: None, cause: _ } => std::process::exit(code),
        Deed::Nothing => {}
        Deed::Garbage => println!("{{this is not JSON"),
        Deed::Flood { bytes, to } => flood(bytes, to),
        Deed::Heartbeat { beats, pause_milliseconds } => {
            for _ in 0..beats {
                eprintln!("::heartbeat::");
                std::thread::sleep(Duration::from_millis(pause_milliseconds));
            }
            answer(&json!({ "beats": beats }));
        }
        Deed::Files { operations } => {
            // Files stay open until all is done.
            let mut open = Vec::new();
            let outcomes: Vec<Value> = operations.iter().map(|operation| operation.run(&mut open)).collect();
            answer(&json!(outcomes));
        }
        Deed::Clock => answer(&clock()),
        Deed::Random => answer(&random()),
        Deed::Sleep { milliseconds } => {
            std::thread::sleep(Duration::from_millis(milliseconds));
            answer(&json!("slept"));
        }
        Deed::Spin => spin(),
    }
}

/// Writes the result. Nobody is there to be told when that fails.
fn answer(value: &Value) {
    drop(writeln!(std::io::stdout(), "{value}"));
}

/// Ends with a named error.
fn fail(error: &str, cause: &str, code: i32) -> ! {
    answer(&json!({ "error": error, "cause": cause }));
    std::process::exit(code)
}

/// Collects what a program is given.
fn echo(input: &str) -> Value {
    let input: Value = serde_json::from_str(input).unwrap_or(Value::Null);
    let arguments: Vec<String> =
        std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect();
    let environment: BTreeMap<String, String> = std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .collect();
    json!({ "input": input, "arguments": arguments, "environment": environment })
}

/// Writes more than anybody wants to read, and an answer when it was let.
fn flood(bytes: usize, to: Output) {
    let mut line = vec![b'f'; LINE_BYTES];
    line[LINE_BYTES - 1] = b'\n';
    let mut remaining = bytes;
    while remaining > 0 {
        let piece = &line[LINE_BYTES - remaining.min(LINE_BYTES)..];
        let written = match to {
            Output::Stdout => std::io::stdout().write_all(piece),
            Output::Stderr => std::io::stderr().write_all(piece),
        };
        if let Err(error) = written {
            fail("Command.FloodStopped", &error.to_string(), 1);
        }
        remaining -= piece.len();
    }
    if let Output::Stderr = to {
        answer(&json!({ "flooded": bytes }));
    }
}

/// Reads both clocks, and looks for the smallest step that each makes.
fn clock() -> Value {
    let start = Instant::now();
    let wall = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    json!({
        "wallNanoseconds": nanoseconds(wall()),
        "monotonicNanoseconds": monotonic_origin(start),
        "smallestWallStepNanoseconds": smallest_step(wall),
        "smallestMonotonicStepNanoseconds": smallest_step(|| start.elapsed()),
        "elapsedNanoseconds": nanoseconds(start.elapsed()),
    })
}

/// Returns the smallest difference, other than none, between two readings that follow each other.
fn smallest_step(read: impl Fn() -> Duration) -> Option<u64> {
    let mut smallest = None;
    let mut last = read();
    for _ in 0..READINGS {
        let now = read();
        let step = now.saturating_sub(last);
        if step > Duration::ZERO {
            smallest = Some(smallest.map_or(step, |smallest: Duration| smallest.min(step)));
        }
        last = now;
    }
    smallest.map(nanoseconds)
}

/// Says how far the monotonic clock is from where it begins to count, as far as a program can tell.
fn monotonic_origin(reading: Instant) -> u64 {
    // An `Instant` does not tell its number: look for the longest time that can be taken from it.
    let mut origin: u64 = 0;
    for bit in (0..63).rev() {
        let candidate = origin | (1 << bit);
        if reading.checked_sub(Duration::from_nanos(candidate)).is_some() {
            origin = candidate;
        }
    }
    origin
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Gets 16 random bytes without a crate for it: two seeds of hash tables, which the system fills.
fn random() -> Value {
    use std::hash::{BuildHasher, RandomState};
    let bytes: u128 =
        (u128::from(RandomState::new().hash_one(1)) << 64) | u128::from(RandomState::new().hash_one(2));
    json!(format!("{bytes:032x}"))
}

/// Keeps one core busy.
#[inline(never)]
fn spin() -> ! {
    let mut turns: u64 = 0;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

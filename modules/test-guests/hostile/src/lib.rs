//! A guest that misbehaves on request: each wall of the sandbox has a test that runs into it.
//!
//! Input: `{"do": "trap" | "loop" | "allocate" | "recurse" | "big-result" | "spam-log" | "sleep" | "hold" | "read-file" |
//! "env" | "ask"}`, with `bytes` for `big-result` and `spam-log`, `seconds` for `sleep` and `hold`, `mebibytes` for `hold`, and
//! for `ask` what to ask the host for: see [`host::Request`].

mod host;

use serde::Deserialize;
use serde_json::{Value, json};
use std::hint::black_box;
use std::time::Duration;
use stepwell::{TaskError, log};

/// What to do wrong.
#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
enum Misdeed {
    /// Panics, which ends in an `unreachable` instruction.
    Trap,
    /// Beats once, then never returns.
    Loop,
    /// Takes memory until there is none.
    Allocate,
    /// Calls itself until the stack ends.
    Recurse,
    /// Returns a string of that many bytes.
    BigResult { bytes: usize },
    /// Writes that many bytes to the log, as many to standard output and to standard error.
    SpamLog { bytes: usize },
    /// Blocks inside a host call.
    Sleep { seconds: f64 },
    /// Takes so much memory and blocks inside a host call.
    Hold { mebibytes: usize, seconds: f64 },
    /// Asks for a file of the host.
    ReadFile,
    /// Asks for the host's environment and arguments.
    Env,
    /// Asks the host for too much of something.
    Ask { request: host::Request },
}

/// How much one log line of `spam-log` holds.
const LINE_BYTES: usize = 1_000;

/// Misbehaves as asked, and says what came of it when it is still there.
#[stepwell::task]
fn hostile(misdeed: Misdeed) -> Result<Value, TaskError> {
    match misdeed {
        Misdeed::Trap => give_up(),
        Misdeed::Loop => spin(),
        Misdeed::Allocate => Ok(json!(allocate())),
        Misdeed::Recurse => Ok(json!(recurse(0))),
        Misdeed::BigResult { bytes } => Ok(Value::String("x".repeat(bytes))),
        Misdeed::SpamLog { bytes } => {
            spam(bytes);
            Ok(json!("spammed"))
        }
        Misdeed::Sleep { seconds } => {
            std::thread::sleep(Duration::try_from_secs_f64(seconds)?);
            Ok(json!("slept"))
        }
        Misdeed::Hold { mebibytes, seconds } => {
            let held = black_box(vec![1_u8; mebibytes << 20]);
            std::thread::sleep(Duration::try_from_secs_f64(seconds)?);
            Ok(json!(held.len()))
        }
        Misdeed::ReadFile => {
            let error = std::fs::read("/etc/hostname").err().map(|error| error.to_string());
            Ok(json!({ "error": error, "listing": std::fs::read_dir("/").is_ok() }))
        }
        Misdeed::Env => {
            let variables: Vec<_> = std::env::vars().map(|(name, _)| name).collect();
            Ok(json!({ "variables": variables, "arguments": std::env::args().count() }))
        }
        Misdeed::Ask { request } => Ok(request.ask()),
    }
}

/// Panics in a function that a backtrace can name.
#[inline(never)]
fn give_up() -> ! {
    panic!("trapped on purpose")
}

/// Keeps one core busy.
#[inline(never)]
fn spin() -> ! {
    stepwell::heartbeat();
    let mut turns: u64 = 0;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

/// Fills memory, a mebibyte at a time, and touches every part of it.
#[inline(never)]
fn allocate() -> usize {
    let mut blocks: Vec<Vec<u8>> = Vec::new();
    loop {
        blocks.push(black_box(vec![1; 1 << 20]));
        if blocks.len() == usize::MAX {
            return blocks.len();
        }
    }
}

/// Uses a little of the stack and calls itself.
#[inline(never)]
#[allow(unconditional_recursion, reason = "that is the misdeed")]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 4]);
    recurse(depth + 1).wrapping_add(frame[3])
}

/// Writes more than anybody wants to read.
#[inline(never)]
fn spam(bytes: usize) {
    let line = "s".repeat(LINE_BYTES);
    for _ in 0..bytes / LINE_BYTES {
        log::info!("{line}");
        println!("{line}");
        eprintln!("{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmless_requests_answer_natively() {
        let misdeed = serde_json::from_str(r#"{"do":"big-result","bytes":3}"#).unwrap();
        assert_eq!(hostile(misdeed), Ok(json!("xxx")));
        let misdeed = serde_json::from_str(r#"{"do":"sleep","seconds":0}"#).unwrap();
        assert_eq!(hostile(misdeed), Ok(json!("slept")));
    }

    #[test]
    fn requests_are_read() {
        let misdeed: Misdeed =
            serde_json::from_str(r#"{"do":"ask","request":{"for":"random","bytes":7}}"#).unwrap();
        assert!(matches!(misdeed, Misdeed::Ask { request: host::Request::Random { bytes: 7 } }));
    }

    #[test]
    #[should_panic(expected = "trapped on purpose")]
    fn a_trap_is_a_panic_natively() {
        drop(hostile(Misdeed::Trap));
    }
}

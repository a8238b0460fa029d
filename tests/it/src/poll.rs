//! Waiting for something that only another process can bring about.
//!
//! Every wait asks again until it is so, and has a bound after which the test fails with what it waited for: a test
//! must never rest on a guess of how long something takes.

use std::time::{Duration, Instant};

/// Pause between two questions.
const PAUSE: Duration = Duration::from_millis(10);

/// Long enough for anything that takes moments, on a machine that is busy with other work.
const SOON: Duration = Duration::from_mins(1);

/// Asks until there is an answer, at most for `limit`.
///
/// # Panics
/// If there is none in time: with `what`, which completes the sentence "waited in vain for ...".
pub fn eventually<T>(limit: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {} s in vain for {what}", limit.as_secs());
        std::thread::sleep(PAUSE);
    }
}

/// [`eventually`] with a bound for things that take moments.
pub fn soon<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    eventually(SOON, what, ask)
}

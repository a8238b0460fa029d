//! Crash and fault tests of the real server over HTTP: what was acknowledged must stay true whatever happens to the
//! process, its disk and its clock.
//!
//! `kill9` is the program that kills; the tests of this crate are its short form and one file a kind of fault. Nothing
//! here may know the product but through its API, its command line and its messages; only the tests of damage touch
//! files of a store, and only while the server is stopped.

#![allow(clippy::missing_panics_doc, reason = "everything here panics when the server does not do its part")]

pub mod administration;
pub mod check;
pub mod engine;
pub mod journal;
pub mod judge;
mod load;
pub mod machines;
pub mod population;
pub mod rounds;
pub mod violation;

/// Whether the long form of the tests is asked for: `STEPWELL_LONG=1`. Their short form is what CI runs.
pub fn long_form() -> bool {
    std::env::var_os("STEPWELL_LONG").is_some_and(|value| value == "1")
}

/// The seed of a run: `STEPWELL_SEED`, or one by chance. It is announced, so that a failure can be repeated.
pub fn seed(of: &str) -> u64 {
    let seed = match std::env::var("STEPWELL_SEED") {
        Ok(seed) => seed.parse().expect("STEPWELL_SEED is a number"),
        Err(_) => fastrand::u64(..),
    };
    stepwell_it::announce(&format!("{of}: STEPWELL_SEED={seed}"));
    seed
}

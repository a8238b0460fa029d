//! What must hold for any input, one file for each target. A check panics when it does not.
//!
//! Used twice: by the fuzzers, and by the test that keeps what they found. So it must never know the fuzzer.

mod checkpoint;
pub mod definition;
mod dice;
pub mod expression;
pub mod intrinsic;
pub mod jsonpath;
mod run;
mod samples;
pub mod step;
mod transition;

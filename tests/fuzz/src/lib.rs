//! What the fuzz targets share: the checks, the machines they run, a mutator that keeps JSON being JSON.
//!
//! The checks know nothing of the fuzzer: `host/asl/tests/fuzz_finds.rs` runs them as an ordinary test.

pub mod checks;
mod json_mutator;
mod last_input;
mod machines;

pub use json_mutator::mutate_json;
pub use last_input::remember;
pub use machines::{MACHINES, Machine};

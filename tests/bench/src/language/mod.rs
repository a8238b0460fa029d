//! What the language itself costs: `step` in memory, definitions from text to machine, and Map states as they grow.
//!
//! The first two are pure loops on one thread, so processor time is what they are measured in: on a busy machine it
//! still says nearly the same. Every run checks that the execution ended as it must.

pub mod definitions;
pub mod growth;
pub mod machines;
pub mod steps;

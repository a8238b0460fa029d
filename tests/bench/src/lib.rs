//! The benchmark: what Stepwell costs, as ratios against bare baselines that run side by side in the same run.
//!
//! Machines differ and are seldom quiet, so a figure alone says little. Every measurement here is a row of rounds,
//! baseline and product in turn, and what counts is the median of the rounds' ratios. `docs/benchmarks.md` says how to
//! read them. This crate must never assert a time, and never reach into the product by a way that users do not have.

pub mod baseline;
pub mod calls;
pub mod chain;
pub mod disk;
pub mod guest;
pub mod hostile;
pub mod jsonata;
pub mod language;
pub mod modules;
pub mod quiet;
pub mod report;
pub mod sample;
pub mod served;
pub mod store_kind;
pub mod transitions;
pub mod watched;

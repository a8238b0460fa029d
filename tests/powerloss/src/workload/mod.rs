//! The program under test: it opens a store, says what it holds, commits from several tasks and notes what was
//! acknowledged.
//!
//! It must note a step before it asks for it and an acknowledgement only after it, each with one system call.

pub mod engine;
mod life;
pub mod plan;
pub mod stray;

pub use life::{Ending, Orders, live};

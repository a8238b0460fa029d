//! Evaluates JSONata, for fields of the query language JSONata (Amazon States Language, "Using JSONata").
//!
//! The evaluator is the crate `jsonata-core`, compiled to a WebAssembly component (`guest/`, built by `build.rs`) that
//! runs in wasmtime. Whatever an expression does, and whatever fault the evaluator has, ends within [`limits`]: the
//! work is counted (fuel, not a clock, so that the same expression ends at the same place on every machine), the
//! memory and the stack are bounded, and nothing of the host can be reached: no file, no network, no environment, no
//! clock but the time that a call brings, no randomness but from the seed that it brings.
//!
//! [`Jsonata`] is the whole API: it implements [`stepwell_asl::jsonata::Evaluator`], and [`Jsonata::evaluate_watched`]
//! adds a hook that is called when an evaluation turns out to be slow. The component is compiled at the first call or
//! by [`Jsonata::warm`], once per directory if one is given, and in a process of its own ([`child`]) if a program for it is
//! given; a call takes microseconds in an instance that is kept
//! warm.
//!
//! Architecture invariants: an evaluation is a function of its call, never of earlier calls. A warm instance may only
//! save time: when it runs into a bound, a fresh one has the last word. Nothing here panics, and no wasmtime type
//! appears in this crate's API.

mod bindings;
mod call;
pub mod child;
mod engine;
mod failure;
mod instance;
mod jsonata;
pub mod limits;
mod state;

pub use call::Call;
pub use jsonata::{Jsonata, Unavailable};

//! The sandbox against real guests. They are built first:
//! `cargo build --release --target wasm32-wasip2 --manifest-path modules/Cargo.toml`.
//!
//! One binary for all of it: wasmtime is linked once.

#![allow(clippy::unwrap_used, reason = "a test that unwraps fails where it should")]

mod bounds;
mod calls;
mod files;
mod guests;
mod hostile;
mod http;
mod install;
mod kinds;
mod languages;
mod load;
mod recovery;
mod walls;

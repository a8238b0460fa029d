//! The HTTP API, one server per test, driven by raw requests: what a client sees, byte for byte where it matters.

#![allow(clippy::unwrap_used)] // a test may panic, its helpers too

#[path = "api/executions.rs"]
mod executions;
#[path = "api/failing_store.rs"]
mod failing_store;
#[path = "api/history.rs"]
mod history;
#[path = "api/machines.rs"]
mod machines;
#[path = "api/modules.rs"]
mod modules;
#[path = "api/protocol.rs"]
mod protocol;
#[path = "api/resources.rs"]
mod resources;
#[allow(dead_code)] // each test binary uses its part of it
mod support;

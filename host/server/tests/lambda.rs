//! The Lambda API, one server per test, driven by raw requests: what a client sees, byte for byte where it matters.

#![allow(clippy::unwrap_used)] // a test may panic, its helpers too

#[path = "lambda/calls.rs"]
mod calls;
#[path = "lambda/client.rs"]
mod client;
#[path = "lambda/functions.rs"]
mod functions;
#[path = "lambda/protocol.rs"]
mod protocol;
#[path = "lambda/settings.rs"]
mod settings;
#[allow(dead_code)] // each test binary uses its part of it
mod support;
#[path = "lambda/versions.rs"]
mod versions;

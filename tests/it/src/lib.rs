//! The harness of the integration tests: the real `stepwell` binary as a child process, driven as its users drive it,
//! over HTTP (AWS JSON 1.0 and the `/modules` endpoints), by signals and by its command line.
//!
//! It must never depend on a crate of the product, and never reach into a data directory: what a test cannot see from
//! outside, a user cannot see either. The harness is test code, so it panics with a full explanation where other code
//! would return an error; a panic prints what the server wrote.

#![allow(clippy::missing_panics_doc, reason = "everything here panics when the server does not do its part")]

use std::io::Write as _;

mod binary;
mod client;
mod fill;
mod guests;
mod history;
mod poll;
mod server;

pub use binary::{guests_directory, server_binary, workspace_root};
pub use client::{CallFailure, Client, Refusal, Reply};
pub use fill::{Filler, SmallVolume};
pub use guests::{function_arn, guest, stub};
pub use history::{Visit, extends, linear_history_problems, visits};
pub use poll::{eventually, soon};
pub use server::{Server, Setup};

/// Account and region of the ARNs that a server with default settings gives out.
pub const ARN_SCOPE: &str = "us-east-1:123456789012";

/// Tells whoever runs the tests something that they must see even if all tests pass: a figure, a seed, a test that
/// could not be made. The test runner swallows what `println!` says in a test that passes.
pub fn announce(text: &str) {
    // Nothing can be done about a standard error that is closed.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// ARN of the state machine `name`.
pub fn machine_arn(name: &str) -> String {
    format!("arn:aws:states:{ARN_SCOPE}:stateMachine:{name}")
}

/// ARN of the STANDARD execution `execution` of the machine `machine`.
pub fn execution_arn(machine: &str, execution: &str) -> String {
    format!("arn:aws:states:{ARN_SCOPE}:execution:{machine}:{execution}")
}

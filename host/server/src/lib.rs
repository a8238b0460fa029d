//! The server and the command line of Stepwell: the only place where the store, the sandbox and the executor meet.
//!
//! `api` speaks AWS JSON 1.0, `rest` Stepwell's own endpoints, `cli` is the client. It is a library only so that tests
//! can run a server in their own process; nothing but `main` and tests may use it.

mod api;
mod banner;
mod body;
mod cli;
mod expressions;
mod functions;
mod jsonata;
mod limits;
mod logging;
mod modules;
mod rest;
mod serve;
mod server;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;

pub use expressions::SandboxExpressions;
pub use functions::SandboxFunctions;
pub use server::{Identity, Server};

/// Runs the program. Without any argument it serves with the defaults, so that `cargo run` shows something.
pub fn main() -> ExitCode {
    let mut arguments: Vec<OsString> = std::env::args_os().collect();
    if arguments.len() <= 1 {
        arguments = vec!["stepwell".into(), "serve".into()];
    }
    let cli = cli::Cli::parse_from(arguments);
    match cli.command {
        cli::Command::Serve(args) => serve::run(&args),
        cli::Command::Client(command) => cli::run(&cli.global, command),
    }
}

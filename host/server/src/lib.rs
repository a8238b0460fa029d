//! The server and the command line of Stepwell: the only place where the store, the sandbox and the executor meet.
//!
//! `api` speaks AWS JSON 1.0, `rest` Stepwell's own endpoints, `cli` is the client. It is a library only so that tests
//! can run a server in their own process; nothing but `main` and tests may use it.

mod api;
mod auth;
mod banner;
mod body;
mod cli;
mod deletion;
mod expressions;
mod functions;
mod http_tasks;
mod json_services;
mod jsonata;
mod lambda;
mod limits;
mod listen;
mod logging;
mod logs_api;
mod modules;
mod observe;
mod own_service;
mod profile;
mod resources;
mod rest;
mod secrets;
mod serve;
mod server;
mod throttle;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;
use stepwell_jsonata::child as jsonata_child;
use stepwell_sandbox::compile::child as compile;

pub use expressions::SandboxExpressions;
pub use functions::SandboxFunctions;
pub use lambda::{CallBounds, Calls};
pub use modules::{Modules, ModulesConfig};
pub use resources::{ResourceBounds, Resources};
pub use secrets::SecretKey;
pub use server::{Identity, Server};

/// Runs the program. Without any argument it serves with the defaults, so that `cargo run` shows something.
pub fn main() -> ExitCode {
    let mut arguments: Vec<OsString> = std::env::args_os().collect();
    if arguments.get(1).is_some_and(|argument| argument == compile::ARGUMENT) {
        return exit_code(&compile::run());
    }
    if let [_, argument, directory] = &arguments[..]
        && argument == jsonata_child::ARGUMENT
    {
        return exit_code(&jsonata_child::run(directory.into()));
    }
    if arguments.len() <= 1 {
        arguments = vec!["stepwell".into(), "serve".into()];
    }
    let cli = cli::Cli::parse_from(arguments);
    match cli.command {
        cli::Command::Serve(args) => serve::run(&args),
        cli::Command::Client(command) => cli::run(&cli.global, *command),
    }
}

/// How the server's own program ends as a process that compiles.
fn exit_code(compiled: &std::io::Result<()>) -> ExitCode {
    if compiled.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

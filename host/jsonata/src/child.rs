//! The process that compiles the evaluator: a server that did it itself would keep the compiler's memory for good.
//!
//! It bounds itself as the compiler of uploads does. It must never write anywhere but into the directory that it is given,
//! and it may always fail: the server then compiles itself.

use crate::jsonata::Jsonata;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The argument with which the server starts its own program for this; the directory follows.
pub const ARGUMENT: &str = "compile-jsonata";

/// Compiles into a directory.
///
/// # Errors
/// When the process cannot bound itself, or this machine cannot run WebAssembly.
pub fn run(directory: PathBuf) -> io::Result<()> {
    stepwell_sandbox::compile::child::bound()?;
    Jsonata::new(Some(directory)).compile_only().map_err(io::Error::other)
}

/// Runs such a process and waits for its end.
pub(crate) fn start(program: &Path, directory: &Path) {
    let mut command = Command::new(program);
    command.arg(ARGUMENT).arg(directory).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match command.status() {
        Ok(status) if status.success() => {}
        Ok(status) => tracing::warn!(%status, "the process that compiles JSONata broke off: compiling here"),
        Err(error) => tracing::warn!(%error, "no process to compile JSONata: compiling here"),
    }
}

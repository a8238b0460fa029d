//! The process that compiles one upload: module in on standard input, machine code out on standard output.
//!
//! It bounds itself before it reads anything, and it must never do anything else: no files, no network. Input: one byte
//! for what the module is (`c` component, `t` core module that is a task, `p` core module that is a program), then the
//! module. Output: one byte for what came of it (`k` code, `a` does not adapt, `x` does not compile), then the code or
//! the reason.

use super::{CompileError, compile};
use crate::engine;
use crate::inspect::CoreModule;
use crate::limits;
use rustix::process::{Resource, Rlimit, Signal, nice, set_parent_process_death_signal, setrlimit};
use std::io::{self, Read as _, Write as _};

/// The argument with which the server starts its own program as a compiler.
pub const ARGUMENT: &str = "compile-upload";

pub(super) const CODE: u8 = b'k';
pub(super) const DOES_NOT_ADAPT: u8 = b'a';
pub(super) const DOES_NOT_COMPILE: u8 = b'x';

/// Compiles what standard input holds.
///
/// # Errors
/// When the process cannot bound itself, or its input and output break.
pub fn run() -> io::Result<()> {
    bound()?;
    let mut input = Vec::new();
    io::stdin().lock().read_to_end(&mut input)?;
    let Some((&what, wasm)) = input.split_first() else { return Err(io::ErrorKind::UnexpectedEof.into()) };
    let Some(upload) = upload(what) else { return Err(io::ErrorKind::InvalidInput.into()) };
    let engine = engine::for_compiling().map_err(io::Error::other)?;
    let (outcome, bytes) = match compile(&engine, wasm, upload.core) {
        Ok(code) => (CODE, code),
        Err(CompileError::DoesNotAdapt(reason)) => (DOES_NOT_ADAPT, reason.into_bytes()),
        Err(error) => (DOES_NOT_COMPILE, error.to_string().into_bytes()),
    };
    let mut output = io::stdout().lock();
    output.write_all(&[outcome])?;
    output.write_all(&bytes)?;
    output.flush()
}

/// The byte that says what a module is.
pub(super) fn what(core: Option<CoreModule>) -> u8 {
    match core {
        None => b'c',
        Some(CoreModule::Task) => b't',
        Some(CoreModule::Command) => b'p',
    }
}

/// What such a byte says.
#[derive(Debug, PartialEq, Eq)]
struct Upload {
    core: Option<CoreModule>,
}

fn upload(what: u8) -> Option<Upload> {
    let all = [None, Some(CoreModule::Task), Some(CoreModule::Command)];
    all.into_iter().find(|core| self::what(*core) == what).map(|core| Upload { core })
}

/// Bounds memory and time of this process, makes it polite, and lets it end with its parent.
///
/// # Errors
/// When the system does not let it.
pub fn bound() -> io::Result<()> {
    for (resource, limit) in [
        (Resource::As, limits::MAX_COMPILE_ADDRESS_SPACE_BYTES),
        (Resource::Cpu, limits::MAX_COMPILE_CPU_SECONDS),
        (Resource::Core, 0),
    ] {
        setrlimit(resource, Rlimit { current: Some(limit), maximum: Some(limit) })?;
    }
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // A process that may not lower itself compiles all the same.
    let _ = nice(limits::COMPILE_NICENESS);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_and_understands_what_a_module_is() {
        for expected in [None, Some(CoreModule::Task), Some(CoreModule::Command)] {
            assert_eq!(upload(what(expected)), Some(Upload { core: expected }));
        }
        assert_eq!(upload(b'?'), None);
    }
}

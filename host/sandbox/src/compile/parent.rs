//! Starts the compiler's process, feeds it, and ends it when it takes too long.

use super::CompileError;
use super::child::{self, ARGUMENT};
use crate::inspect::CoreModule;
use crate::limits;
use std::io::{Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;

/// Compiles an upload in a process of `program`.
pub(super) fn compile(
    program: &Path,
    wasm: &[u8],
    core: Option<CoreModule>,
) -> Result<Vec<u8>, CompileError> {
    let mut process = Command::new(program)
        .arg(ARGUMENT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| CompileError::Host(format!("{} cannot be started: {error}", program.display())))?;
    let outcome = converse(&mut process, wasm, core);
    // Whatever came of it, nothing stays behind.
    let _ = process.kill();
    let status = process.wait().map_err(|error| CompileError::Host(error.to_string()))?;
    match outcome? {
        Some(answer) => understood(answer),
        None => Err(CompileError::Limit(match status.signal() {
            Some(signal) => {
                format!("the compiler was ended by signal {signal}, most likely for want of memory")
            }
            None => format!("the compiler broke off with {status}"),
        })),
    }
}

/// Writes the module and reads the answer; none when the process ended without one.
fn converse(
    process: &mut Child,
    wasm: &[u8],
    core: Option<CoreModule>,
) -> Result<Option<Vec<u8>>, CompileError> {
    let host = |reason: &str| CompileError::Host(reason.to_owned());
    let mut input = process.stdin.take().ok_or_else(|| host("the compiler has no input"))?;
    let output = process.stdout.take().ok_or_else(|| host("the compiler has no output"))?;
    let (send, answered) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(move || send.send(read(output)));
        // An error here means that it has ended: the answer, or its lack, tells more.
        scope.spawn(move || input.write_all(&[child::what(core)]).and_then(|()| input.write_all(wasm)));
        let answer = answered.recv_timeout(limits::MAX_COMPILE_TIME);
        if answer.is_err() {
            // Ends reader and writer, too, whose threads are waited for here.
            let _ = process.kill();
        }
        let too_long = || {
            let seconds = limits::MAX_COMPILE_TIME.as_secs();
            CompileError::Limit(format!(
                "compiling takes longer than the {seconds} seconds that an upload may take"
            ))
        };
        answer.map_err(|_| too_long())?.map_err(|error| CompileError::Host(error.to_string()))
    })
}

fn read(output: ChildStdout) -> std::io::Result<Option<Vec<u8>>> {
    let mut answer = Vec::new();
    output.take(limits::MAX_CODE_BYTES).read_to_end(&mut answer)?;
    Ok(Some(answer).filter(|answer| !answer.is_empty()))
}

/// Takes the answer apart.
fn understood(mut answer: Vec<u8>) -> Result<Vec<u8>, CompileError> {
    let outcome = answer.remove(0);
    if outcome == child::CODE {
        return Ok(answer);
    }
    let reason = String::from_utf8_lossy(&answer).into_owned();
    Err(match outcome {
        child::DOES_NOT_ADAPT => CompileError::DoesNotAdapt(reason),
        child::DOES_NOT_COMPILE => CompileError::DoesNotCompile(reason),
        _ => CompileError::Host("the compiler gave an answer that nobody understands".to_owned()),
    })
}

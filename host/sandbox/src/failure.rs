//! From wasmtime's errors to [`CallError`]: the one place that decides what a broken call is called.

use crate::backtrace;
use crate::bounds::Bounds;
use crate::capture::ResultExceeded;
use crate::cpu::CpuPassed;
use crate::entry::FromModule;
use crate::error::CallError;
use crate::filesystem::FilesExceeded;
use crate::limits;
use crate::memory::MemoryExceeded;
use crate::output::OutputExceeded;
use wasmtime::component::ResourceTableError;
use wasmtime::{Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

/// Ends a busy guest at its deadline. It travels through wasmtime and comes out in [`call_error`].
#[derive(Debug, thiserror::Error)]
#[error("the deadline has passed")]
pub(crate) struct DeadlinePassed;

/// The text with which wasmtime refuses to copy more than `set_hostcall_fuel` allows. Its type is private; the tests of
/// this crate fail when the text changes.
const COPY_LIMIT: &str = "fuel allocated for hostcalls has been exhausted";

/// Names what ended a call. `error_tail` is the end of the module's standard error.
pub(crate) fn call_error(error: &wasmtime::Error, bounds: &Bounds, error_tail: &str) -> CallError {
    let backtrace = error.downcast_ref::<WasmBacktrace>().map(backtrace::text);
    if let Some(exceeded) = exceeded(error, bounds, backtrace.as_deref()) {
        return exceeded;
    }
    // While the result is copied no guest code runs; a guest that hands too much to `log` has a backtrace.
    let root = error.root_cause().to_string();
    if backtrace.is_none() && root.contains(COPY_LIMIT) {
        return CallError::ResultTooLarge { limit_bytes: bounds.result_bytes };
    }
    let what = match error.downcast_ref::<I32Exit>() {
        Some(I32Exit(status)) => format!("the module called exit({status})"),
        None => root,
    };
    if backtrace.is_none() && !error.is::<Trap>() && !error.is::<I32Exit>() && !error.is::<FromModule>() {
        return CallError::Host(format!("{error:#}"));
    }
    let mut message = what;
    if !error_tail.is_empty() {
        message.push_str("\nstandard error ends with:\n");
        message.push_str(error_tail);
    }
    if let Some(backtrace) = backtrace {
        message.push('\n');
        message.push_str(&backtrace);
    }
    let message = cut(message, limits::MAX_CAUSE_CHARS);
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => CallError::StackOverflow { message },
        Some(_) | None => CallError::Trap { message },
    }
}

/// Finds out which bound the call met, if it met one.
fn exceeded(error: &wasmtime::Error, bounds: &Bounds, backtrace: Option<&str>) -> Option<CallError> {
    let backtrace = || backtrace.map(|text| cut(text.to_owned(), limits::MAX_CAUSE_CHARS));
    if error.is::<DeadlinePassed>() {
        return Some(CallError::Timeout { timeout: bounds.timeout, backtrace: backtrace() });
    }
    if error.is::<CpuPassed>() {
        return Some(CallError::CpuExceeded { limit: bounds.cpu, backtrace: backtrace() });
    }
    if let Some(exceeded) = error.downcast_ref::<MemoryExceeded>() {
        return Some(match *exceeded {
            MemoryExceeded::Own { wanted_bytes, limit_bytes } => {
                CallError::OutOfMemory { wanted_bytes, limit_bytes }
            }
            MemoryExceeded::Host { wanted_bytes } => CallError::HostOutOfMemory { wanted_bytes },
            MemoryExceeded::Tables { wanted, limit } => CallError::TableExceeded { wanted, limit },
        });
    }
    if let Some(OutputExceeded { limit_bytes }) = error.downcast_ref::<OutputExceeded>() {
        return Some(CallError::OutputExceeded { limit_bytes: *limit_bytes });
    }
    if let Some(ResultExceeded { limit_bytes }) = error.downcast_ref::<ResultExceeded>() {
        return Some(CallError::ResultTooLarge { limit_bytes: *limit_bytes });
    }
    if let Some(exceeded) = error.downcast_ref::<FilesExceeded>() {
        return Some(match *exceeded {
            FilesExceeded::Scratch { limit_bytes } => CallError::ScratchFull { limit_bytes },
            FilesExceeded::OpenFiles { limit } => CallError::TooManyOpenFiles { limit },
        });
    }
    if matches!(error.downcast_ref::<ResourceTableError>(), Some(ResourceTableError::Full)) {
        return Some(CallError::TooManyHandles { limit: limits::MAX_OPEN_HANDLES as u64 });
    }
    None
}

/// Takes over the module's own error, cut to the API's bounds.
pub(crate) fn task_error(error: String, cause: String) -> CallError {
    CallError::Task {
        error: cut(error, limits::MAX_ERROR_NAME_CHARS),
        cause: cut(cause, limits::MAX_CAUSE_CHARS),
    }
}

/// Cuts a text after that many characters.
fn cut(mut text: String, max_chars: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(max_chars) {
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_by_characters() {
        assert_eq!(cut("ééé".to_owned(), 2), "éé");
        assert_eq!(cut("é".to_owned(), 2), "é");
        let error = task_error("n".repeat(300), "c".repeat(40_000));
        assert_eq!((error.name().len(), error.cause().len()), (256, 32_768));
    }
}

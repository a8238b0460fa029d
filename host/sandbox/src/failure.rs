//! From wasmtime's errors to [`CallError`]: the one place that decides what a broken call is called.

use crate::error::CallError;
use crate::limits;
use crate::memory::MemoryExceeded;
use std::time::Duration;
use wasmtime::{Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

/// Ends a busy guest at its deadline. It travels through wasmtime and comes out in [`call_error`].
#[derive(Debug, thiserror::Error)]
#[error("the deadline has passed")]
pub(crate) struct DeadlinePassed;

/// The text with which wasmtime refuses to copy more than `set_hostcall_fuel` allows. Its type is private; the tests of
/// this crate fail when the text changes.
const COPY_LIMIT: &str = "fuel allocated for hostcalls has been exhausted";

/// Names what ended a call.
pub(crate) fn call_error(
    error: &wasmtime::Error,
    timeout: Duration,
    max_result_bytes: u64,
    error_tail: &str,
) -> CallError {
    let backtrace = error.downcast_ref::<WasmBacktrace>().map(ToString::to_string);
    if error.is::<DeadlinePassed>() {
        return CallError::Timeout {
            timeout,
            backtrace: backtrace.map(|text| cut(text, limits::MAX_CAUSE_CHARS)),
        };
    }
    if let Some(exceeded) = error.downcast_ref::<MemoryExceeded>() {
        let MemoryExceeded { wanted_bytes, limit_bytes } = *exceeded;
        return CallError::OutOfMemory { wanted_bytes, limit_bytes };
    }
    // While the result is copied no guest code runs; a guest that hands too much to `log` has a backtrace.
    let root = error.root_cause().to_string();
    if backtrace.is_none() && root.contains(COPY_LIMIT) {
        return CallError::ResultTooLarge { limit_bytes: max_result_bytes };
    }
    let what = match error.downcast_ref::<I32Exit>() {
        Some(I32Exit(status)) => format!("the module called exit({status})"),
        None => root,
    };
    if backtrace.is_none() && !error.is::<Trap>() && !error.is::<I32Exit>() {
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
    CallError::Trap { message: cut(message, limits::MAX_CAUSE_CHARS) }
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

//! The priority of a thread: where the system knows none, nothing happens.

/// Lowers the priority of the calling thread, so that slow steps get what the rest of the server leaves.
#[cfg(target_os = "linux")]
pub(super) fn lower() {
    use crate::limits;
    use rustix::process::{getpriority_process, setpriority_process};
    // On Linux the id of a thread stands for that thread alone.
    let thread = rustix::thread::gettid();
    let nice = getpriority_process(Some(thread)).unwrap_or_default();
    // A thread that keeps its priority is no error.
    let _ = setpriority_process(Some(thread), nice + limits::SLOW_NICE);
}

/// Only Linux has a priority for each thread.
#[cfg(not(target_os = "linux"))]
pub(super) fn lower() {}

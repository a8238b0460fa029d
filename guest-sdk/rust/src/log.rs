//! Lines for the execution's log: interface `log` of `wit/task.wit`.
//!
//! The macros format like `println!`. The host keeps a bounded amount per call and drops the rest. A native build
//! writes to standard error. Keep secrets out: whoever may read the execution's log reads these lines.
//!
//! ```
//! use stepwell::log;
//! log::info!("charging {} cents", 1999);
//! ```

/// How important a line is, from the least to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Every step.
    Trace,
    /// For whoever debugs the module.
    Debug,
    /// What happened.
    Info,
    /// Something to look at.
    Warn,
    /// Something that failed.
    Error,
}

/// Writes one message.
pub fn write(level: Level, message: &str) {
    #[cfg(target_arch = "wasm32")]
    crate::bindings::stepwell::task::log::write(level.into(), message);
    #[cfg(not(target_arch = "wasm32"))]
    eprintln!("{level:?}: {message}");
}

#[doc(hidden)]
#[macro_export]
macro_rules! __log_trace {
    ($($arg:tt)*) => { $crate::log::write($crate::log::Level::Trace, &::std::format!($($arg)*)) };
}
#[doc(hidden)]
#[macro_export]
macro_rules! __log_debug {
    ($($arg:tt)*) => { $crate::log::write($crate::log::Level::Debug, &::std::format!($($arg)*)) };
}
#[doc(hidden)]
#[macro_export]
macro_rules! __log_info {
    ($($arg:tt)*) => { $crate::log::write($crate::log::Level::Info, &::std::format!($($arg)*)) };
}
#[doc(hidden)]
#[macro_export]
macro_rules! __log_warn {
    ($($arg:tt)*) => { $crate::log::write($crate::log::Level::Warn, &::std::format!($($arg)*)) };
}
#[doc(hidden)]
#[macro_export]
macro_rules! __log_error {
    ($($arg:tt)*) => { $crate::log::write($crate::log::Level::Error, &::std::format!($($arg)*)) };
}

/// Writes a formatted message at level `debug`.
pub use __log_debug as debug;
/// Writes a formatted message at level `error`.
pub use __log_error as error;
/// Writes a formatted message at level `info`.
pub use __log_info as info;
/// Writes a formatted message at level `trace`.
pub use __log_trace as trace;
/// Writes a formatted message at level `warn`.
pub use __log_warn as warn;

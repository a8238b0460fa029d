//! Writes Stepwell task modules in Rust: one function, serde types in and out.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use stepwell::TaskError;
//!
//! #[derive(Deserialize)]
//! struct Order {
//!     amount: u32,
//! }
//!
//! #[derive(Serialize)]
//! struct Receipt {
//!     charged: u32,
//! }
//!
//! #[stepwell::task]
//! fn charge(order: Order) -> Result<Receipt, TaskError> {
//!     if order.amount == 0 {
//!         return Err(TaskError::new("NothingToCharge", "the amount is zero"));
//!     }
//!     Ok(Receipt { charged: order.amount })
//! }
//! # fn main() {}
//! ```
//!
//! The function stays an ordinary one: `cargo test` calls it natively, where [`context()`], [`log`] and
//! [`heartbeat()`] have harmless stand-ins. Built for `wasm32-wasip2`, the crate exports world `task` of
//! `wit/task.wit`. It must never need anything from a module's author but `serde` and this crate.

// Public only because the attribute's code names it from the user's crate.
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod bindings;
mod context;
mod entry;
mod heartbeat;
pub mod log;
mod task_error;

pub use context::{TaskContext, context, remaining};
pub use heartbeat::heartbeat;
pub use stepwell_macros::task;
pub use task_error::TaskError;

/// What the code written by `#[stepwell::task]` calls. Not for people: it changes without notice.
#[doc(hidden)]
pub mod __export {
    #[cfg(target_arch = "wasm32")]
    pub use crate::bindings::export;
    #[cfg(target_arch = "wasm32")]
    pub use crate::bindings::exports::stepwell::task::handler::{Guest, TaskError as WireError};
    pub use crate::entry::run;
    pub use serde::de::IgnoredAny as AnyInput;
}

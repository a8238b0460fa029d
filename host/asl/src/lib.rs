//! The Amazon States Language (<https://states-language.net>), pure.
//!
//! A definition is parsed once into a [`StateMachine`]; [`step()`] then moves an [`Execution`] by one
//! [`Event`] and says what became history and what has to be done. This crate must never read a clock,
//! draw unseeded randomness, do IO, spawn, or know a storage or network type: its `clippy.toml` bans them.

mod assign;
mod context_object;
mod data_flow;
mod definition;
mod event;
mod execution;
mod history;
mod history_json;
mod inspection;
mod intrinsic;
mod json_size;
pub mod jsonata;
pub mod jsonpath;
pub mod limits;
mod payload;
mod payload_template;
mod query_path;
mod reference_path;
mod replay;
mod retry;
mod states;
mod states_error;
mod step;
mod task_token;
pub mod test_state;
mod timestamp;

pub use definition::{Diagnostic, DiagnosticCode, Severity, StateMachine};
pub use event::{Event, EventKind};
pub use execution::{
    Activity, Branch, BranchId, Changed, Command, Doer, Execution, ExecutionContext, Join, PendingTask,
    Progress, Redrive, Remains, Rest, Starter, Status, TaskWork, TestCase, Variables, Work, WorkId,
};
pub use history::{HistoryDetails, HistoryEvent, Request, StateType, TaskScheduled};
pub use json_size::json_bytes;
pub use limits::Quotas;
pub use replay::{Diverged, Recorded, replay};
pub use states::{Pattern, Resource};
pub use states_error::StatesError;
pub use step::{Transition, step};
pub use task_token::{TaskToken, TokenKey};
pub use timestamp::Timestamp;

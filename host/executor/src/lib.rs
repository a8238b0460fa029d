//! Drives executions: shards with one writer each, durable timers, tasks, recovery.
//!
//! The one way data flows: a message reaches the shard that owns the execution; `step` moves the execution; one
//! commit makes everything of the turn durable; only then is anyone answered and new work begun. Where a machine uses
//! JSONata, `step` runs on threads of its own and its result comes back as a message; all else is the same.
//! This crate must never know wasmtime, axum or the AWS wire format: tasks run through
//! [`Integration`], expressions through [`Expressions`].

mod activities;
mod alarm;
mod allotment;
mod answers;
mod clock;
mod deletions;
mod endings;
mod error;
mod executor;
mod express;
mod expressions;
mod ids;
mod integration;
mod lane;
pub mod limits;
mod load;
mod machines;
mod map_run;
mod observer;
mod quiescence;
mod request;
mod retention;
mod revive;
mod shard;
mod skipper;
mod stall;
mod virtual_clock;

pub use activities::HandedTask;
pub use allotment::{Allotment, Exhausted, Lot};
pub use answers::TaskAnswer;
pub use clock::{Clock, SystemClock};
pub use error::{
    AnswerError, ExecutorError, PollError, RedriveError, SkipError, StartError, StopError, WaitError,
};
pub use executor::{Executor, ExecutorConfig};
pub use express::{ExpressBounds, ExpressEnd};
pub use expressions::{Expressions, NoExpressions};
pub use integration::{Integration, TaskOutcome, TaskRequest};
pub use load::Load;
pub use map_run::{
    Item, ItemSource, ItemSources, NoItemSources, NoResultSinks, Read, ReadRequest, ResultKind, ResultRecord,
    ResultSink, ResultSinks, SourceError, WriteRequest, Written,
};
pub use observer::{NoObserver, Observed, Observer, Tally};
pub use request::{StartRequest, Started};
pub use virtual_clock::{AdvanceError, Skipping, VirtualClock};

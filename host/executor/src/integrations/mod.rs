//! Integrations that are the executor's own: the meaning of a `Resource`, without the machinery behind it.

mod lambda;

pub use lambda::{FunctionCall, FunctionError, FunctionReply, Functions, Lambda, log_tail};

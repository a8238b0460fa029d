//! The generated bindings of world `task`, and the conversions between them and this crate's own words.
//!
//! Nothing outside this file and the `#[task]` attribute may name a generated type: they follow `wit/task.wit`, this
//! crate's API follows Rust.

#![allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic, reason = "generated code")]

use crate::log::Level;

wit_bindgen::generate!({
    path: "../../wit",
    world: "task",
    pub_export_macro: true,
});

impl From<crate::TaskError> for exports::stepwell::task::handler::TaskError {
    fn from(error: crate::TaskError) -> Self {
        Self { error: error.error, cause: error.cause }
    }
}

impl From<stepwell::task::context::TaskContext> for crate::TaskContext {
    fn from(context: stepwell::task::context::TaskContext) -> Self {
        Self {
            execution_arn: context.execution_arn,
            state_name: context.state_name,
            attempt: context.attempt,
            idempotency_key: context.idempotency_key,
            task_token: context.task_token,
        }
    }
}

impl From<Level> for stepwell::task::log::Level {
    fn from(level: Level) -> Self {
        match level {
            Level::Trace => Self::Trace,
            Level::Debug => Self::Debug,
            Level::Info => Self::Info,
            Level::Warn => Self::Warn,
            Level::Error => Self::Error,
        }
    }
}

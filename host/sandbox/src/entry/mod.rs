//! How a module is called: one file for each kind.
//!
//! An entry turns the task's input into what its kind of module expects, and what comes back into a result or a named error.
//! It must never bound anything itself: the call's store does.

mod command;
mod http;
mod task;

use crate::bindings::TaskPre;
use crate::call::CallContext;
use crate::error::CallError;
use crate::inspect::ModuleKind;
use crate::state::CallState;
use wasmtime::component::InstancePre;
use wasmtime::{Engine, Store};
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi_http::p2::bindings::ProxyPre;

/// A module with its imports linked and its entry found.
pub(crate) enum Entry {
    Task(TaskPre<CallState>),
    Command(CommandPre<CallState>),
    Http(ProxyPre<CallState>),
}

/// What came of a call that wasmtime carried out: the result's text, or the module's own failure.
pub(crate) type Outcome = Result<String, CallError>;

impl Entry {
    /// Finds the entry of a kind.
    pub(crate) fn new(kind: ModuleKind, instance: InstancePre<CallState>) -> wasmtime::Result<Self> {
        match kind {
            ModuleKind::Component => TaskPre::new(instance).map(Self::Task),
            ModuleKind::Command => CommandPre::new(instance).map(Self::Command),
            ModuleKind::Http => ProxyPre::new(instance).map(Self::Http),
        }
    }

    /// Returns the kind.
    pub(crate) fn kind(&self) -> ModuleKind {
        match self {
            Self::Task(_) => ModuleKind::Component,
            Self::Command(_) => ModuleKind::Command,
            Self::Http(_) => ModuleKind::Http,
        }
    }

    /// Returns the engine that the module was loaded into.
    pub(crate) fn engine(&self) -> &Engine {
        match self {
            Self::Task(task) => task.engine(),
            Self::Command(command) => command.engine(),
            Self::Http(proxy) => proxy.engine(),
        }
    }

    /// Makes a fresh instance and calls it.
    ///
    /// # Errors
    /// What wasmtime or one of the call's bounds ended it with; `failure.rs` names it.
    pub(crate) async fn call(
        &self,
        store: &mut Store<CallState>,
        input: String,
    ) -> wasmtime::Result<Outcome> {
        match self {
            Self::Task(task) => task::call(task, store, &input).await,
            Self::Command(command) => command::call(command, store).await,
            Self::Http(proxy) => http::call(proxy, store, input).await,
        }
    }
}

/// Marks what comes out of the module's own function: whatever it is, the module caused it. A result outside of its memory, say,
/// is found by wasmtime after the module has returned, and looks like an error of the host. `failure.rs` tells them apart by this.
#[derive(Debug, thiserror::Error)]
#[error("the module broke a rule of its interface")]
pub(crate) struct FromModule;

/// Puts the mark on an error.
fn from_module(error: wasmtime::Error) -> wasmtime::Error {
    error.context(FromModule)
}

/// Takes what a program or a web server wrote as the result: text without the blanks around it; nothing is `null`.
fn result(written: Vec<u8>) -> Outcome {
    let invalid = |error: std::string::FromUtf8Error| CallError::InvalidResult { reason: error.to_string() };
    let mut text = String::from_utf8(written).map_err(invalid)?;
    text.truncate(text.trim_ascii_end().len());
    Ok(if text.is_empty() { "null".to_owned() } else { text })
}

/// Reads the way in which programs and web servers name an error: a JSON object with `error` and perhaps `cause`.
fn named_error(text: &[u8]) -> Option<CallError> {
    let value: serde_json::Value = serde_json::from_slice(text).ok()?;
    let error = value.get("error")?.as_str().filter(|error| !error.is_empty())?;
    let cause = value.get("cause").and_then(serde_json::Value::as_str).unwrap_or_default();
    Some(crate::failure::task_error(error.to_owned(), cause.to_owned()))
}

/// What a program learns of its call through variables, and a web server through headers.
fn context_entries(context: &CallContext) -> [(&'static str, Option<String>); 5] {
    [
        ("EXECUTION_ARN", Some(context.execution_arn.clone())),
        ("STATE_NAME", Some(context.state_name.clone())),
        ("ATTEMPT", Some(context.attempt.to_string())),
        ("IDEMPOTENCY_KEY", Some(context.idempotency_key.clone())),
        ("TASK_TOKEN", context.task_token.clone()),
    ]
}

/// Returns the environment of a program: `STEPWELL_EXECUTION_ARN` and so on.
pub(crate) fn context_variables(context: &CallContext) -> Vec<(String, String)> {
    context_entries(context)
        .into_iter()
        .filter_map(|(name, value)| Some((format!("STEPWELL_{name}"), value?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_named_by_an_object_with_error() {
        let named = named_error(br#"{"error":"CardDeclined","cause":"no money"}"#);
        assert_eq!(named, Some(CallError::Task { error: "CardDeclined".into(), cause: "no money".into() }));
        assert!(named_error(br#"{"error":"A"}"#).is_some());
        for other in [&b"{}"[..], b"", b"oops", br#"{"error":1}"#, br#"{"error":""}"#, b"\xff"] {
            assert_eq!(named_error(other), None);
        }
    }

    #[test]
    fn a_program_learns_its_context() {
        let context = CallContext { attempt: 2, state_name: "Charge".into(), ..CallContext::default() };
        let variables = context_variables(&context);
        assert_eq!(variables.len(), 4, "no token, no variable");
        assert!(variables.contains(&("STEPWELL_ATTEMPT".into(), "2".into())));
    }
}

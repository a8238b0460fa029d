//! Parallel and Map states under way: how many branches run, and which come next.
//!
//! Stored with checkpoints: fields may be added with a serde default, none may change its meaning. It must stay
//! small whatever the number of items is: it is rewritten whenever a branch ends.

use super::Redrive;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// A Parallel or Map state under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Join {
    /// Id of its Started event. Every attempt has another one.
    pub started_event_id: u64,
    /// How many branches or items there are.
    pub total: u64,
    /// How many may run at a time.
    pub concurrency: u64,
    /// Index of the next item to begin.
    pub next: u64,
    /// How many run.
    pub running: u64,
    /// What its items were made with, where a redrive has changed that since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) begun: Option<Begun>,
    /// What a Map state's iterations are made from. Follows from the state's input: not stored, made again
    /// when it is missing.
    #[serde(skip)]
    pub(crate) items: Derived<Items>,
}

/// What making the items of a Map state reads beside the state's input and its entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Begun {
    /// Retries of the state until then.
    pub(crate) retries: u64,
    /// The last redrive until then.
    pub(crate) redrive: Option<Redrive>,
}

/// The items of a Map state with the input that ItemSelector reads.
#[derive(Clone, Debug, Default)]
pub(crate) struct Items {
    pub(crate) effective_input: Value,
    pub(crate) items: Vec<Value>,
}

/// Something that follows from the rest of the execution and is kept only to save time: two executions that
/// differ in it alone are equal.
#[derive(Clone, Debug)]
pub(crate) struct Derived<T>(pub(crate) Option<Arc<T>>);

impl<T> Default for Derived<T> {
    fn default() -> Derived<T> {
        Derived(None)
    }
}

impl<T> PartialEq for Derived<T> {
    fn eq(&self, _: &Derived<T>) -> bool {
        true
    }
}

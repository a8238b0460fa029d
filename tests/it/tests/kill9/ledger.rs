//! What the server has answered so far, on the test's side of the kill.
//!
//! Each new answer is compared with all earlier ones about the same execution: an answer may add, it must never take
//! back.

use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use stepwell_it::extends;

/// All answers. Shared by the threads of a round.
#[derive(Default)]
pub(crate) struct Ledger {
    entries: Mutex<BTreeMap<usize, Entry>>,
}

/// The answers about one execution.
#[derive(Default)]
struct Entry {
    /// A start was sent; whether it was answered is another matter.
    attempted: bool,
    acknowledged: bool,
    /// The answer to the start; null if it was lost and only the name's being taken proved it.
    started: Value,
    description: Value,
    history: Vec<Value>,
    reads: usize,
    finished: bool,
}

impl Ledger {
    /// Notes that a start is being sent; returns whether one was sent before.
    pub(crate) fn attempt(&self, number: usize) -> bool {
        let mut entries = self.entries();
        let entry = entries.entry(number).or_default();
        std::mem::replace(&mut entry.attempted, true)
    }

    /// Notes the answer to a start.
    pub(crate) fn acknowledge(&self, number: usize, started: &Value) {
        let mut entries = self.entries();
        let entry = entries.entry(number).or_default();
        entry.acknowledged = true;
        entry.started = started.clone();
    }

    pub(crate) fn is_acknowledged(&self, number: usize) -> bool {
        self.entries().get(&number).is_some_and(|entry| entry.acknowledged)
    }

    /// The executions whose start was answered, with the answer.
    pub(crate) fn started(&self) -> Vec<(usize, Value)> {
        let entries = self.entries();
        let answered = entries.iter().filter(|(_, entry)| !entry.started.is_null());
        answered.map(|(number, entry)| (*number, entry.started.clone())).collect()
    }

    /// Notes what was read about an execution and compares it with what was read before.
    pub(crate) fn read(&self, number: usize, description: Value, history: Vec<Value>) {
        let mut entries = self.entries();
        let entry = entries.entry(number).or_default();
        if !entry.started.is_null() {
            for member in ["executionArn", "startDate"] {
                assert_eq!(description[member], entry.started[member], "{member} of {number}");
            }
        }
        let had_ended = !entry.description.is_null() && entry.description["status"] != "RUNNING";
        assert!(
            !had_ended || entry.description == description,
            "{number} had ended and changed: {description}"
        );
        assert!(
            extends(&history, &entry.history),
            "the history of {number} was taken back or changed:\nfirst  {}\nthen   {}",
            Value::from(entry.history.clone()),
            Value::from(history.clone())
        );
        entry.description = description;
        entry.history = history;
        entry.reads += 1;
    }

    /// [`Ledger::read`] of an execution that has ended.
    pub(crate) fn finish(&self, number: usize, description: Value, history: Vec<Value>) {
        self.read(number, description, history);
        let mut entries = self.entries();
        let entry = entries.entry(number).or_default();
        // What was read at the end says nothing about kills.
        entry.reads -= 1;
        entry.finished = true;
    }

    /// Executions that have ended.
    pub(crate) fn finished(&self) -> usize {
        self.entries().values().filter(|entry| entry.finished).count()
    }

    /// Events of all histories.
    pub(crate) fn events(&self) -> usize {
        self.entries().values().map(|entry| entry.history.len()).sum()
    }

    /// Histories that were read while the executions ran and kills could happen.
    pub(crate) fn reads(&self) -> usize {
        self.entries().values().map(|entry| entry.reads).sum()
    }

    /// A poisoned lock means that another thread has already failed the test; its panic is the one to see.
    fn entries(&self) -> MutexGuard<'_, BTreeMap<usize, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! The evaluator that one step is given: it notices when the step becomes slow.
//!
//! What a step comes to never depends on it: it only makes a slow one wait.

use super::{Shared, priority};
use crate::limits;
use serde_json::Value;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use stepwell_asl::jsonata::{Evaluation, EvaluationError, Evaluator};

/// Watches one step, on the thread that takes it.
pub(super) struct Watch<'a> {
    shared: &'a Arc<Shared>,
    /// What the evaluations of the step have taken so far, in microseconds.
    spent: AtomicU64,
    /// Set once the step is slow: whether another thread has taken the place of this one.
    slow: OnceLock<bool>,
    /// Turns that the slow step has had.
    turns: AtomicU64,
}

impl<'a> Watch<'a> {
    pub(super) fn new(shared: &'a Arc<Shared>) -> Watch<'a> {
        Watch { shared, spent: AtomicU64::new(0), slow: OnceLock::new(), turns: AtomicU64::new(0) }
    }

    /// Whether the thread has to end after the step.
    pub(super) fn replaced(&self) -> bool {
        self.slow.get().copied().unwrap_or_default()
    }

    /// Gives the place among the fast threads away and waits for a permit; a step that is slow already gives its permit
    /// to one that has had fewer turns.
    fn be_slow(&self) {
        if self.slow.get().is_some() {
            let turns = self.turns.fetch_add(1, Ordering::Relaxed) + 1;
            return self.shared.slow.next_turn(turns.min(limits::SLOW_RANKS));
        }
        self.become_slow();
    }

    fn become_slow(&self) {
        self.slow.get_or_init(|| {
            let replaced = self.shared.replace_thread();
            if replaced {
                // A thread that stays must not: it could not raise its priority again.
                priority::lower();
            }
            self.shared.slow.acquire(0);
            replaced
        });
    }
}

impl Evaluator for Watch<'_> {
    fn evaluate(&self, evaluation: &Evaluation<'_>) -> Result<Option<Value>, EvaluationError> {
        // Many evaluations, none of them slow, hold a thread up as well.
        if self.spent.load(Ordering::Relaxed) > limits::FAST_STEP_MICROSECONDS {
            self.become_slow();
        }
        let begun = Instant::now();
        let value = self.shared.expressions.evaluate(evaluation, &mut || self.be_slow());
        let spent = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.spent.fetch_add(spent, Ordering::Relaxed);
        value
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if self.slow.get().is_some() {
            self.shared.slow.release();
        }
        if self.replaced() {
            self.shared.slow.leave();
        }
    }
}

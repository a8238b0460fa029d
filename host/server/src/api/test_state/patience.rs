//! An evaluator that refuses to go on when all evaluations together have taken too long: a Map state may have one for
//! each of very many items, and others wait for their turn.
//!
//! It must never end an evaluation that is under way: each has bounds of its own.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;
use stepwell_asl::jsonata::{Evaluation, EvaluationError, Evaluator};

/// An evaluator for a limited time. The first evaluation is not counted: it may wait until the evaluator is compiled.
pub(super) struct Patience<'e> {
    evaluator: &'e dyn Evaluator,
    time: Duration,
    /// Set after the first evaluation.
    began: OnceLock<Instant>,
}

impl<'e> Patience<'e> {
    /// `evaluator`, for `time`.
    pub(super) fn new(evaluator: &'e dyn Evaluator, time: Duration) -> Patience<'e> {
        Patience { evaluator, time, began: OnceLock::new() }
    }
}

impl Evaluator for Patience<'_> {
    fn evaluate(&self, evaluation: &Evaluation<'_>) -> Result<Option<Value>, EvaluationError> {
        if self.began.get().is_some_and(|began| began.elapsed() >= self.time) {
            let seconds = self.time.as_secs();
            let what = format!("All expressions of a tested state together may take {seconds} seconds.");
            return Err(EvaluationError::Exceeded(what));
        }
        let value = self.evaluator.evaluate(evaluation);
        self.began.get_or_init(Instant::now);
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stepwell_asl::Timestamp;
    use stepwell_asl::jsonata::NoEvaluator;

    #[test]
    fn nothing_is_evaluated_when_the_time_is_over() {
        let evaluation = Evaluation { expression: "1", bindings: Vec::new(), now: Timestamp(0), seed: 1 };
        let none = Patience::new(&NoEvaluator, Duration::ZERO);
        let first = none.evaluate(&evaluation);
        assert!(matches!(first, Err(EvaluationError::Thrown { .. })), "{first:?}");
        let over = none.evaluate(&evaluation);
        assert!(matches!(over, Err(EvaluationError::Exceeded(_))), "{over:?}");
    }
}

//! An evaluator that refuses to go on when all evaluations together have taken too long: a Map state may have one for
//! each of very many items, and others wait for their turn.
//!
//! It must never end an evaluation that is under way: each has bounds of its own.

use std::time::{Duration, Instant};

use serde_json::Value;
use stepwell_asl::jsonata::{Evaluation, EvaluationError, Evaluator};

/// An evaluator for a limited time.
pub(super) struct Patience<'e> {
    evaluator: &'e dyn Evaluator,
    time: Duration,
    ends: Instant,
}

impl<'e> Patience<'e> {
    /// `evaluator`, for `time` from now.
    pub(super) fn new(evaluator: &'e dyn Evaluator, time: Duration) -> Patience<'e> {
        Patience { evaluator, time, ends: Instant::now() + time }
    }
}

impl Evaluator for Patience<'_> {
    fn evaluate(&self, evaluation: &Evaluation<'_>) -> Result<Option<Value>, EvaluationError> {
        if Instant::now() >= self.ends {
            let seconds = self.time.as_secs();
            let what = format!("All expressions of a tested state together may take {seconds} seconds.");
            return Err(EvaluationError::Exceeded(what));
        }
        self.evaluator.evaluate(evaluation)
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
        let over = Patience::new(&NoEvaluator, Duration::ZERO).evaluate(&evaluation);
        assert!(matches!(over, Err(EvaluationError::Exceeded(_))), "{over:?}");
        let asked = Patience::new(&NoEvaluator, Duration::from_hours(1)).evaluate(&evaluation);
        assert!(matches!(asked, Err(EvaluationError::Thrown { .. })), "{asked:?}");
    }
}

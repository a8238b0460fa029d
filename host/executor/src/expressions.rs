//! What evaluates JSONata for executions: a trait, as [`crate::Integration`] is for tasks.
//!
//! It is called on the threads of the lane only, never on a shard's task, so it may take long. It must never take
//! for ever: every evaluation ends within bounds of its own.

use serde_json::Value;
use stepwell_asl::jsonata::{Evaluation, EvaluationError, Evaluator, NoEvaluator};

/// Evaluates JSONata expressions, and tells when one is slow.
pub trait Expressions: Send + Sync {
    /// The value of an expression; `None` is JSONata's undefined. A function of what it is given, as
    /// [`Evaluator::evaluate`] is.
    ///
    /// An evaluation that takes longer than a few milliseconds calls `on_slow`, on the thread that evaluates, while it
    /// is under way, and again each time that it has taken as long. That call may block for long; afterwards the
    /// evaluation goes on.
    fn evaluate(
        &self,
        evaluation: &Evaluation<'_>,
        on_slow: &mut dyn FnMut(),
    ) -> Result<Option<Value>, EvaluationError>;
}

/// Evaluates nothing: for a host, or a test, without JSONata.
#[derive(Clone, Copy, Debug)]
pub struct NoExpressions;

impl Expressions for NoExpressions {
    fn evaluate(
        &self,
        evaluation: &Evaluation<'_>,
        _: &mut dyn FnMut(),
    ) -> Result<Option<Value>, EvaluationError> {
        NoEvaluator.evaluate(evaluation)
    }
}

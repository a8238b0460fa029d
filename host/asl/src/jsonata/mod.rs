//! JSONata as the Amazon States Language uses it (specification, "Using JSONata").

mod evaluator;

pub use evaluator::{Evaluation, EvaluationError, Evaluator, NoEvaluator};

//! What evaluates JSONata for `step`: a trait, so that this crate stays free of any engine.
//!
//! An evaluator must be a function of what it is given: no clock, no randomness, no memory of earlier calls. Every call
//! ends, within bounds of its own, whatever the expression is.

use super::wording;
use crate::timestamp::Timestamp;
use serde_json::Value;
use std::fmt;

/// Evaluates JSONata expressions.
pub trait Evaluator: Send + Sync {
    /// The value of an expression; `None` is JSONata's undefined.
    fn evaluate(&self, evaluation: &Evaluation<'_>) -> Result<Option<Value>, EvaluationError>;
}

/// One call of an evaluator.
#[derive(Clone, Debug)]
pub struct Evaluation<'a> {
    /// The expression, without the signs around it.
    pub expression: &'a str,
    /// What variables hold, by name without `$`, as JSON text.
    pub bindings: Vec<(&'a str, String)>,
    /// What `$now` and `$millis` tell.
    pub now: Timestamp,
    /// What `$random` and `$uuid` are made from.
    pub seed: u64,
}

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EvaluationError {
    /// It cannot be parsed, or threw.
    Thrown {
        /// JSONata's code: `T1006`.
        code: Option<String>,
        /// The message, without the code.
        message: String,
    },
    /// Its value is a function or a regular expression, or holds one: JSON has no such thing.
    Unsupported,
    /// It went beyond what one evaluation may use; the sentence says of what.
    Exceeded(String),
}

impl EvaluationError {
    /// The same in the words of JSONata's reference implementation, which Step Functions shows.
    pub(super) fn in_reference_words(self) -> EvaluationError {
        match self {
            EvaluationError::Thrown { code: Some(code), message } => {
                let message = wording::thrown(&code, &message);
                EvaluationError::Thrown { code: Some(code), message }
            }
            other @ (EvaluationError::Thrown { code: None, .. }
            | EvaluationError::Unsupported
            | EvaluationError::Exceeded(_)) => other,
        }
    }
}

impl fmt::Display for EvaluationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EvaluationError::Thrown { code: Some(code), message } => write!(f, "{code}: {message}"),
            EvaluationError::Thrown { code: None, message } => f.write_str(message),
            EvaluationError::Unsupported => f.write_str("The value is a function, which JSON cannot hold."),
            EvaluationError::Exceeded(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for EvaluationError {}

/// Evaluates nothing: for a host, or a test, without JSONata.
#[derive(Clone, Copy, Debug)]
pub struct NoEvaluator;

impl Evaluator for NoEvaluator {
    fn evaluate(&self, _: &Evaluation<'_>) -> Result<Option<Value>, EvaluationError> {
        let message = "No evaluator of JSONata is at hand.".to_owned();
        Err(EvaluationError::Thrown { code: None, message })
    }
}

//! What one evaluation is given.

use crate::bindings::{Binding, Request};
use crate::limits;
use stepwell_asl::jsonata::Evaluation;

/// One evaluation, with what only tests need beside what Step Functions offers.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// The expression and its surroundings.
    pub evaluation: &'a Evaluation<'a>,
    /// What `$` and paths begin from, as JSON text; `None` is undefined, as in Step Functions.
    pub input: Option<String>,
    /// Whether `$eval` works. Step Functions has none.
    pub allow_eval: bool,
}

impl<'a> Call<'a> {
    /// An evaluation as Step Functions does it.
    pub fn new(evaluation: &'a Evaluation<'a>) -> Self {
        Self { evaluation, input: None, allow_eval: false }
    }

    /// What the guest is asked.
    pub(crate) fn request<'b>(&'b self, bindings: &'b [Binding<'b>]) -> Request<'b> {
        Request {
            expression: self.evaluation.expression,
            input: self.input.as_deref(),
            bindings,
            now_ms: self.evaluation.now.0,
            seed: self.evaluation.seed,
            allow_eval: self.allow_eval,
            max_depth: limits::MAX_EVALUATION_DEPTH,
            max_answer_bytes: limits::MAX_ANSWER_BYTES,
            max_answer_depth: limits::MAX_ANSWER_DEPTH,
        }
    }

    /// The variables as the guest takes them.
    pub(crate) fn bindings(&self) -> Vec<Binding<'_>> {
        self.evaluation.bindings.iter().map(|(name, json)| Binding { name, json }).collect()
    }
}

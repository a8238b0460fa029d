//! How a state that has a result is left: Assign reads the result, ResultSelector and ResultPath make the output of
//! it, OutputPath selects, Next says where to go; in JSONata Output makes the output (specification, "Input and Output Processing", "Variables").

use super::{Exit, Next};
use crate::assign::Assign;
use crate::context_object::ContextObject;
use crate::data_flow::{Paths, ResultFlow};
use crate::inspection::Stage;
use crate::jsonata::States;
use crate::states_error::StatesError;
use serde_json::Value;

/// What Task, Pass, Parallel and Map states have in common.
#[derive(Clone, Debug)]
pub(super) struct Completion {
    pub(super) paths: Paths,
    pub(super) flow: ResultFlow,
    pub(super) assign: Assign,
    pub(super) next: Next,
    /// Whether expressions can read the result: that of a Pass state is none.
    pub(super) has_result: bool,
}

impl Completion {
    /// The exit with `result`.
    pub(super) fn exit(
        &self,
        raw: &Value,
        result: Value,
        context: &ContextObject<'_>,
    ) -> Result<Exit, StatesError> {
        context.inspect(Stage::Result, &result);
        let states = States { input: raw, result: self.has_result.then_some(&result), error_output: None };
        let assigned = self.assign.evaluate(&result, &states, context)?;
        let output = match self.paths.made(&states, context)? {
            Some(output) => output,
            None => self.paths.output(self.flow.merge(raw, result, context)?, context)?,
        };
        Ok(Exit { output, assigned, next: self.next.clone() })
    }
}

//! Evaluates expressions of a state: hands the evaluator what they read of `$states` and of the variables, and puts
//! what goes wrong into the words of Step Functions (recorded; API reference, section 13).

use super::expression::Expression;
use super::projection::project;
use super::uses::Part;
use super::{Evaluation, EvaluationError};
use crate::context_object::ContextObject;
use crate::json_size::{is_deeper, json_text};
use crate::limits;
use crate::states_error::StatesError;
use serde_json::Value;

/// What `$states` holds beside the context object (specification, "Reserved variable : $states").
#[derive(Clone, Copy, Debug)]
pub(crate) struct States<'v> {
    /// The state's raw input.
    pub(crate) input: &'v Value,
    /// The result of a Task, Parallel or Map state.
    pub(crate) result: Option<&'v Value>,
    /// What a Catcher is given.
    pub(crate) error_output: Option<&'v Value>,
}

/// The variable that holds a state's input, result and context.
pub(crate) const STATES: &str = "states";

impl<'v> States<'v> {
    /// Where there is nothing but the input yet.
    pub(crate) fn of_input(input: &'v Value) -> States<'v> {
        States { input, result: None, error_output: None }
    }

    fn members(&self) -> [(&'static str, Option<&'v Value>); 3] {
        [("input", Some(self.input)), ("result", self.result), ("errorOutput", self.error_output)]
    }

    /// `$states` as JSON text, as far as it is read.
    fn text(&self, part: &Part, context: &ContextObject<'_>) -> String {
        let mut text = String::from("{");
        let begin = |name: &str, text: &mut String| {
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(&json_text(&Value::from(name)));
            text.push(':');
        };
        for (name, value) in self.members() {
            if let (Some(value), Some(part)) = (value, part.member(name)) {
                begin(name, &mut text);
                project(value, part, &[], &mut text);
            }
        }
        if let Some(part) = part.member("context") {
            begin("context", &mut text);
            let (small, large) = context.parts();
            project(small, part, &large, &mut text);
        }
        text.push('}');
        text
    }
}

impl Expression {
    /// The value; `field` is the place of the expression in its state: `Output/total`.
    pub(crate) fn evaluate(
        &self,
        field: &str,
        states: &States<'_>,
        context: &ContextObject<'_>,
    ) -> Result<Value, StatesError> {
        let value = match self.plain_value(states, context) {
            Some(value) => value.clone(),
            None => self.ask(field, states, context)?,
        };
        if is_deeper(&value, limits::OUTPUT_DEPTH) {
            let most = limits::OUTPUT_DEPTH;
            return Err(self.failure(field, &format!("made a value that is nested more than {most} deep.")));
        }
        context.count_copied(&value)?;
        Ok(value)
    }

    /// An error of this expression's value: it has the wrong type.
    pub(crate) fn unexpected(&self, field: &str, expected: &str, value: &Value) -> StatesError {
        let found = type_name(value);
        let what = "returned an unexpected result type.";
        self.failure(field, &format!("{what} Expected '{expected}', but was '{found}' for value: {value}"))
    }

    /// The value where the expression only names its way to it. It does not go through the evaluator, whose numbers
    /// are floating point: integers stay exact. `None` where the way leads through an array or to nothing.
    fn plain_value<'v>(&self, states: &States<'v>, context: &'v ContextObject<'_>) -> Option<&'v Value> {
        let (variable, mut names) = self.uses().plain()?;
        let mut value = if variable == STATES {
            let (first, rest) = names.split_first()?;
            names = rest;
            states.members().into_iter().find_map(|(name, value)| value.filter(|_| name == first))?
        } else {
            context.variable(variable)?
        };
        for name in names {
            value = value.as_object()?.get(name)?;
        }
        Some(value)
    }

    fn ask(
        &self,
        field: &str,
        states: &States<'_>,
        context: &ContextObject<'_>,
    ) -> Result<Value, StatesError> {
        let mut bindings = Vec::new();
        for (name, part) in self.uses().names() {
            if name == STATES {
                bindings.push((name, states.text(part, context)));
            } else if let Some(value) = context.variable(name) {
                let mut text = String::new();
                project(value, part, &[], &mut text);
                bindings.push((name, text));
            }
        }
        let evaluation = Evaluation {
            expression: self.as_str(),
            bindings,
            now: context.now(),
            seed: context.random().u64(..),
        };
        match context.evaluator().evaluate(&evaluation) {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Err(self.failure(field, "returned nothing (undefined).")),
            Err(EvaluationError::Unsupported) => {
                Err(self.failure(field, "returned an unsupported result type."))
            }
            Err(error @ (EvaluationError::Thrown { .. } | EvaluationError::Exceeded(_))) => {
                let error = error.in_reference_words();
                Err(self.failure(field, &format!("threw an error during evaluation. {error}")))
            }
        }
    }

    fn failure(&self, field: &str, what: &str) -> StatesError {
        let expression = self.as_str();
        let cause = format!("The JSONata expression '{expression}' specified for the field '{field}' {what}");
        StatesError::query_evaluation(cause, field)
    }
}

/// JSON's name of a value's type, as messages give it.
fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

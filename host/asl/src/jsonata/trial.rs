//! An expression on its own, for editors: what is wrong with it, what it reads, and what it gives for given values.

use super::expression::{Expression, SyntaxError};
use super::fields::{Scope, misuse};
use super::projection::project;
use super::query::STATES;
use super::{Evaluation, EvaluationError, Evaluator};
use crate::limits;
use crate::timestamp::Timestamp;
use serde_json::{Map, Value};

/// An expression that can be parsed, and that Step Functions would take in some field.
#[derive(Clone, Debug)]
pub struct Trial(Expression);

impl Trial {
    /// Parses an expression, with or without the signs `{% %}` around it.
    pub fn parse(text: &str) -> Result<Trial, SyntaxError> {
        let inside = text.trim().strip_prefix("{%").and_then(|text| text.strip_suffix("%}"));
        // A position counts from the beginning of the whole text.
        let before = inside.map_or(0, |inside| 2 + inside.chars().take_while(|c| c.is_whitespace()).count());
        let before = before + text.chars().take_while(|c| c.is_whitespace() && inside.is_some()).count();
        let expression = inside.map_or(text, str::trim);
        if Expression::work(expression) > limits::EXPRESSION_WORK {
            let message = "The expression is too long, or has too many steps of paths".to_owned();
            return Err(SyntaxError { code: None, message, position: 0 });
        }
        let expression = Expression::parse(expression).map_err(|error| {
            let position = if error.position == 0 { 0 } else { error.position + before };
            SyntaxError { position, ..error }
        })?;
        match misuse(expression.uses(), Scope::Any) {
            Some(message) => Err(SyntaxError { code: None, message, position: 0 }),
            None => Ok(Trial(expression)),
        }
    }

    /// The variables that it reads, `states` among them, without `$`.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.0.uses().variables()
    }

    /// The first name that it reads of the top level, where Step Functions has nothing; empty for `$`.
    pub fn top_level(&self) -> Option<&str> {
        self.0.uses().top_level()
    }

    /// The value where `$states` and the variables hold what is given; `None` is undefined.
    pub fn evaluate(
        &self,
        states: &Value,
        variables: &Map<String, Value>,
        (now, seed): (Timestamp, u64),
        evaluator: &dyn Evaluator,
    ) -> Result<Option<Value>, EvaluationError> {
        let mut bindings = Vec::new();
        for (name, part) in self.0.uses().names() {
            let value = if name == STATES { Some(states) } else { variables.get(name) };
            if let Some(value) = value {
                let mut text = String::new();
                project(value, part, &[], &mut text);
                bindings.push((name, text));
            }
        }
        let evaluation = Evaluation { expression: self.0.as_str(), bindings, now, seed };
        evaluator.evaluate(&evaluation).map_err(EvaluationError::in_reference_words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_the_signs() {
        for (text, position) in
            [("1 +", Some(3)), ("{% 1 2 %}", Some(6)), ("  {%1 2%}", Some(7)), ("{% 1 %}", None)]
        {
            assert_eq!(Trial::parse(text).err().map(|error| error.position), position, "{text}");
        }
    }

    #[test]
    fn what_step_functions_refuses_is_refused() {
        for text in ["$eval('1')", "($states := 1)", "$states.inputs"] {
            assert!(Trial::parse(text).is_err(), "{text}");
        }
        let trial = Trial::parse("$states.input.a + $rate + b").unwrap();
        assert_eq!(trial.variables().collect::<Vec<_>>(), ["rate", "states"]);
        assert_eq!(trial.top_level(), Some("b"));
    }
}

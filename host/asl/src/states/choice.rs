//! The Choice state (specification, "Choice State"): rules in order, then Default.

use super::comparison::Comparison;
use super::{Next, Outcome};
use crate::context_object::ContextObject;
use crate::data_flow::Paths;
use crate::definition::{Diagnostic, DiagnosticCode, Fields};
use crate::limits;
use crate::states_error::StatesError;
use serde_json::Value;

/// Goes where the first matching rule points.
#[derive(Clone, Debug)]
pub(crate) struct ChoiceState {
    paths: Paths,
    rules: Vec<(Rule, String)>,
    default: Option<String>,
}

/// A boolean expression over the state input.
#[derive(Clone, Debug)]
enum Rule {
    And(Vec<Rule>),
    Or(Vec<Rule>),
    Not(Box<Rule>),
    Test(Comparison),
}

const COMBINATORS: [&str; 3] = ["And", "Or", "Not"];

impl ChoiceState {
    pub(super) fn parse(fields: &mut Fields<'_>) -> Option<ChoiceState> {
        let paths = Paths::parse(fields);
        let default = fields.string("Default").map(str::to_owned);
        fields.require(&["Choices"]);
        let at = fields.at("Choices");
        let items = fields.items("Choices")?;
        let rules: Vec<Option<(Rule, String)>> = items
            .iter()
            .enumerate()
            .map(|(index, item)| parse_choice(item, format!("{at}[{index}]"), fields.problems()))
            .collect();
        Some(ChoiceState { paths, rules: rules.into_iter().collect::<Option<Vec<_>>>()?, default })
    }

    pub(super) fn enter(&self, raw: &Value, context: &ContextObject<'_>) -> Result<Outcome, StatesError> {
        let input = self.paths.input(raw, context)?;
        let mut next = self.default.as_ref();
        for (rule, target) in &self.rules {
            if rule.holds(&input, context)? {
                next = Some(target);
                break;
            }
        }
        let Some(next) = next else {
            let cause = "Failed to transition out of the state. The state does not point to a next state.";
            return Err(StatesError::new(StatesError::NO_CHOICE_MATCHED, cause));
        };
        let output = self.paths.output(input.into_owned(), context)?;
        Ok(Outcome::Exit { output, next: Next::State(next.clone()) })
    }
}

fn parse_choice(value: &Value, at: String, problems: &mut Vec<Diagnostic>) -> Option<(Rule, String)> {
    let mut fields = Fields::new(value, at, problems)?;
    fields.require(&["Next"]);
    let next = fields.string("Next").map(str::to_owned);
    if fields.get("Assign").is_some() {
        fields.not_supported("Assign", "Assign");
    }
    let rule = Rule::parse(&mut fields, 0);
    fields.finish();
    Some((rule?, next?))
}

impl Rule {
    fn parse(fields: &mut Fields<'_>, depth: usize) -> Option<Rule> {
        if depth > limits::CHOICE_DEPTH {
            let here = fields.here();
            let code = DiagnosticCode::SchemaValidationFailed;
            fields.problems().push(Diagnostic::error(code, "Nested too deeply", here));
            return None;
        }
        match COMBINATORS.into_iter().find(|name| fields.has(name)) {
            Some("And") => Rule::parse_all(fields, "And", depth).map(Rule::And),
            Some("Or") => Rule::parse_all(fields, "Or", depth).map(Rule::Or),
            Some(_) => {
                let at = fields.at("Not");
                let value = fields.get("Not")?;
                Rule::parse_nested(value, at, fields.problems(), depth).map(|rule| Rule::Not(Box::new(rule)))
            }
            None => Comparison::parse(fields).map(Rule::Test),
        }
    }

    fn parse_all(fields: &mut Fields<'_>, name: &'static str, depth: usize) -> Option<Vec<Rule>> {
        let at = fields.at(name);
        let items = fields.items(name)?;
        let rules: Vec<Option<Rule>> = items
            .iter()
            .enumerate()
            .map(|(index, item)| Rule::parse_nested(item, format!("{at}[{index}]"), fields.problems(), depth))
            .collect();
        rules.into_iter().collect()
    }

    fn parse_nested(value: &Value, at: String, problems: &mut Vec<Diagnostic>, depth: usize) -> Option<Rule> {
        let mut fields = Fields::new(value, at, problems)?;
        let rule = Rule::parse(&mut fields, depth + 1);
        fields.finish();
        rule
    }

    fn holds(&self, input: &Value, context: &ContextObject<'_>) -> Result<bool, StatesError> {
        match self {
            Rule::Not(rule) => Ok(!rule.holds(input, context)?),
            Rule::Test(comparison) => comparison.holds(input, context),
            Rule::And(rules) => {
                for rule in rules {
                    if !rule.holds(input, context)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Rule::Or(rules) => {
                for rule in rules {
                    if rule.holds(input, context)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }
}

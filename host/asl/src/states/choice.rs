//! The Choice state (specification, "Choice State"): rules in order, then Default.

use super::comparison::Comparison;
use super::{Exit, Next, Outcome};
use crate::assign::Assign;
use crate::context_object::ContextObject;
use crate::data_flow::Paths;
use crate::definition::{DiagnosticCode, Fields, Findings};
use crate::limits;
use crate::states_error::StatesError;
use serde_json::Value;

/// Goes where the first matching rule points.
#[derive(Clone, Debug)]
pub(crate) struct ChoiceState {
    paths: Paths,
    rules: Vec<ChoiceRule>,
    default: Option<String>,
    /// For Default alone: a rule that matches brings its own.
    assign: Assign,
}

/// A rule and where it leads.
#[derive(Clone, Debug)]
struct ChoiceRule {
    condition: Rule,
    assign: Assign,
    next: String,
}

/// A boolean expression over the state input.
#[derive(Clone, Debug)]
enum Rule {
    And(Vec<Rule>),
    Or(Vec<Rule>),
    Not(Box<Rule>),
    Test(Box<Comparison>),
}

const COMBINATORS: [&str; 3] = ["And", "Or", "Not"];

impl ChoiceState {
    pub(super) fn parse(fields: &mut Fields<'_>) -> Option<ChoiceState> {
        let paths = Paths::parse(fields);
        let default = fields.string("Default").map(str::to_owned);
        let assign = Assign::parse(fields);
        fields.require(&["Choices"]);
        let at = fields.at("Choices");
        let items = fields.items("Choices")?;
        let rules: Vec<Option<ChoiceRule>> = items
            .iter()
            .enumerate()
            .map(|(index, item)| parse_choice(item, format!("{at}[{index}]"), fields.findings()))
            .collect();
        Some(ChoiceState { paths, rules: rules.into_iter().collect::<Option<Vec<_>>>()?, default, assign })
    }

    pub(super) fn enter(&self, raw: &Value, context: &ContextObject<'_>) -> Result<Outcome, StatesError> {
        let input = self.paths.input(raw, context)?;
        let mut chosen = self.default.as_ref().map(|next| (next, &self.assign));
        for rule in &self.rules {
            if rule.condition.holds(&input, context)? {
                chosen = Some((&rule.next, &rule.assign));
                break;
            }
        }
        let Some((next, assign)) = chosen else {
            let cause = "Failed to transition out of the state. The state does not point to a next state.";
            return Err(StatesError::new(StatesError::NO_CHOICE_MATCHED, cause));
        };
        let assigned = assign.evaluate(&input, context)?;
        let output = self.paths.output(input.into_owned(), context)?;
        Ok(Outcome::Exit(Exit { output, assigned, next: Next::State(next.clone()) }))
    }
}

fn parse_choice(value: &Value, at: String, findings: &mut Findings) -> Option<ChoiceRule> {
    let mut fields = Fields::new(value, at, findings)?;
    fields.require(&["Next"]);
    let next = fields.string("Next").map(str::to_owned);
    let assign = Assign::parse(&mut fields);
    let condition = Rule::parse(&mut fields, 0);
    fields.finish();
    Some(ChoiceRule { condition: condition?, assign, next: next? })
}

impl Rule {
    fn parse(fields: &mut Fields<'_>, depth: usize) -> Option<Rule> {
        if depth > limits::CHOICE_DEPTH {
            let here = fields.here();
            fields.findings().error(DiagnosticCode::TooDeeplyNested, "Nested too deeply", || here);
            return None;
        }
        match COMBINATORS.into_iter().find(|name| fields.has(name)) {
            Some("And") => Rule::parse_all(fields, "And", depth).map(Rule::And),
            Some("Or") => Rule::parse_all(fields, "Or", depth).map(Rule::Or),
            Some(_) => {
                let at = fields.at("Not");
                let value = fields.get("Not")?;
                Rule::parse_nested(value, at, fields.findings(), depth).map(|rule| Rule::Not(Box::new(rule)))
            }
            None => Comparison::parse(fields).map(|test| Rule::Test(Box::new(test))),
        }
    }

    fn parse_all(fields: &mut Fields<'_>, name: &'static str, depth: usize) -> Option<Vec<Rule>> {
        let at = fields.at(name);
        let items = fields.items(name)?;
        let rules: Vec<Option<Rule>> = items
            .iter()
            .enumerate()
            .map(|(index, item)| Rule::parse_nested(item, format!("{at}[{index}]"), fields.findings(), depth))
            .collect();
        rules.into_iter().collect()
    }

    fn parse_nested(value: &Value, at: String, findings: &mut Findings, depth: usize) -> Option<Rule> {
        let mut fields = Fields::new(value, at, findings)?;
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

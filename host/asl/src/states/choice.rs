//! The Choice state (specification, "Choice State"): rules in order, then Default.

use super::comparison::Comparison;
use super::{Exit, Next, Outcome};
use crate::assign::Assign;
use crate::context_object::ContextObject;
use crate::data_flow::{Paths, output_template};
use crate::definition::{DiagnosticCode, Fields, Findings};
use crate::jsonata::{Expression, Scope, States, Template};
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
    /// In JSONata.
    output: Option<Template>,
    next: String,
}

/// A boolean expression over the state input.
#[derive(Clone, Debug)]
enum Rule {
    And(Vec<Rule>),
    Or(Vec<Rule>),
    Not(Box<Rule>),
    Test(Box<Comparison>),
    /// Condition, in JSONata.
    Constant(bool),
    Condition(Box<str>, Expression),
}

const COMBINATORS: [&str; 3] = ["And", "Or", "Not"];

impl ChoiceState {
    pub(super) fn parse(fields: &mut Fields<'_>) -> Option<ChoiceState> {
        let paths = Paths::parse(fields, Scope::Input);
        let default = fields.string("Default").map(str::to_owned);
        let assign = Assign::parse(fields, Scope::Input);
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
        let mut chosen = None;
        for rule in &self.rules {
            if rule.condition.holds(&input, context)? {
                chosen = Some(rule);
                break;
            }
        }
        let (next, assign) = match (chosen, &self.default) {
            (Some(rule), _) => (&rule.next, &rule.assign),
            (None, Some(next)) => (next, &self.assign),
            (None, None) => {
                let cause =
                    "Failed to transition out of the state. The state does not point to a next state.";
                return Err(StatesError::new(StatesError::NO_CHOICE_MATCHED, cause));
            }
        };
        let states = States::of_input(raw);
        let assigned = assign.evaluate(&input, &states, context)?;
        // A rule brings its own Output; the state's is for Default (recorded).
        let made = match chosen {
            Some(rule) => rule.output.as_ref().map(|output| output.evaluate(&states, context)).transpose()?,
            None => self.paths.made(&states, context)?,
        };
        let output = match made {
            Some(output) => output,
            None => self.paths.output(input.into_owned(), context)?,
        };
        Ok(Outcome::Exit(Exit { output, assigned, next: Next::State(next.clone()) }))
    }
}

fn parse_choice(value: &Value, at: String, findings: &mut Findings) -> Option<ChoiceRule> {
    let mut fields = Fields::new(value, at, findings)?;
    fields.require(&["Next"]);
    let next = fields.string("Next").map(str::to_owned);
    let assign = Assign::parse(&mut fields, Scope::Input);
    let output = output_template(&mut fields, Scope::Input);
    let condition =
        if fields.is_jsonata() { Rule::parse_condition(&mut fields) } else { Rule::parse(&mut fields, 0) };
    fields.finish();
    Some(ChoiceRule { condition: condition?, assign, output, next: next? })
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

    /// Condition: a boolean, or an expression that gives one.
    fn parse_condition(fields: &mut Fields<'_>) -> Option<Rule> {
        fields.require(&["Condition"]);
        match fields.dynamic("Condition") {
            Some(expression) => expression.ok().map(|(place, expression)| Rule::Condition(place, expression)),
            None => fields.boolean("Condition").map(Rule::Constant),
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
            Rule::Constant(holds) => Ok(*holds),
            Rule::Condition(place, expression) => {
                let value = expression.evaluate(place, &States::of_input(input), context)?;
                value.as_bool().ok_or_else(|| expression.unexpected(place, "boolean", &value))
            }
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

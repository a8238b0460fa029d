//! Reads the fields of a state in JSONata: templates, and single values that may be expressions.

use super::expression::{Expression, TRIES};
use super::query::STATES;
use super::template::Template;
use super::uses::{Part, Uses};
use crate::definition::{DiagnosticCode, Fields};
use crate::limits;
use serde_json::Value;

/// Which members `$states` has in a field, beside `input` and `context` (specification, "Reserved variable").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// No others.
    Input,
    /// `result` too: Assign and Output of a Task, Parallel or Map state.
    Result,
    /// `errorOutput` too: Assign and Output of a Catcher.
    ErrorOutput,
    /// All of them: an expression that stands in no field.
    Any,
}

/// A field holds a bad expression; the problem has been reported.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reported;

/// An expression with its place in the state.
pub(crate) type Placed = (Box<str>, Expression);

impl Fields<'_> {
    /// A template.
    pub(crate) fn template(&mut self, name: &'static str, scope: Scope) -> Option<Template> {
        let value = self.get(name)?;
        let place = self.label(name);
        self.read_template(name, &place, value, scope, 0)
    }

    /// The expression in a field that may also hold a plain value; `None` where it holds no expression.
    pub(crate) fn dynamic(&mut self, name: &'static str) -> Option<Result<Placed, Reported>> {
        if !self.is_jsonata() {
            return None;
        }
        let text = self.peek(name)?.as_str()?;
        if !has_sign(text) {
            return None;
        }
        self.get(name);
        let place = self.label(name);
        let expression = self.read_expression(name, &place, text, Scope::Input);
        Some(expression.map(|expression| (place.into(), expression)).ok_or(Reported))
    }

    fn read_template(
        &mut self,
        name: &str,
        place: &str,
        value: &Value,
        scope: Scope,
        depth: usize,
    ) -> Option<Template> {
        if depth > limits::TEMPLATE_DEPTH {
            self.problem_of(DiagnosticCode::TooDeeplyNested, name, "Nested too deeply");
            return None;
        }
        match value {
            Value::String(text) if has_sign(text) => {
                let expression = self.read_expression(name, place, text, scope)?;
                Some(Template::Expression(place.into(), expression))
            }
            Value::Object(object) => {
                // All parts are read before a bad one counts: each reports its own problem.
                let parts: Vec<_> = object
                    .iter()
                    .map(|(key, value)| {
                        let place = format!("{place}/{key}");
                        Some((key.clone(), self.read_template(name, &place, value, scope, depth + 1)?))
                    })
                    .collect();
                parts.into_iter().collect::<Option<Vec<_>>>().map(Template::object)
            }
            Value::Array(items) => {
                let parts: Vec<_> = items
                    .iter()
                    .enumerate()
                    .map(|(index, value)| {
                        self.read_template(name, &format!("{place}[{index}]"), value, scope, depth + 1)
                    })
                    .collect();
                parts.into_iter().collect::<Option<Vec<_>>>().map(Template::array)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                Some(Template::Literal(value.clone()))
            }
        }
    }

    /// Whether there is work left for parsing an expression of this definition; reports it when there is no more.
    fn may_parse(&mut self, name: &str, work: u64) -> bool {
        let before = self.findings().count_work(work);
        let may = before.saturating_add(work) <= limits::EXPRESSION_WORK;
        if !may && before <= limits::EXPRESSION_WORK {
            let message = "The JSONata expressions of the definition are too long, or have too many bad ones; this one \
                           and those after it were not looked at";
            self.problem(name, message);
        }
        may
    }

    /// `name` is the field, `place` where in it the expression stands.
    fn read_expression(&mut self, name: &str, place: &str, text: &str, scope: Scope) -> Option<Expression> {
        let Some(inside) = text.strip_prefix("{%").and_then(|text| text.strip_suffix("%}")) else {
            let message =
                format!("The JSONata expression in '{place}' must begin with '{{%' and end with '%}}'");
            self.problem(name, message);
            return None;
        };
        let work = Expression::work(inside);
        if !self.may_parse(name, work) {
            return None;
        }
        let expression = match Expression::parse(inside.trim()) {
            Ok(expression) => expression,
            Err(error) => {
                self.findings().count_work(work.saturating_mul(TRIES));
                let text = shortened(inside.trim());
                let read = match error.position {
                    0 => String::new(),
                    read => format!(" after {read} characters"),
                };
                self.problem(
                    name,
                    format!("The JSONata expression '{text}' in '{place}' cannot be parsed{read}. {error}"),
                );
                return None;
            }
        };
        let uses = expression.uses();
        self.findings().refers_to_variables(uses.variables().filter(|name| *name != STATES));
        if let Some(problem) = misuse(uses, scope) {
            self.problem(name, format!("{problem} (in '{place}')"));
            return None;
        }
        if let Some(read) = uses.top_level() {
            let what = if read.is_empty() { "$".to_owned() } else { format!("'{read}'") };
            let message = format!(
                "The expression in '{place}' reads {what} of the top level, where there is nothing; the state's \
                 input is $states.input"
            );
            self.warning(DiagnosticCode::JsonataTopLevel, name, message);
        }
        Some(expression)
    }
}

/// What Step Functions does not let an expression do in a field of this scope.
pub(super) fn misuse(uses: &Uses, scope: Scope) -> Option<String> {
    if uses.calls("eval") {
        return Some("The function $eval is not supported; $parse reads JSON".to_owned());
    }
    if uses.binds(STATES) {
        return Some("The variable $states is reserved and cannot be assigned".to_owned());
    }
    let Some(Part::Members(members)) = uses.part(STATES) else { return None };
    let allowed: &[&str] = match scope {
        Scope::Input => &["input", "context"],
        Scope::Result => &["input", "context", "result"],
        Scope::ErrorOutput => &["input", "context", "errorOutput"],
        Scope::Any => &["input", "context", "result", "errorOutput"],
    };
    let unknown = members.keys().find(|member| !allowed.contains(&member.as_str()))?;
    Some(format!("$states.{unknown} is not available here; $states has: [{}]", allowed.join(", ")))
}

/// An expression as messages show it.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(limits::SHOWN_EXPRESSION_CHARACTERS) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// Whether a text is meant as an expression: well or badly closed.
fn has_sign(text: &str) -> bool {
    text.starts_with("{%") || text.ends_with("%}")
}

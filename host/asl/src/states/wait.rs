//! The Wait state (specification, "Wait State"): Seconds, SecondsPath, Timestamp, TimestampPath.

use super::{Exit, Next, Outcome};
use crate::assign::Assign;
use crate::context_object::ContextObject;
use crate::data_flow::Paths;
use crate::definition::Fields;
use crate::jsonata::{Expression, Scope, States};
use crate::limits;
use crate::query_path::QueryPath;
use crate::states_error::StatesError;
use crate::timestamp::Timestamp;
use serde_json::Value;

/// Waits, then passes its input on.
#[derive(Clone, Debug)]
pub(crate) struct WaitState {
    paths: Paths,
    until: Until,
    assign: Assign,
    next: Next,
}

#[derive(Clone, Debug)]
enum Until {
    Seconds(u64),
    SecondsPath(QueryPath),
    Timestamp(Timestamp),
    TimestampPath(QueryPath),
    SecondsOf(Box<str>, Expression),
    TimestampOf(Box<str>, Expression),
}

const FORMS: [&str; 4] = ["Seconds", "SecondsPath", "Timestamp", "TimestampPath"];
const JSONATA_FORMS: [&str; 2] = ["Seconds", "Timestamp"];

impl WaitState {
    pub(super) fn parse(fields: &mut Fields<'_>) -> Option<WaitState> {
        let paths = Paths::parse(fields, Scope::Input);
        let assign = Assign::parse(fields, Scope::Input);
        let next = Next::parse(fields);
        Some(WaitState { paths, until: Until::parse(fields)?, assign, next: next? })
    }

    pub(super) fn enter(
        &self,
        raw: &Value,
        context: &ContextObject<'_>,
        at: Timestamp,
    ) -> Result<Outcome, StatesError> {
        let input = self.paths.input(raw, context)?;
        let until = self.until.resolve(&input, context, at)?;
        if until.0.saturating_sub(at.0) > limits::WAIT_DAYS * 86_400_000 {
            return Err(StatesError::runtime("Wait state delay is too long."));
        }
        if until <= at {
            return self.exit(raw, context).map(Outcome::Exit);
        }
        Ok(Outcome::WaitUntil(until))
    }

    /// The exit when the time has come.
    pub(crate) fn exit(&self, raw: &Value, context: &ContextObject<'_>) -> Result<Exit, StatesError> {
        let input = self.paths.input(raw, context)?.into_owned();
        let states = States::of_input(raw);
        let assigned = self.assign.evaluate(&input, &states, context)?;
        let output = match self.paths.made(&states, context)? {
            Some(output) => output,
            None => self.paths.output(input, context)?,
        };
        Ok(Exit { output, assigned, next: self.next.clone() })
    }
}

impl Until {
    fn parse(fields: &mut Fields<'_>) -> Option<Until> {
        let forms: &[&str] = if fields.is_jsonata() { &JSONATA_FORMS } else { &FORMS };
        let given: Vec<&str> = forms.iter().copied().filter(|name| fields.has(name)).collect();
        let seconds = match fields.dynamic("Seconds") {
            Some(expression) => {
                expression.ok().map(|(place, expression)| Until::SecondsOf(place, expression))
            }
            None => fields.integer("Seconds", 0, limits::SECONDS).map(Until::Seconds),
        };
        let seconds_path = fields.path("SecondsPath").map(Until::SecondsPath);
        let timestamp = match fields.dynamic("Timestamp") {
            Some(expression) => {
                expression.ok().map(|(place, expression)| Until::TimestampOf(place, expression))
            }
            None => fields.timestamp("Timestamp").map(Until::Timestamp),
        };
        let timestamp_path = fields.path("TimestampPath").map(Until::TimestampPath);
        match given.as_slice() {
            [_] => seconds.or(seconds_path).or(timestamp).or(timestamp_path),
            [] => {
                fields.problem_here(format!("One of these fields is required: [{}]", forms.join(", ")));
                None
            }
            [_, second, ..] => {
                let message = format!("Only one of these fields may be given: [{}]", given.join(", "));
                fields.problem(second, message);
                None
            }
        }
    }

    fn resolve(
        &self,
        input: &Value,
        context: &ContextObject<'_>,
        at: Timestamp,
    ) -> Result<Timestamp, StatesError> {
        match self {
            Until::Seconds(seconds) => Ok(at.plus_seconds(*seconds)),
            Until::Timestamp(timestamp) => Ok(*timestamp),
            Until::SecondsOf(place, expression) => {
                let value = expression.evaluate(place, &States::of_input(input), context)?;
                // Numbers of JSONata are floating point; a part of a second counts for nothing.
                let seconds = value.as_f64().filter(|seconds| seconds.is_finite());
                let seconds = seconds.ok_or_else(|| expression.unexpected(place, "number", &value))?;
                if seconds < 0.0 {
                    let cause = format!("The {place} field has a negative value: {value}");
                    return Err(StatesError::query_evaluation(cause, place));
                }
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                // positive; a cast saturates
                let seconds = (seconds as u64).min(limits::SECONDS * 100);
                Ok(at.plus_seconds(seconds))
            }
            Until::TimestampOf(place, expression) => {
                let value = expression.evaluate(place, &States::of_input(input), context)?;
                let text = value.as_str().ok_or_else(|| expression.unexpected(place, "string", &value))?;
                Timestamp::parse(text).ok_or_else(|| {
                    let what = "cannot be parsed as an ISO-8601 extended offset date-time format string";
                    StatesError::query_evaluation(format!("The {place} field {what}: {text}"), place)
                })
            }
            Until::SecondsPath(path) => {
                let value = selected("SecondsPath", path, input, context)?;
                let fail = |what: &str| {
                    StatesError::runtime(format!(
                        "The SecondsPath parameter {what}: {} == {}",
                        path.as_str(),
                        shown(&value)
                    ))
                };
                match value.as_i64() {
                    Some(seconds) => match u64::try_from(seconds) {
                        Ok(seconds) => Ok(at.plus_seconds(seconds)),
                        Err(_) => Err(fail("references a negative value")),
                    },
                    None => Err(fail("cannot be parsed as a long value")),
                }
            }
            Until::TimestampPath(path) => {
                let value = selected("TimestampPath", path, input, context)?;
                value.as_str().and_then(Timestamp::parse).ok_or_else(|| {
                    let what = "does not reference a valid ISO-8601 extended offset date-time format string";
                    let path = path.as_str();
                    StatesError::runtime(format!(
                        "The TimestampPath parameter {what}: {path} == {}",
                        shown(&value)
                    ))
                })
            }
        }
    }
}

fn selected(
    field: &str,
    path: &QueryPath,
    input: &Value,
    context: &ContextObject<'_>,
) -> Result<Value, StatesError> {
    path.select(input, context).map(std::borrow::Cow::into_owned).map_err(|_| {
        let cause = format!("The {field} parameter does not reference an input value: {}", path.as_str());
        StatesError::runtime(cause)
    })
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

//! The Wait state (specification, "Wait State"): Seconds, SecondsPath, Timestamp, TimestampPath.

use super::{Exit, Next, Outcome};
use crate::assign::Assign;
use crate::context_object::ContextObject;
use crate::data_flow::Paths;
use crate::definition::Fields;
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
}

const FORMS: [&str; 4] = ["Seconds", "SecondsPath", "Timestamp", "TimestampPath"];

impl WaitState {
    pub(super) fn parse(fields: &mut Fields<'_>) -> Option<WaitState> {
        let paths = Paths::parse(fields);
        let assign = Assign::parse(fields);
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
        let assigned = self.assign.evaluate(&input, context)?;
        Ok(Exit { output: self.paths.output(input, context)?, assigned, next: self.next.clone() })
    }
}

impl Until {
    fn parse(fields: &mut Fields<'_>) -> Option<Until> {
        let given: Vec<&str> = FORMS.into_iter().filter(|name| fields.has(name)).collect();
        let seconds = fields.integer("Seconds", 0, limits::SECONDS).map(Until::Seconds);
        let seconds_path = fields.path("SecondsPath").map(Until::SecondsPath);
        let timestamp = fields.timestamp("Timestamp").map(Until::Timestamp);
        let timestamp_path = fields.path("TimestampPath").map(Until::TimestampPath);
        match given.as_slice() {
            [_] => seconds.or(seconds_path).or(timestamp).or(timestamp_path),
            [] => {
                fields.problem_here(format!("One of these fields is required: [{}]", FORMS.join(", ")));
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

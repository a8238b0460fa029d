//! Retry and Catch (specification, "Errors"): which error matches, and how long to back off.
//!
//! `States.Runtime` is never retried and never caught. Randomness comes from the caller's seeded generator.

use crate::assign::Assign;
use crate::context_object::ContextObject;
use crate::data_flow::{output_template, place};
use crate::definition::Fields;
use crate::jsonata::{Scope, States, Template};
use crate::limits;
use crate::reference_path::ReferencePath;
use crate::states::{Exit, Next};
use crate::states_error::StatesError;
use serde_json::{Value, json};

/// One entry of `Retry`.
#[derive(Clone, Debug)]
pub(crate) struct Retrier {
    error_equals: Vec<String>,
    interval_seconds: u64,
    max_attempts: u64,
    backoff_rate: f64,
    max_delay_seconds: Option<u64>,
    full_jitter: bool,
}

/// One entry of `Catch`. `result_path` is `None` for null.
#[derive(Clone, Debug)]
pub(crate) struct Catcher {
    error_equals: Vec<String>,
    next: String,
    /// Where the error output is put.
    result_path: Option<ReferencePath>,
    assign: Assign,
    /// In JSONata.
    output: Option<Template>,
}

impl Retrier {
    pub(crate) fn parse(value: &Value, fields: &mut Fields<'_>, at: String) -> Option<Retrier> {
        let mut fields = Fields::new(value, at, fields.findings())?;
        fields.require(&["ErrorEquals"]);
        let error_equals = error_equals(&mut fields);
        let interval_seconds = fields.integer("IntervalSeconds", 1, limits::SECONDS).unwrap_or(1);
        let max_attempts = fields.integer("MaxAttempts", 0, limits::SECONDS).unwrap_or(3);
        let backoff_rate = fields.number("BackoffRate", 1.0).unwrap_or(2.0);
        let max_delay_seconds = fields.integer("MaxDelaySeconds", 1, limits::MAX_DELAY_SECONDS);
        if max_delay_seconds.is_some_and(|delay| delay <= interval_seconds) {
            fields.problem("MaxDelaySeconds", "MaxDelaySeconds must be greater than IntervalSeconds");
        }
        let full_jitter = fields.choice("JitterStrategy", &["FULL", "NONE"]) == Some("FULL");
        fields.finish();
        Some(Retrier {
            error_equals: error_equals?,
            interval_seconds,
            max_attempts,
            backoff_rate,
            max_delay_seconds,
            full_jitter,
        })
    }

    pub(crate) fn matches(&self, error: &StatesError) -> bool {
        matches(&self.error_equals, error)
    }

    pub(crate) fn allows(&self, retries: u64) -> bool {
        retries < self.max_attempts
    }

    /// Back-off before the retry that follows `retries` earlier ones, in milliseconds:
    /// IntervalSeconds x BackoffRate^retries, capped by MaxDelaySeconds, then a random part of it with FULL jitter.
    #[allow(clippy::cast_possible_truncation)] // capped below at limits::SECONDS
    pub(crate) fn delay_milliseconds(&self, retries: u64, random: &mut fastrand::Rng) -> i64 {
        let share = if self.full_jitter { random.f64() } else { 1.0 };
        (self.longest_delay_seconds(retries) * share * 1_000.0).round() as i64
    }

    /// The same without the jitter, in seconds.
    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn longest_delay_seconds(&self, retries: u64) -> f64 {
        let exponent = i32::try_from(retries).unwrap_or(i32::MAX);
        let cap = self.max_delay_seconds.unwrap_or(limits::SECONDS) as f64;
        (self.interval_seconds as f64 * self.backoff_rate.powi(exponent)).min(cap)
    }
}

impl Catcher {
    pub(crate) fn parse(value: &Value, fields: &mut Fields<'_>, at: String) -> Option<Catcher> {
        let mut fields = Fields::new(value, at, fields.findings())?;
        fields.require(&["ErrorEquals", "Next"]);
        let error_equals = error_equals(&mut fields);
        let next = fields.string("Next");
        let result_path = fields.reference_path_or_null("ResultPath");
        let assign = Assign::parse(&mut fields, Scope::ErrorOutput);
        let output = output_template(&mut fields, Scope::ErrorOutput);
        fields.finish();
        Some(Catcher { error_equals: error_equals?, next: next?.to_owned(), result_path, assign, output })
    }

    /// The exit with the error output: it skips ResultSelector and OutputPath (recorded).
    pub(crate) fn exit(
        &self,
        raw: &Value,
        error: &StatesError,
        context: &ContextObject<'_>,
    ) -> Result<Exit, StatesError> {
        let error_output = error_output(error);
        let states = States { input: raw, result: None, error_output: Some(&error_output) };
        let assigned = self.assign.evaluate(&error_output, &states, context)?;
        let output = match &self.output {
            Some(template) => template.evaluate(&states, context)?,
            None => place(self.result_path.as_ref(), raw, error_output)?,
        };
        Ok(Exit { output, assigned, next: Next::State(self.next.clone()) })
    }

    pub(crate) fn matches(&self, error: &StatesError) -> bool {
        matches(&self.error_equals, error)
    }
}

/// Reads the list `field` (Retry or Catch) with `parse`, one entry each.
pub(crate) fn parse_list<T>(
    fields: &mut Fields<'_>,
    field: &'static str,
    parse: impl Fn(&Value, &mut Fields<'_>, String) -> Option<T>,
) -> Vec<T> {
    let at = fields.at(field);
    let Some(value) = fields.get(field) else { return Vec::new() };
    let Some(items) = value.as_array() else {
        fields.problem(field, "Expected value of type Array");
        return Vec::new();
    };
    check_all_comes_last(items, field, fields);
    let entries = items.iter().enumerate();
    entries.filter_map(|(index, item)| parse(item, fields, format!("{at}[{index}]"))).collect()
}

/// What a Catcher puts into its ResultPath (specification, "Error output").
fn error_output(error: &StatesError) -> Value {
    // Where an error has a name and no cause, that is empty; where somebody says neither, it is null (recorded).
    let cause = error.cause.as_deref().or(error.error.as_ref().map(|_| ""));
    json!({"Error": error.error, "Cause": cause})
}

fn error_equals(fields: &mut Fields<'_>) -> Option<Vec<String>> {
    let names: Option<Vec<String>> =
        fields.items("ErrorEquals")?.iter().map(|name| name.as_str().map(str::to_owned)).collect();
    match &names {
        None => fields.problem("ErrorEquals", "Expected an array of Strings"),
        Some(names) if names.len() > 1 && names.iter().any(|name| name == "States.ALL") => {
            fields.problem("ErrorEquals", "States.ALL must appear alone");
        }
        Some(_) => {}
    }
    names
}

fn check_all_comes_last(items: &[Value], field: &'static str, fields: &mut Fields<'_>) {
    let is_all = |item: &Value| {
        item["ErrorEquals"].as_array().is_some_and(|names| names.contains(&json!("States.ALL")))
    };
    if items.iter().rev().skip(1).any(is_all) {
        fields.problem(field, "States.ALL may only stand in the last entry");
    }
}

fn matches(names: &[String], error: &StatesError) -> bool {
    if error.is(StatesError::RUNTIME) {
        return false;
    }
    names.iter().any(|name| match name.as_str() {
        "States.ALL" => true,
        "States.TaskFailed" => !error.is(StatesError::TIMEOUT) && !error.is(StatesError::HEARTBEAT_TIMEOUT),
        // A missed heartbeat is a time-out as well.
        StatesError::TIMEOUT if error.is(StatesError::HEARTBEAT_TIMEOUT) => true,
        name => error.is(name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn wildcards_follow_the_specification() {
        for (pattern, error, expected) in [
            ("States.ALL", "Anything", true),
            ("States.ALL", "States.Timeout", true),
            ("States.ALL", "States.DataLimitExceeded", true), // recorded
            ("States.ALL", "States.Runtime", false),
            ("States.Runtime", "States.Runtime", false), // recorded
            ("States.TaskFailed", "Anything", true),
            ("States.TaskFailed", "States.Timeout", false),
            ("A", "A", true),
            ("A", "B", false),
        ] {
            let error = StatesError::new(error, "");
            assert_eq!(matches(&names(&[pattern]), &error), expected, "{pattern} on {error:?}");
        }
        assert!(!matches(&names(&["A"]), &StatesError::reported(None, None)));
    }

    #[test]
    fn back_off_grows_and_is_capped() {
        let retrier = Retrier {
            error_equals: Vec::new(),
            interval_seconds: 3,
            max_attempts: 9,
            backoff_rate: 1.5,
            max_delay_seconds: Some(6),
            full_jitter: false,
        };
        let mut random = fastrand::Rng::with_seed(1);
        let delays: Vec<i64> =
            (0..4).map(|retries| retrier.delay_milliseconds(retries, &mut random)).collect();
        assert_eq!(delays, [3_000, 4_500, 6_000, 6_000]);
        assert_eq!(retrier.delay_milliseconds(u64::MAX, &mut random), 6_000);
        let jittered = Retrier { full_jitter: true, ..retrier };
        let delays: Vec<i64> = (0..100).map(|_| jittered.delay_milliseconds(0, &mut random)).collect();
        assert!(delays.iter().all(|delay| (0..=3_000).contains(delay)));
        assert!(delays.iter().any(|delay| *delay != delays[0]));
    }
}

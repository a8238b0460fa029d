//! What the services' operations answer with, and whether a mocked result could be such an answer (API: MockInput,
//! `fieldValidationMode`; messages recorded).
//!
//! The tables lie in `shapes/`; `shapes/generate.py` writes them and explains their form. A service or an operation
//! that is in none of them is not checked, and neither are members that a table does not know. It must never refuse a
//! result for what only a newer model could tell.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};
use stepwell_asl::{Pattern, Resource};

/// How closely a mocked result is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Everything required is there, and everything that is there fits.
    Strict,
    /// Everything that is there fits.
    Present,
    /// Not at all.
    None,
}

macro_rules! tables {
    ($($service:literal),* $(,)?) => {
        /// The tables by the names that `aws-sdk` integrations have.
        const TABLES: &[(&str, &str)] =
            &[$(($service, include_str!(concat!("shapes/", $service, ".json")))),*];
    };
}

tables![
    "apigateway",
    "athena",
    "batch",
    "bedrock",
    "bedrockruntime",
    "cloudwatch",
    "cloudwatchlogs",
    "codebuild",
    "databrew",
    "dynamodb",
    "ecs",
    "eks",
    "emr",
    "emrcontainers",
    "emrserverless",
    "eventbridge",
    "glue",
    "http",
    "kms",
    "lambda",
    "mediaconvert",
    "s3",
    "sagemaker",
    "secretsmanager",
    "sfn",
    "sns",
    "sqs",
    "ssm",
    "sts",
];

/// Optimised integrations whose names are not those of their tables.
const OPTIMISED: [(&str, &str); 5] = [
    ("elasticmapreduce", "emr"),
    ("emr-containers", "emrcontainers"),
    ("emr-serverless", "emrserverless"),
    ("events", "eventbridge"),
    ("states", "sfn"),
];

/// The shapes of one service.
#[derive(Debug, Deserialize)]
struct Table<'t> {
    #[serde(borrow)]
    operations: BTreeMap<&'t str, &'t str>,
    #[serde(borrow)]
    shapes: BTreeMap<&'t str, Shape<'t>>,
}

/// The members that one shape has by its form: `["S", members, required]`, `["L", shape]`, `["T", bounds]`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Shape<'t> {
    Structure(&'t str, #[serde(borrow)] BTreeMap<&'t str, &'t str>, #[serde(borrow)] Vec<&'t str>),
    Nested(&'t str, &'t str),
    Bounded(&'t str, #[serde(borrow)] Bounds<'t>),
}

/// What restricts a text or a number.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bounds<'t> {
    min: Option<f64>,
    max: Option<f64>,
    #[serde(rename = "enum", borrow)]
    values: Option<Vec<&'t str>>,
}

/// The answer that a mocked result stands for.
struct Answer {
    table: &'static str,
    operation: String,
    /// Members that Step Functions gives as the JSON that the service has as text.
    parsed: &'static [&'static str],
}

/// Whether `result` could be what the resource answers with. Errors: what is wrong with it.
pub(super) fn check(resource: &Resource, result: &Value, mode: Mode) -> Result<(), String> {
    let Some(answer) = answer(resource).filter(|_| mode != Mode::None) else { return Ok(()) };
    // Every table can be read: a test reads them all.
    let Ok(table) = serde_json::from_str::<Table<'_>>(answer.table) else { return Ok(()) };
    let wanted = answer.operation.as_str();
    let found = table.operations.iter().find(|(operation, _)| operation.eq_ignore_ascii_case(wanted));
    let Some((_, shape)) = found else { return Ok(()) };
    let Some(members) = result.as_object() else {
        return Err("Mocked result must be a JSON object".to_owned());
    };
    let mut members: Map<String, Value> = members.clone();
    members.retain(|name, _| !answer.parsed.contains(&name.as_str()));
    table.check(shape, wanted, &Value::Object(members), mode)
}

/// What a resource answers with; none where that is not known, or where whoever ends the task may send anything.
fn answer(resource: &Resource) -> Option<Answer> {
    let Resource::Integration { service, action, pattern, .. } = resource else { return None };
    let table = |name: &str| TABLES.iter().find(|(table, _)| *table == name).map(|(_, text)| *text);
    match pattern {
        // The result of a job is what its state is asked for with.
        Pattern::RunAJob if service == "states" => {
            let parsed: &[&str] = if action.ends_with(".sync:2") { &["Input", "Output"] } else { &[] };
            Some(Answer { table: table("sfn")?, operation: "DescribeExecution".to_owned(), parsed })
        }
        Pattern::RunAJob | Pattern::WaitForTaskToken => None,
        Pattern::RequestResponse => {
            let of_sdk = service.strip_prefix("aws-sdk:");
            let optimised = OPTIMISED.iter().find(|(name, _)| name == service).map(|(_, table)| *table);
            let name = of_sdk.or(optimised).unwrap_or(service);
            let parsed: &[&str] = if service == "lambda" { &["Payload"] } else { &[] };
            Some(Answer { table: table(&name.to_ascii_lowercase())?, operation: action.clone(), parsed })
        }
    }
}

impl Table<'_> {
    /// As deep as the value.
    fn check(&self, shape: &str, field: &str, value: &Value, mode: Mode) -> Result<(), String> {
        let must = |fits: bool, what: &str| {
            if fits { Ok(()) } else { Err(format!("Field '{field}' must be {what}")) }
        };
        match shape {
            "$T" => return must(value.is_string(), "a string"),
            "$N" => return must(value.is_number(), "a number"),
            "$B" => return must(value.is_boolean(), "a boolean"),
            _ => {}
        }
        match self.shapes.get(shape) {
            Some(Shape::Structure("S", members, required)) => {
                let Some(given) = value.as_object() else { return must(false, "an object") };
                let is_there = |name: &str| given.get(name).is_some_and(|value| !value.is_null());
                if let Some(missing) = required.iter().find(|name| mode == Mode::Strict && !is_there(name)) {
                    return Err(format!("Required field '{missing}' is missing"));
                }
                let known =
                    given.iter().filter_map(|(name, value)| Some((name, members.get(name.as_str())?, value)));
                let mut present = known.filter(|(_, _, value)| !value.is_null());
                present.try_for_each(|(name, shape, value)| self.check(shape, name, value, mode))
            }
            Some(Shape::Nested("L", item)) => {
                let Some(items) = value.as_array() else { return must(false, "an array") };
                items.iter().try_for_each(|value| self.check(item, field, value, mode))
            }
            Some(Shape::Nested(_, of_value)) => {
                let Some(members) = value.as_object() else { return must(false, "an object") };
                members.iter().try_for_each(|(name, value)| self.check(of_value, name, value, mode))
            }
            Some(Shape::Bounded("N", bounds)) => {
                let Some(number) = value.as_f64() else { return must(false, "a number") };
                let refused =
                    bounds.refuses(number, ["is less than the minimum value", "exceeds the maximum value"]);
                refused.map_or(Ok(()), |what| Err(format!("Field '{field}' {what}")))
            }
            Some(Shape::Bounded(_, bounds)) => {
                let Some(text) = value.as_str() else { return must(false, "a string") };
                bounds.check_text(text).map_err(|what| format!("Field '{field}' {what}"))
            }
            // "$A", or nothing that a table has.
            Some(Shape::Structure(..)) | None => Ok(()),
        }
    }
}

impl Bounds<'_> {
    fn refuses(&self, number: f64, [less, more]: [&'static str; 2]) -> Option<&'static str> {
        if self.min.is_some_and(|min| number < min) {
            return Some(less);
        }
        self.max.is_some_and(|max| number > max).then_some(more)
    }

    fn check_text(&self, text: &str) -> Result<(), &'static str> {
        if self.values.as_ref().is_some_and(|values| !values.contains(&text)) {
            return Err("is not an expected value");
        }
        #[allow(clippy::cast_precision_loss)] // no text is that long
        let length = text.chars().count() as f64;
        let words = ["is smaller than the minimum length", "exceeds the maximum length"];
        self.refuses(length, words).map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests;

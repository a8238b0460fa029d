//! The Task state (specification, "Task State"): what is scheduled, and what its result becomes.
//!
//! It must never run anything: it says what to run.

use super::completion::Completion;
use super::resource::Resource;
use super::{Exit, Handlers, Next};
use crate::assign::Assign;
use crate::context_object::ContextObject;
use crate::data_flow::{Paths, ResultFlow, select};
use crate::definition::Fields;
use crate::jsonata::{Expression, Scope, States};
use crate::limits;
use crate::payload::Payload;
use crate::query_path::QueryPath;
use crate::retry::{Catcher, Retrier, parse_list};
use crate::states_error::StatesError;
use serde_json::Value;

/// Runs work and waits for its result.
#[derive(Clone, Debug)]
pub(crate) struct TaskState {
    pub(crate) resource: Resource,
    /// Place of the field, for a host that cannot run it.
    pub(crate) resource_at: String,
    timeout: Option<Seconds>,
    heartbeat: Option<Seconds>,
    credentials: Option<Payload>,
    retriers: Vec<Retrier>,
    catchers: Vec<Catcher>,
    completion: Completion,
}

/// A time limit: given, or found by a path.
#[derive(Clone, Debug)]
enum Seconds {
    Given(u64),
    Path(QueryPath),
    Jsonata(Box<str>, Expression),
}

/// A task to run, with its time limits in seconds.
#[derive(Debug)]
pub(crate) struct Scheduled {
    pub(crate) parameters: Value,
    pub(crate) timeout_seconds: Option<u64>,
    pub(crate) heartbeat_seconds: Option<u64>,
    /// `RoleArn` of `Credentials`, shown in history. Modules have no use for it.
    pub(crate) role_arn: Option<String>,
}

impl TaskState {
    pub(super) fn parse(fields: &mut Fields<'_>) -> Option<TaskState> {
        let resource = parse_resource(fields);
        let paths = Paths::parse(fields, Scope::Result);
        let flow = ResultFlow::parse(fields, true);
        let timeout = Seconds::parse(fields, "TimeoutSeconds", "TimeoutSecondsPath");
        let heartbeat = Seconds::parse(fields, "HeartbeatSeconds", "HeartbeatSecondsPath");
        if let (Some(Seconds::Given(timeout)), Some(Seconds::Given(heartbeat))) = (&timeout, &heartbeat)
            && heartbeat >= timeout
        {
            fields.problem("HeartbeatSeconds", "HeartbeatSeconds must be smaller than TimeoutSeconds");
        }
        let credentials = Payload::parse(fields, "Credentials", Scope::Input);
        let assign = Assign::parse(fields, Scope::Result);
        let retriers = parse_list(fields, "Retry", Retrier::parse);
        let catchers = parse_list(fields, "Catch", Catcher::parse);
        let next = Next::parse(fields);
        Some(TaskState {
            resource: resource?,
            resource_at: fields.at("Resource"),
            timeout,
            heartbeat,
            credentials,
            retriers,
            catchers,
            completion: Completion { paths, flow, assign, next: next?, has_result: true },
        })
    }

    /// What to run for the raw state input.
    pub(crate) fn schedule(
        &self,
        raw: &Value,
        context: &ContextObject<'_>,
    ) -> Result<Scheduled, StatesError> {
        let input = self.completion.paths.input(raw, context)?;
        let timeout_seconds = Seconds::resolve(self.timeout.as_ref(), &input, context)?;
        let heartbeat_seconds = Seconds::resolve(self.heartbeat.as_ref(), &input, context)?;
        let states = States::of_input(raw);
        let credentials = self.credentials.as_ref().map(|payload| payload.evaluate(&input, &states, context));
        let role_arn =
            credentials.transpose()?.and_then(|given| given["RoleArn"].as_str().map(str::to_owned));
        let parameters = self.completion.flow.arguments(input, context)?;
        Ok(Scheduled { parameters, timeout_seconds, heartbeat_seconds, role_arn })
    }

    /// The exit with the task's result.
    pub(crate) fn succeeded(
        &self,
        raw: &Value,
        result: Value,
        context: &ContextObject<'_>,
    ) -> Result<Exit, StatesError> {
        self.completion.exit(raw, result, context)
    }

    pub(super) fn handlers(&self) -> Handlers<'_> {
        Handlers { retriers: &self.retriers, catchers: &self.catchers }
    }
}

fn parse_resource(fields: &mut Fields<'_>) -> Option<Resource> {
    if !fields.require(&["Resource"]) {
        return None;
    }
    let text = fields.string("Resource")?;
    let resource = Resource::parse(text);
    if resource.is_none() {
        let why = "The value is not a valid resource ARN, or the resource is not available in this region.";
        fields.problem("Resource", format!("The resource provided {text} is not recognized. {why}"));
    }
    resource
}

impl Seconds {
    fn parse(fields: &mut Fields<'_>, name: &'static str, path_name: &'static str) -> Option<Seconds> {
        if let Some(expression) = fields.dynamic(name) {
            return expression.ok().map(|(place, expression)| Seconds::Jsonata(place, expression));
        }
        let given = fields.integer(name, 1, limits::SECONDS);
        let path = fields.path(path_name);
        match (given, path) {
            (Some(_), Some(_)) => {
                fields.problem(path_name, format!("Only one of '{name}' and '{path_name}' may be given"));
                None
            }
            (Some(seconds), None) => Some(Seconds::Given(seconds)),
            (None, path) => path.map(Seconds::Path),
        }
    }

    fn resolve(
        seconds: Option<&Seconds>,
        input: &Value,
        context: &ContextObject<'_>,
    ) -> Result<Option<u64>, StatesError> {
        match seconds {
            None => Ok(None),
            Some(Seconds::Given(seconds)) => Ok(Some(*seconds)),
            Some(Seconds::Jsonata(place, expression)) => {
                let value = expression.evaluate(place, &States::of_input(input), context)?;
                // Numbers of JSONata are floating point.
                let seconds = value.as_f64().filter(|number| number.fract() == 0.0 && *number >= 1.0);
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // whole and positive
                let seconds = seconds.map(|number| number as u64).filter(|number| *number <= limits::SECONDS);
                let unexpected = || expression.unexpected(place, "positive integer", &value);
                seconds.map(Some).ok_or_else(unexpected)
            }
            Some(Seconds::Path(path)) => {
                let value = select(path, input, context)?;
                let seconds = value.as_u64().filter(|seconds| (1..=limits::SECONDS).contains(seconds));
                seconds.map(Some).ok_or_else(|| {
                    let path = path.as_str();
                    StatesError::runtime(format!(
                        "Invalid path '{path}' : Expected a positive integer, but was: {value}"
                    ))
                })
            }
        }
    }
}

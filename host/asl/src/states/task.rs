//! The Task state (specification, "Task State"): what is scheduled, and what its result becomes.
//!
//! It must never run anything: it says what to run.

use super::resource::{Resource, ResourceError};
use super::{Next, Outcome};
use crate::context_object::ContextObject;
use crate::data_flow::{Paths, ResultFlow, place, select};
use crate::definition::Fields;
use crate::limits;
use crate::query_path::QueryPath;
use crate::retry::{Catcher, Retrier, error_output, parse_list};
use crate::states_error::StatesError;
use serde_json::Value;

/// Runs work and waits for its result.
#[derive(Clone, Debug)]
pub(crate) struct TaskState {
    pub(crate) resource: Resource,
    paths: Paths,
    flow: ResultFlow,
    timeout: Option<Seconds>,
    heartbeat: Option<Seconds>,
    pub(crate) retriers: Vec<Retrier>,
    catchers: Vec<Catcher>,
    next: Next,
}

/// A time limit: given, or found by a path.
#[derive(Clone, Debug)]
enum Seconds {
    Given(u64),
    Path(QueryPath),
}

/// A task to run, with its time limits in seconds.
#[derive(Debug)]
pub(crate) struct Scheduled {
    pub(crate) parameters: Value,
    pub(crate) timeout_seconds: Option<u64>,
    pub(crate) heartbeat_seconds: Option<u64>,
}

impl TaskState {
    pub(super) fn parse(fields: &mut Fields<'_>) -> Option<TaskState> {
        let resource = parse_resource(fields);
        let paths = Paths::parse(fields);
        let flow = ResultFlow::parse(fields, true);
        let timeout = Seconds::parse(fields, "TimeoutSeconds", "TimeoutSecondsPath");
        let heartbeat = Seconds::parse(fields, "HeartbeatSeconds", "HeartbeatSecondsPath");
        if let (Some(Seconds::Given(timeout)), Some(Seconds::Given(heartbeat))) = (&timeout, &heartbeat)
            && heartbeat >= timeout
        {
            fields.problem("HeartbeatSeconds", "HeartbeatSeconds must be smaller than TimeoutSeconds");
        }
        if fields.get("Credentials").is_some() {
            fields.not_supported("Credentials", "Credentials");
        }
        let retriers = parse_list(fields, "Retry", Retrier::parse);
        let catchers = parse_list(fields, "Catch", Catcher::parse);
        let next = Next::parse(fields);
        Some(TaskState {
            resource: resource?,
            paths,
            flow,
            timeout,
            heartbeat,
            retriers,
            catchers,
            next: next?,
        })
    }

    /// What to run for the raw state input.
    pub(crate) fn schedule(
        &self,
        raw: &Value,
        context: &ContextObject<'_>,
    ) -> Result<Scheduled, StatesError> {
        let input = self.paths.input(raw, context)?;
        let timeout_seconds = Seconds::resolve(self.timeout.as_ref(), &input, context)?;
        let heartbeat_seconds = Seconds::resolve(self.heartbeat.as_ref(), &input, context)?;
        let parameters = self.flow.parameters(input, context)?;
        Ok(Scheduled { parameters, timeout_seconds, heartbeat_seconds })
    }

    /// The exit with the task's result.
    pub(crate) fn succeeded(
        &self,
        raw: &Value,
        result: Value,
        context: &ContextObject<'_>,
    ) -> Result<Outcome, StatesError> {
        let output = self.paths.output(self.flow.merge(raw, result, context)?, context)?;
        Ok(Outcome::Exit { output, next: self.next.clone() })
    }

    /// The exit through the first catcher that matches; `None` when none does.
    /// A catcher's output skips ResultSelector and OutputPath (recorded).
    pub(crate) fn caught(&self, raw: &Value, error: &StatesError) -> Option<Result<Outcome, StatesError>> {
        let catcher = self.catchers.iter().find(|catcher| catcher.matches(error))?;
        let output = place(catcher.result_path.as_ref(), raw, error_output(error));
        Some(output.map(|output| Outcome::Exit { output, next: Next::State(catcher.next.clone()) }))
    }
}

fn parse_resource(fields: &mut Fields<'_>) -> Option<Resource> {
    if !fields.require(&["Resource"]) {
        return None;
    }
    let text = fields.string("Resource")?;
    match Resource::parse(text) {
        Ok(resource) => Some(resource),
        Err(ResourceError::NotSupported) => {
            fields.not_supported("Resource", &format!("The resource {text}"));
            None
        }
        Err(ResourceError::NotRecognized) => {
            let why =
                "The value is not a valid resource ARN, or the resource is not available in this region.";
            fields.problem("Resource", format!("The resource provided {text} is not recognized. {why}"));
            None
        }
    }
}

impl Seconds {
    fn parse(fields: &mut Fields<'_>, name: &'static str, path_name: &'static str) -> Option<Seconds> {
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

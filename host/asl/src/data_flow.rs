//! Input and output processing: InputPath, Parameters, ResultSelector, ResultPath, OutputPath, in that order
//! (specification, "Input and Output Processing").
//!
//! A state in JSONata has Arguments and Output instead, and no paths: they are read here as if they were `$`.
//!
//! Errors carry the bare cause; `step` adds which state was running.

use crate::context_object::ContextObject;
use crate::definition::Fields;
use crate::inspection::Stage;
use crate::jsonata::{Scope, States, Template};
use crate::payload::Payload;
use crate::payload_template::PayloadTemplate;
use crate::query_path::QueryPath;
use crate::reference_path::ReferencePath;
use crate::states_error::StatesError;
use serde_json::{Value, json};
use std::borrow::Cow;

/// InputPath and OutputPath, or Output: what every state but Fail has. `None` as a path is `null`, which gives `{}`.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    input_path: Option<QueryPath>,
    output_path: Option<QueryPath>,
    /// Output, of a state in JSONata.
    made: Option<Template>,
}

/// Parameters or Arguments, ResultSelector and ResultPath: what Task and Pass add. `None` in `result_path` is `null`.
#[derive(Clone, Debug)]
pub(crate) struct ResultFlow {
    arguments: Option<Payload>,
    result_selector: Option<PayloadTemplate>,
    result_path: Option<ReferencePath>,
}

impl Paths {
    /// Reads them; `scope` is what Output may read.
    pub(crate) fn parse(fields: &mut Fields<'_>, scope: Scope) -> Paths {
        Paths {
            input_path: fields.path_or_null("InputPath"),
            output_path: fields.path_or_null("OutputPath"),
            made: output_template(fields, scope),
        }
    }

    /// What InputPath selects of the raw input.
    pub(crate) fn input<'v>(
        &self,
        raw: &'v Value,
        context: &'v ContextObject<'_>,
    ) -> Result<Cow<'v, Value>, StatesError> {
        let input = select_or_empty(self.input_path.as_ref(), raw, context)?;
        context.inspect(Stage::InputPath, &input);
        Ok(input)
    }

    /// The value of Output; `None` where there is none.
    pub(crate) fn made(
        &self,
        states: &States<'_>,
        context: &ContextObject<'_>,
    ) -> Result<Option<Value>, StatesError> {
        self.made.as_ref().map(|template| template.evaluate(states, context)).transpose()
    }

    /// What OutputPath selects of the state's output.
    pub(crate) fn output(&self, output: Value, context: &ContextObject<'_>) -> Result<Value, StatesError> {
        if self.output_path.as_ref().is_some_and(|path| path.as_str() == "$") {
            return Ok(output);
        }
        select_or_empty(self.output_path.as_ref(), &output, context).map(Cow::into_owned)
    }
}

impl ResultFlow {
    pub(crate) fn parse(fields: &mut Fields<'_>, with_selector: bool) -> ResultFlow {
        ResultFlow {
            arguments: if with_selector { Payload::parse_arguments(fields) } else { pass_parameters(fields) },
            result_selector: if with_selector { fields.payload_template("ResultSelector") } else { None },
            result_path: fields.reference_path_or_null("ResultPath"),
        }
    }

    /// ResultSelector and ResultPath alone: a Map state's Parameters are its item selector.
    pub(crate) fn parse_result(fields: &mut Fields<'_>) -> ResultFlow {
        ResultFlow {
            arguments: None,
            result_selector: fields.payload_template("ResultSelector"),
            result_path: fields.reference_path_or_null("ResultPath"),
        }
    }

    /// The effective input: Parameters applied to what InputPath selected, or Arguments.
    pub(crate) fn arguments(
        &self,
        input: Cow<'_, Value>,
        context: &ContextObject<'_>,
    ) -> Result<Value, StatesError> {
        let arguments = match &self.arguments {
            Some(payload) => payload.evaluate(&input, &States::of_input(&input), context)?,
            None => input.into_owned(),
        };
        context.inspect(Stage::Arguments, &arguments);
        Ok(arguments)
    }

    /// The result placed into the raw input: ResultSelector, then ResultPath.
    pub(crate) fn merge(
        &self,
        raw: &Value,
        result: Value,
        context: &ContextObject<'_>,
    ) -> Result<Value, StatesError> {
        let result = match &self.result_selector {
            Some(template) => template.evaluate(&result, context)?,
            None => result,
        };
        context.inspect(Stage::ResultSelector, &result);
        let placed = place(self.result_path.as_ref(), raw, result)?;
        context.inspect(Stage::ResultPath, &placed);
        Ok(placed)
    }
}

/// The template in the field Output. Only states in JSONata have it.
pub(crate) fn output_template(fields: &mut Fields<'_>, scope: Scope) -> Option<Template> {
    if fields.is_jsonata() { fields.template("Output", scope) } else { None }
}

/// A Pass state has Parameters, but no Arguments.
fn pass_parameters(fields: &mut Fields<'_>) -> Option<Payload> {
    fields.payload_template("Parameters").map(Payload::JsonPath)
}

/// Puts `result` where `path` says; `None` (null) discards it.
pub(crate) fn place(path: Option<&ReferencePath>, raw: &Value, result: Value) -> Result<Value, StatesError> {
    match path {
        None => Ok(raw.clone()),
        Some(path) if path.is_root() => Ok(result),
        Some(path) => path
            .apply(raw.clone(), result)
            .map_err(|cause| StatesError::new(StatesError::RESULT_PATH_MATCH_FAILURE, cause)),
    }
}

/// The value at `path`, with the JSONPath engine's message when there is none.
pub(crate) fn select<'v>(
    path: &QueryPath,
    value: &'v Value,
    context: &'v ContextObject<'_>,
) -> Result<Cow<'v, Value>, StatesError> {
    path.select(value, context)
        .map_err(|error| StatesError::runtime(format!("Invalid path '{}' : {error}", path.as_str())))
}

fn select_or_empty<'v>(
    path: Option<&QueryPath>,
    value: &'v Value,
    context: &'v ContextObject<'_>,
) -> Result<Cow<'v, Value>, StatesError> {
    match path {
        Some(path) => select(path, value, context),
        None => Ok(Cow::Owned(json!({}))),
    }
}

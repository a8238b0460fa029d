//! Evaluates one call: reads its arguments, runs the function, and keeps account of what all this copies.
//!
//! Must never let the values of one call outgrow its allowance: `States.JsonToString` doubles backslashes at
//! every level and a path can stand many times in one call.

use super::arguments::Arguments;
use super::function::Function;
use super::{Argument, Call, array, encoding, format, json, math, random, string};
use crate::context_object::ContextObject;
use crate::limits;
use crate::query_path::QueryPath;
use crate::states_error::StatesError;
use serde_json::Value;

/// One evaluation under way.
pub(super) struct Evaluation<'e> {
    /// The whole call as written, for messages.
    text: &'e str,
    input: &'e Value,
    context: &'e ContextObject<'e>,
    /// Bytes that the values of this evaluation may still take.
    left_bytes: usize,
}

impl<'e> Evaluation<'e> {
    pub(super) fn new(text: &'e str, input: &'e Value, context: &'e ContextObject<'e>) -> Evaluation<'e> {
        Evaluation { text, input, context, left_bytes: limits::INTRINSIC_BYTES }
    }

    /// Runs `call`; nested as deeply as the parser allows, which bounds this recursion.
    pub(super) fn call(&mut self, call: &Call) -> Result<Value, StatesError> {
        let function = call.function;
        let mut values = Vec::with_capacity(call.arguments.len());
        for (at, argument) in call.arguments.iter().enumerate() {
            values.push(match argument {
                Argument::Literal(value) => value.clone(),
                Argument::Text { written, .. } if function == Function::Format && at == 0 => {
                    Value::String(written.clone())
                }
                Argument::Text { value, .. } => Value::String(value.clone()),
                Argument::Path(path) => self.select(function, path)?,
                Argument::Call(nested) => self.call(nested)?,
            });
        }
        let result = self.apply(Arguments::new(function, values))?;
        self.spend(function, &result)?;
        Ok(result)
    }

    fn apply(&self, arguments: Arguments) -> Result<Value, StatesError> {
        match arguments.function() {
            Function::Array => Ok(array::array(arguments)),
            Function::ArrayContains => array::contains(arguments),
            Function::ArrayGetItem => array::get_item(arguments),
            Function::ArrayLength => array::length(arguments),
            Function::ArrayPartition => array::partition(arguments),
            Function::ArrayRange => array::range(&arguments),
            Function::ArrayUnique => array::unique(arguments),
            Function::Base64Decode => encoding::base64_decode(&arguments),
            Function::Base64Encode => encoding::base64_encode(&arguments),
            Function::Format => format::format(&arguments),
            Function::Hash => encoding::hash(&arguments),
            Function::JsonMerge => json::merge(arguments),
            Function::JsonToString => Ok(json::to_string(&arguments)),
            Function::MathAdd => math::add(&arguments),
            Function::MathRandom => random::number(&arguments, self.context),
            Function::StringSplit => string::split(&arguments),
            Function::StringToJson => json::from_string(&arguments),
            Function::Uuid => Ok(random::uuid(self.context)),
        }
    }

    /// The value of a path. One that may select many values selects none of a missing one, as in payload
    /// templates (recorded there).
    fn select(&mut self, function: Function, path: &QueryPath) -> Result<Value, StatesError> {
        match path.select(self.input, self.context) {
            Ok(value) => {
                self.spend(function, &value)?;
                Ok(value.into_owned())
            }
            Err(_) if !path.is_definite() => Ok(Value::Array(Vec::new())),
            Err(_) => Err(StatesError::runtime(format!(
                "The function '{}' had the following error: The JsonPath argument for the field '{}' could not be found in the input '{}'",
                self.text,
                path.as_str(),
                self.input
            ))),
        }
    }

    /// Takes the size of `value` off the allowance.
    fn spend(&mut self, function: Function, value: &Value) -> Result<(), StatesError> {
        let left = take_size(value, self.left_bytes, limits::INTRINSIC_VALUE_DEPTH);
        self.left_bytes = left
            .ok_or_else(|| function.failure("the values of the call are too large or nested too deeply"))?;
        Ok(())
    }
}

/// What is left of `bytes` after the JSON text of `value`, about; `None` when it does not suffice or the value
/// is nested deeper than `depth`. Stops where the allowance ends.
fn take_size(value: &Value, bytes: usize, depth: usize) -> Option<usize> {
    const SCALAR_BYTES: usize = 8;
    let depth = depth.checked_sub(1)?;
    let mut left = bytes.checked_sub(SCALAR_BYTES)?;
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(text) => left = left.checked_sub(text.len())?,
        Value::Array(items) => {
            for item in items {
                left = take_size(item, left, depth)?;
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                left = take_size(field, left.checked_sub(name.len())?, depth)?;
            }
        }
    }
    Some(left)
}

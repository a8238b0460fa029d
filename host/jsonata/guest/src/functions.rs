//! The functions that Step Functions adds to JSONata (Developer Guide, "JSONata functions provided by Step
//! Functions"), and those of JSONata that would read a clock or a source of randomness.
//!
//! Must never read either: the same surroundings give the same values.

use crate::arguments::Arguments;
use crate::evaluation::read_json;
use fastrand::Rng;
use jsonata_core::evaluator::{Context, Evaluator, EvaluatorError};
use jsonata_core::parser;
use jsonata_core::value::JValue;
use sha2::Digest;
use std::cell::RefCell;
use std::fmt::Write as _;
use std::rc::Rc;

/// What an evaluation may know beside its variables.
pub(crate) struct Surroundings {
    pub(crate) now_ms: i64,
    pub(crate) seed: u64,
    pub(crate) allow_eval: bool,
}

type Value = Result<JValue, EvaluatorError>;

/// Adds the functions to an evaluator.
pub(crate) fn register(evaluator: &mut Evaluator, surroundings: &Surroundings) -> Result<(), EvaluatorError> {
    let now_ms = surroundings.now_ms;
    let random = Rc::new(RefCell::new(Rng::with_seed(surroundings.seed)));
    evaluator.register_fn("partition", partition)?;
    evaluator.register_fn("range", range)?;
    evaluator.register_fn("hash", hash)?;
    evaluator.register_fn("parse", parse)?;
    evaluator.register_fn_override("now", move |values: &[JValue]| now(values, now_ms))?;
    evaluator.register_fn_override("millis", move |values: &[JValue]| millis(values, now_ms))?;
    if !surroundings.allow_eval {
        evaluator.register_fn_override("eval", no_eval)?;
    }
    let generator = Rc::clone(&random);
    evaluator.register_fn("uuid", move |values: &[JValue]| uuid(values, &mut generator.borrow_mut()))?;
    let generator = Rc::clone(&random);
    evaluator.register_fn_override("random", move |values: &[JValue]| {
        number(values, &mut generator.borrow_mut())
    })?;
    evaluator
        .register_fn_override("shuffle", move |values: &[JValue]| shuffle(values, &mut random.borrow_mut()))
}

/// `$partition(array, size)`: arrays of `size` items, the last one perhaps shorter.
fn partition(values: &[JValue]) -> Value {
    let arguments = Arguments::new("partition", values, 2)?;
    if arguments.any_undefined(2) {
        return Ok(JValue::Undefined);
    }
    let items = arguments.items(0)?;
    let size = arguments.integer(1)?;
    let Some(size) = usize::try_from(size).ok().filter(|size| *size > 0) else {
        return Err(arguments.refusal(1, "must be a positive integer"));
    };
    Ok(JValue::array(items.chunks(size).map(|chunk| JValue::array(chunk.to_vec())).collect()))
}

/// `$range(first, last, step)`: from the first number in steps up to the last, which is included. A step that leads
/// away from it gives an empty array.
fn range(values: &[JValue]) -> Value {
    let arguments = Arguments::new("range", values, 3)?;
    if arguments.any_undefined(3) {
        return Ok(JValue::Undefined);
    }
    let (first, last, step) = (arguments.integer(0)?, arguments.integer(1)?, arguments.integer(2)?);
    if step == 0 {
        return Err(arguments.refusal(2, "must be an integer other than zero"));
    }
    let mut items = Vec::new();
    let mut next = Some(first);
    while let Some(item) = next.filter(|item| if step > 0 { *item <= last } else { *item >= last }) {
        items.push(JValue::from(item));
        next = item.checked_add(step);
    }
    Ok(JValue::array(items))
}

/// `$hash(data, algorithm)`: the hash of a string, in lower-case hexadecimal digits.
fn hash(values: &[JValue]) -> Value {
    let arguments = Arguments::new("hash", values, 2)?;
    if arguments.any_undefined(2) {
        return Ok(JValue::Undefined);
    }
    let (data, algorithm) = (arguments.text(0)?, arguments.text(1)?);
    let hash = match algorithm {
        "MD5" => hexadecimal(&md5::Md5::digest(data)),
        "SHA-1" => hexadecimal(&sha1::Sha1::digest(data)),
        "SHA-256" => hexadecimal(&sha2::Sha256::digest(data)),
        "SHA-384" => hexadecimal(&sha2::Sha384::digest(data)),
        "SHA-512" => hexadecimal(&sha2::Sha512::digest(data)),
        _ => return Err(arguments.refusal(1, "must be one of MD5, SHA-1, SHA-256, SHA-384, SHA-512")),
    };
    Ok(JValue::from(hash))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// `$parse(text)`: the value that a JSON text holds.
fn parse(values: &[JValue]) -> Value {
    let arguments = Arguments::new("parse", values, 1)?;
    if arguments.any_undefined(1) {
        return Ok(JValue::Undefined);
    }
    let text = arguments.text(0)?;
    read_json(text).map_err(|error| arguments.refusal(0, &format!("is not JSON: {error}")))
}

/// `$random()`: a number from 0 up to, but not, 1. With a seed, always the same one for it; a seed that is undefined
/// is none, as for any optional parameter of JSONata.
fn number(values: &[JValue], random: &mut Rng) -> Value {
    let arguments = Arguments::new("random", values, 1)?;
    let number = match arguments.optional(0) {
        None => random.f64(),
        Some(JValue::Number(seed)) => Rng::with_seed(seed.to_bits()).f64(),
        Some(_) => return Err(arguments.mismatch(0)),
    };
    Ok(JValue::from(number))
}

/// `$uuid()`: a UUID of version 4.
fn uuid(values: &[JValue], random: &mut Rng) -> Value {
    Arguments::new("uuid", values, 0)?;
    let bytes = random.u128(..).to_be_bytes();
    Ok(JValue::from(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()))
}

/// `$shuffle(array)`: the items in another order.
fn shuffle(values: &[JValue], random: &mut Rng) -> Value {
    let arguments = Arguments::new("shuffle", values, 1)?;
    if arguments.any_undefined(1) {
        return Ok(JValue::Undefined);
    }
    let mut items = arguments.items(0)?;
    random.shuffle(&mut items);
    Ok(JValue::array(items))
}

/// `$millis()`: the time, as milliseconds since 1970.
fn millis(values: &[JValue], now_ms: i64) -> Value {
    Arguments::new("millis", values, 0)?;
    Ok(JValue::from(now_ms))
}

/// `$now([picture [, timezone]])`: the time as text. JSONata defines it by `$fromMillis`, and so it is made.
fn now(values: &[JValue], now_ms: i64) -> Value {
    let arguments = Arguments::new("now", values, 2)?;
    let mut variables = Context::new();
    for (at, name) in ["picture", "timezone"].into_iter().enumerate() {
        if arguments.optional(at).is_some() {
            variables.bind(name.to_owned(), JValue::from(arguments.text(at)?));
        }
    }
    variables.bind("now".to_owned(), JValue::from(now_ms));
    let expression = parser::parse("$fromMillis($now, $picture, $timezone)")
        .map_err(|error| EvaluatorError::EvaluationError(error.to_string()))?;
    Evaluator::with_context(variables).evaluate(&expression, &JValue::Undefined)
}

/// `$eval` does not exist in Step Functions.
fn no_eval(_: &[JValue]) -> Value {
    Err(EvaluatorError::ReferenceError(
        "T1006: Attempted to invoke a non-function: $eval is not supported, $parse reads JSON text"
            .to_owned(),
    ))
}

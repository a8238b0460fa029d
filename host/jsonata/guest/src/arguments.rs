//! The arguments of the functions that Step Functions adds, checked the way JSONata checks a signature.

use jsonata_core::evaluator::EvaluatorError;
use jsonata_core::value::JValue;

/// 2^63: the bounds of `i64` as floats, which hold them exactly.
const I64_BOUND: f64 = 9_223_372_036_854_775_808.0;

/// The arguments of one call.
pub(crate) struct Arguments<'a> {
    function: &'static str,
    values: &'a [JValue],
}

impl<'a> Arguments<'a> {
    /// Takes the arguments of a function that has at most `arity` parameters.
    ///
    /// A function that is given to `$map` and its like gets more arguments than it has parameters; JSONata cuts them,
    /// but the library cannot know how many parameters a host's function has. So the cut happens here, for arguments
    /// that look as those functions give them. Other surplus arguments are an error, as for any other function.
    pub(crate) fn new(
        function: &'static str,
        values: &'a [JValue],
        arity: usize,
    ) -> Result<Self, EvaluatorError> {
        let arguments = Self { function, values: &values[..values.len().min(arity)] };
        if values.len() > arity && !given_by_higher_order_function(values) {
            return Err(arguments.mismatch(arity));
        }
        Ok(arguments)
    }

    /// Whether one of the first `count` arguments is given as undefined: then so is the value of the function.
    pub(crate) fn any_undefined(&self, count: usize) -> bool {
        self.values.iter().take(count).any(JValue::is_undefined)
    }

    /// The argument at an index, when it is given and not undefined.
    pub(crate) fn optional(&self, at: usize) -> Option<&'a JValue> {
        self.values.get(at).filter(|value| !value.is_undefined())
    }

    /// A string.
    pub(crate) fn text(&self, at: usize) -> Result<&'a str, EvaluatorError> {
        self.optional(at).and_then(JValue::as_str).ok_or_else(|| self.mismatch(at))
    }

    /// An array; anything else stands for an array that holds it, as for every array parameter of JSONata.
    pub(crate) fn items(&self, at: usize) -> Result<Vec<JValue>, EvaluatorError> {
        match self.optional(at) {
            Some(JValue::Array(items)) => Ok(items.to_vec()),
            Some(value) if !value.is_function() && !value.is_regex() => Ok(vec![value.clone()]),
            _ => Err(self.mismatch(at)),
        }
    }

    /// A number as an integer; others are rounded half up, as Step Functions' intrinsics do.
    pub(crate) fn integer(&self, at: usize) -> Result<i64, EvaluatorError> {
        let number = self.optional(at).and_then(JValue::as_f64).ok_or_else(|| self.mismatch(at))?;
        let floor = number.floor();
        let rounded = if number - floor >= 0.5 { floor + 1.0 } else { floor };
        if !(-I64_BOUND..I64_BOUND).contains(&rounded) {
            return Err(self.refusal(at, "is too large a number"));
        }
        #[allow(clippy::cast_possible_truncation, reason = "the range is checked")]
        Ok(rounded as i64)
    }

    /// JSONata's error for an argument of a wrong type.
    pub(crate) fn mismatch(&self, at: usize) -> EvaluatorError {
        let (place, function) = (at + 1, self.function);
        EvaluatorError::TypeError(format!(
            "T0410: Argument {place} of function \"{function}\" does not match function signature"
        ))
    }

    /// An error about the value of an argument, for which JSONata has no code.
    pub(crate) fn refusal(&self, at: usize, what: &str) -> EvaluatorError {
        let (place, function) = (at + 1, self.function);
        EvaluatorError::EvaluationError(format!("Argument {place} of function \"{function}\" {what}"))
    }
}

/// Whether arguments are an item, its index or key, and the array or object it is from; `$reduce` puts what it has so
/// far before them.
fn given_by_higher_order_function(values: &[JValue]) -> bool {
    let ([_, place, whole] | [_, _, place, whole]) = values else { return false };
    matches!((place, whole), (JValue::Number(_), JValue::Array(_)) | (JValue::String(_), JValue::Object(_)))
}

//! Exact decimal numbers, written and compared as Java's `BigDecimal` does: Jayway compares numbers exactly
//! and, against strings, by their text (`1.0E+10`). Must never go through floating point.

use std::cmp::Ordering;

use serde_json::Number;

/// A number of a document or of a path text. Most are small integers, which need no allocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Numeric {
    Integer(i64),
    Decimal(Decimal),
}

impl Numeric {
    /// Reads a number, with or without fraction and exponent; `None` if the text is anything else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        text.parse().map(Self::Integer).ok().or_else(|| Decimal::parse(text).map(Self::Decimal))
    }

    /// Converts a number of a document.
    pub(super) fn from_number(number: &Number) -> Option<Self> {
        number.as_i64().map(Self::Integer).or_else(|| Decimal::parse(&number_text(number)).map(Self::Decimal))
    }

    /// Orders by value: `1`, `1.0` and `10e-1` are the same.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Integer(left), Self::Integer(right)) => left.cmp(right),
            (Self::Decimal(left), Self::Decimal(right)) => left.compare(right),
            (Self::Integer(left), Self::Decimal(right)) => Decimal::from_i64(*left).compare(right),
            (Self::Decimal(left), Self::Integer(right)) => left.compare(&Decimal::from_i64(*right)),
        }
    }

    /// Writes the number as Java's `BigDecimal.toString` does.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Integer(value) => value.to_string(),
            Self::Decimal(value) => value.text(),
        }
    }

    /// Returns the number as an integer, its fraction cut off, if it fits.
    pub(super) fn to_i64(&self) -> Option<i64> {
        match self {
            Self::Integer(value) => Some(*value),
            Self::Decimal(value) => value.to_i64(),
        }
    }
}

/// `digits` × 10^-`scale`, negated if `negative`. `digits` has no leading zero except for zero itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decimal {
    negative: bool,
    digits: String,
    scale: i64,
}

impl Decimal {
    fn from_i64(value: i64) -> Self {
        Self { negative: value < 0, digits: value.unsigned_abs().to_string(), scale: 0 }
    }

    fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, i64::from(exponent.parse::<i32>().ok()?)),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = [whole, fraction].concat();
        if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let stripped = all.trim_start_matches('0');
        let digits = if stripped.is_empty() { "0" } else { stripped }.to_owned();
        let zero = digits == "0";
        let scale = i64::try_from(fraction.len()).ok()? - exponent;
        Some(Self { negative: negative && !zero, digits, scale })
    }

    fn to_i64(&self) -> Option<i64> {
        let length = i64::try_from(self.digits.len()).ok()?;
        let whole = length - self.scale;
        if whole <= 0 || self.digits == "0" {
            return Some(0);
        }
        if whole > 18 {
            return None;
        }
        let kept = usize::try_from(whole.min(length)).ok()?;
        let zeros = usize::try_from(whole - whole.min(length)).ok()?;
        let value: i64 = [self.digits.get(..kept)?, &"0".repeat(zeros)].concat().parse().ok()?;
        Some(if self.negative { -value } else { value })
    }

    fn adjusted_exponent(&self) -> i64 {
        i64::try_from(self.digits.len()).unwrap_or(i64::MAX) - 1 - self.scale
    }

    fn magnitude_cmp(&self, other: &Self) -> Ordering {
        let exponents = self.adjusted_exponent().cmp(&other.adjusted_exponent());
        exponents.then_with(|| self.digits.trim_end_matches('0').cmp(other.digits.trim_end_matches('0')))
    }

    fn compare(&self, other: &Self) -> Ordering {
        let sign = |number: &Self| match (number.digits == "0", number.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        let signs = sign(self).cmp(&sign(other));
        if signs != Ordering::Equal || sign(self) == 0 {
            return signs;
        }
        if self.negative { other.magnitude_cmp(self) } else { self.magnitude_cmp(other) }
    }

    /// Writes the number as `BigDecimal.toString` does: plain unless the exponent is positive or below -6.
    fn text(&self) -> String {
        let sign = if self.negative { "-" } else { "" };
        let exponent = self.adjusted_exponent();
        if self.scale == 0 {
            return format!("{sign}{}", self.digits);
        }
        if self.scale > 0 && exponent >= -6 {
            let scale = usize::try_from(self.scale).unwrap_or(0);
            let padded = format!("{:0>width$}", self.digits, width = scale + 1);
            let (whole, fraction) = padded.split_at(padded.len() - scale);
            return format!("{sign}{whole}.{fraction}");
        }
        let (first, rest) = self.digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        format!("{sign}{first}{point}{rest}E{exponent:+}")
    }
}

/// Writes a number of a document as Java does: `1`, `1.0`, `1.0E10`.
pub(super) fn number_text(number: &Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() => float_text(float),
        _ => number.to_string(),
    }
}

/// Writes a float as `Double.toString` does: plain between 10^-3 and 10^7, with an exponent elsewhere.
pub(super) fn float_text(float: f64) -> String {
    let size = float.abs();
    if size == 0.0 || (1e-3..1e7).contains(&size) {
        return format!("{float:?}");
    }
    let text = format!("{float:e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) if !mantissa.contains('.') => format!("{mantissa}.0E{exponent}"),
        Some((mantissa, exponent)) => format!("{mantissa}E{exponent}"),
        None => text,
    }
}

//! One side of a filter's comparison, and Jayway's rules of equality and order between two. Must never
//! evaluate a path: it compares what was found.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value;

use super::cursor::unescape;
use super::decimal::Numeric;
use super::evaluate::children;
use super::limits::MAX_PATH_CHARS;
use super::literal;
use super::parser::{self, Allowance};
use super::pattern::Pattern;

/// One side of a comparison, evaluated.
#[derive(Debug)]
pub(super) enum Side<'a> {
    /// A path that leads nowhere: equal to nothing, not even to itself.
    Undefined,
    Null,
    Bool(bool),
    Number(Cow<'a, Numeric>),
    Text(Cow<'a, str>),
    /// An array or an object; `written` = as a literal in the path text.
    Json {
        value: Cow<'a, Value>,
        written: bool,
    },
    Pattern(&'a Pattern),
    /// A string in a list that Jayway takes for a path or for JSON: equal to nothing.
    Opaque,
}

impl<'a> Side<'a> {
    pub(super) fn of(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => Numeric::from_number(number)
                .map_or(Self::Undefined, |number| Self::Number(Cow::Owned(number))),
            Value::String(text) => Self::Text(Cow::Borrowed(text)),
            Value::Array(_) | Value::Object(_) => Self::Json { value: Cow::Borrowed(value), written: false },
        }
    }

    /// Converts an element of a list, if it is no list or object. Jayway reads a string there once more, as if
    /// it stood in a path text.
    pub(super) fn of_element(value: &'a Value) -> Option<Self> {
        match value {
            Value::String(text) if reads_as_path(text) || reads_as_json(text) => Some(Self::Opaque),
            Value::String(text) => Some(Self::Text(reread(text))),
            Value::Array(_) | Value::Object(_) => None,
            Value::Null | Value::Bool(_) | Value::Number(_) => Some(Self::of(value)),
        }
    }

    pub(super) fn owned(value: Value) -> Self {
        match value {
            Value::String(text) => Self::Text(Cow::Owned(text)),
            Value::Array(_) | Value::Object(_) => Self::Json { value: Cow::Owned(value), written: false },
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Number(number) => Numeric::from_number(&number)
                .map_or(Self::Undefined, |number| Self::Number(Cow::Owned(number))),
        }
    }

    /// Compares as the left side does. Strings compare with the text of a number, numbers with the number in
    /// a string; a literal on the left equals no value of the document.
    pub(super) fn same(&self, other: &Side<'_>) -> bool {
        match (self, other) {
            (Self::Null, Side::Null) => true,
            (Self::Bool(left), Side::Bool(right)) => left == right,
            (Self::Number(left), Side::Number(right)) => left.compare(right).is_eq(),
            (Self::Number(left), Side::Text(right)) => {
                Numeric::parse(right).is_some_and(|right| left.compare(&right).is_eq())
            }
            (Self::Text(left), Side::Text(right)) => left == right,
            (Self::Text(left), Side::Number(right)) => *left == right.text(),
            (Self::Json { value: left, written: false }, Side::Json { value: right, .. }) => left == right,
            _ => false,
        }
    }

    pub(super) fn order(&self, other: &Side<'_>) -> Option<Ordering> {
        match (self, other) {
            (Self::Number(left), Side::Number(right)) => Some(left.compare(right)),
            // Java orders strings by their UTF-16 units.
            (Self::Text(left), Side::Text(right)) => Some(left.encode_utf16().cmp(right.encode_utf16())),
            _ => None,
        }
    }

    /// What a pattern is matched against: nothing but scalars has a text.
    pub(super) fn subject(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Number(number) => Cow::Owned(number.text()),
            Self::Bool(value) => Cow::Borrowed(if *value { "true" } else { "false" }),
            Self::Undefined | Self::Null | Self::Json { .. } | Self::Pattern(_) | Self::Opaque => {
                Cow::Borrowed("")
            }
        }
    }

    /// What comparing the two costs, in visits: at most every value of the smaller one is looked at.
    pub(super) fn cost_with(&self, other: &Side<'_>) -> usize {
        match (self, other) {
            (Self::Json { value: left, .. }, Side::Json { value: right, .. }) => smaller(left, right),
            _ => self.cost() + other.cost(),
        }
    }

    fn cost(&self) -> usize {
        match self {
            Self::Text(text) => 1 + text.len() / 64,
            Self::Json { value, .. } => 1 + value.as_array().map_or(0, Vec::len),
            Self::Undefined
            | Self::Null
            | Self::Bool(_)
            | Self::Number(_)
            | Self::Pattern(_)
            | Self::Opaque => 1,
        }
    }
}

/// How many values there are in the smaller of two. Takes as long as that one is large.
fn smaller(left: &Value, right: &Value) -> usize {
    let mut most = 64;
    loop {
        if let Some(count) = nodes(left, most).or_else(|| nodes(right, most)) {
            return count;
        }
        most *= 8;
    }
}

/// How many values there are in this one, itself included; none when there are more than `most`. A text counts as a
/// comparison of it would.
fn nodes(value: &Value, most: usize) -> Option<usize> {
    let (mut count, mut open) = (0, vec![value]);
    while let Some(next) = open.pop() {
        count += 1 + next.as_str().map_or(0, |text| text.len() / 64);
        if count + open.len() > most {
            return None;
        }
        open.extend(children(next).take(most));
    }
    Some(count)
}

/// What reading an element of a list costs beyond its own visit: a string that may be a path is parsed.
pub(super) fn element_cost(value: &Value) -> usize {
    value.as_str().map_or(0, |text| {
        let parsed = text.trim_start().starts_with(['$', '@', '[', '{']);
        if parsed { text.len() } else { text.len() / 64 }
    })
}

fn reads_as_path(text: &str) -> bool {
    let text = text.trim();
    text.starts_with(['$', '@'])
        && text.len() <= MAX_PATH_CHARS
        && parser::compile(text, &mut Allowance::default()).is_ok()
}

fn reads_as_json(text: &str) -> bool {
    let text = text.trim();
    let bracketed =
        (text.starts_with('[') && text.ends_with(']')) || (text.starts_with('{') && text.ends_with('}'));
    bracketed && text.len() <= MAX_PATH_CHARS && literal::parse(text).is_ok()
}

fn reread(text: &str) -> Cow<'_, str> {
    let inner = |quote: char| text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote));
    let plain = inner('\'').or_else(|| inner('"')).unwrap_or(text);
    if plain.contains('\\') {
        return unescape(plain).map_or(Cow::Borrowed(plain), Cow::Owned);
    }
    Cow::Borrowed(plain)
}

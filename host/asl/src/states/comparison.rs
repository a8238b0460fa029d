//! The comparison operators of Choice rules (specification, "Data-test expression").
//!
//! Values of different kinds are never equal, less or greater: the comparison is just false.

use crate::context_object::ContextObject;
use crate::definition::Fields;
use crate::query_path::QueryPath;
use crate::states_error::StatesError;
use crate::timestamp::Timestamp;
use serde_json::Value;
use std::borrow::Cow;
use std::cmp::Ordering;

/// `Variable` with one operator.
#[derive(Clone, Debug)]
pub(super) struct Comparison {
    variable: QueryPath,
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    Is(Kind, bool),
    Matches(Vec<Glob>),
    Compare(Family, Relation, Operand),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Null,
    Present,
    Numeric,
    String,
    Boolean,
    Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    String,
    Numeric,
    Boolean,
    Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Equals,
    LessThan,
    GreaterThan,
    LessThanEquals,
    GreaterThanEquals,
}

#[derive(Clone, Debug)]
enum Operand {
    Given(Value),
    Path(QueryPath),
}

/// One piece of a StringMatches pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Glob {
    Any,
    Character(char),
}

/// Operators that compare: field name, family, relation, whether the operand is a path.
macro_rules! operators {
    ($($family:ident: $($relation:ident),+;)+) => {
        &[$($(
            (concat!(stringify!($family), stringify!($relation)), Family::$family, Relation::$relation, false),
            (concat!(stringify!($family), stringify!($relation), "Path"), Family::$family, Relation::$relation, true),
        )+)+]
    };
}

const OPERATORS: &[(&str, Family, Relation, bool)] = operators! {
    String: Equals, LessThan, GreaterThan, LessThanEquals, GreaterThanEquals;
    Numeric: Equals, LessThan, GreaterThan, LessThanEquals, GreaterThanEquals;
    Boolean: Equals;
    Timestamp: Equals, LessThan, GreaterThan, LessThanEquals, GreaterThanEquals;
};

const TYPE_TESTS: &[(&str, Kind)] = &[
    ("IsNull", Kind::Null),
    ("IsPresent", Kind::Present),
    ("IsNumeric", Kind::Numeric),
    ("IsString", Kind::String),
    ("IsBoolean", Kind::Boolean),
    ("IsTimestamp", Kind::Timestamp),
];

impl Comparison {
    /// Reads `Variable` and exactly one operator.
    pub(super) fn parse(fields: &mut Fields<'_>) -> Option<Comparison> {
        fields.require(&["Variable"]);
        let variable = fields.path("Variable");
        let mut tests = Vec::new();
        for &(name, kind) in TYPE_TESTS {
            if fields.has(name) {
                tests.push(fields.boolean(name).map(|expected| Test::Is(kind, expected)));
            }
        }
        if fields.has("StringMatches") {
            let pattern = fields.string("StringMatches");
            tests.push(pattern.map(|pattern| Test::Matches(Glob::parse(pattern))));
        }
        for &(name, family, relation, is_path) in OPERATORS {
            if fields.has(name) {
                let operand = Operand::parse(fields, name, family, is_path);
                tests.push(operand.map(|operand| Test::Compare(family, relation, operand)));
            }
        }
        if tests.len() != 1 {
            fields.problem_here("A choice rule must have exactly one comparison operator");
            return None;
        }
        Some(Comparison { variable: variable?, test: tests.pop()?? })
    }

    pub(super) fn holds(&self, input: &Value, context: &ContextObject<'_>) -> Result<bool, StatesError> {
        if let Test::Is(Kind::Present, expected) = self.test {
            return Ok(self.variable.select(input, context).is_ok() == expected);
        }
        let value = variable(&self.variable, input, context)?;
        match &self.test {
            Test::Is(kind, expected) => Ok(kind.is(&value) == *expected),
            Test::Matches(pattern) => Ok(value.as_str().is_some_and(|text| Glob::matches(pattern, text))),
            Test::Compare(family, relation, Operand::Given(operand)) => {
                Ok(family.order(&value, operand).is_some_and(|order| relation.holds(order)))
            }
            Test::Compare(family, relation, Operand::Path(path)) => {
                let operand = variable(path, input, context)?;
                Ok(family.order(&value, &operand).is_some_and(|order| relation.holds(order)))
            }
        }
    }
}

fn variable<'v>(
    path: &QueryPath,
    input: &'v Value,
    context: &'v ContextObject<'_>,
) -> Result<Cow<'v, Value>, StatesError> {
    path.select(input, context).map_err(|_| {
        let path = path.as_str();
        let cause =
            format!("Invalid path '{path}': The choice state's condition path references an invalid value.");
        StatesError::runtime(cause)
    })
}

impl Kind {
    fn is(self, value: &Value) -> bool {
        match self {
            Kind::Null => value.is_null(),
            Kind::Present => true,
            Kind::Numeric => value.is_number(),
            Kind::String => value.is_string(),
            Kind::Boolean => value.is_boolean(),
            Kind::Timestamp => value.as_str().is_some_and(|text| Timestamp::parse(text).is_some()),
        }
    }
}

impl Operand {
    fn parse(fields: &mut Fields<'_>, name: &'static str, family: Family, is_path: bool) -> Option<Operand> {
        if is_path {
            return fields.path(name).map(Operand::Path);
        }
        let value = fields.get(name)?;
        if family.order(value, value).is_none() {
            let expected = match family {
                Family::String => "Expected value of type String",
                Family::Numeric => "Expected value of type Number",
                Family::Boolean => "Expected value of type Boolean",
                Family::Timestamp => "String does not match RFC3339 timestamp",
            };
            fields.problem(name, expected);
            return None;
        }
        if let (Family::String, Some(text)) = (family, value.as_str()) {
            fields.warn_no_path(name, text);
        }
        Some(Operand::Given(value.clone()))
    }
}

impl Family {
    /// How `left` stands to `right`; `None` when one of them is not of this family.
    fn order(self, left: &Value, right: &Value) -> Option<Ordering> {
        match self {
            Family::String => Some(left.as_str()?.cmp(right.as_str()?)),
            Family::Boolean => Some(left.as_bool()?.cmp(&right.as_bool()?)),
            Family::Timestamp => {
                Some(Timestamp::parse(left.as_str()?)?.cmp(&Timestamp::parse(right.as_str()?)?))
            }
            Family::Numeric => match (left.as_i64(), right.as_i64()) {
                (Some(left), Some(right)) => Some(left.cmp(&right)),
                _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
            },
        }
    }
}

impl Relation {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Relation::Equals => order.is_eq(),
            Relation::LessThan => order.is_lt(),
            Relation::GreaterThan => order.is_gt(),
            Relation::LessThanEquals => order.is_le(),
            Relation::GreaterThanEquals => order.is_ge(),
        }
    }
}

impl Glob {
    /// `*` stands for any text; `\*` and `\\` for themselves.
    fn parse(pattern: &str) -> Vec<Glob> {
        let mut pieces = Vec::new();
        let mut characters = pattern.chars().peekable();
        while let Some(character) = characters.next() {
            pieces.push(match character {
                '*' => Glob::Any,
                '\\' => {
                    Glob::Character(characters.next_if(|next| matches!(next, '*' | '\\')).unwrap_or('\\'))
                }
                other => Glob::Character(other),
            });
        }
        pieces
    }

    /// Backtracks only to the last `*`: never more than pattern times text.
    fn matches(pattern: &[Glob], text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let (mut piece, mut at) = (0, 0);
        let mut last_any: Option<(usize, usize)> = None;
        while at < text.len() {
            match pattern.get(piece) {
                Some(Glob::Any) => {
                    last_any = Some((piece, at));
                    piece += 1;
                }
                Some(Glob::Character(character)) if *character == text[at] => {
                    piece += 1;
                    at += 1;
                }
                Some(Glob::Character(_)) | None => match last_any {
                    Some((any, from)) => {
                        last_any = Some((any, from + 1));
                        piece = any + 1;
                        at = from + 1;
                    }
                    None => return false,
                },
            }
        }
        pattern[piece..].iter().all(|piece| *piece == Glob::Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn string_matches_as_the_specification_says() {
        for (pattern, text, expected) in [
            ("log-*.txt", "log-2026.txt", true),
            ("log-*.txt", "log-.txt", true),
            ("log-*.txt", "log-2026.csv", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*b*c", "a1b2bc", true),
            ("a*b*c", "a1b2b", false),
            (r"a\*b", "a*b", true),
            (r"a\*b", "axb", false),
            (r"a\\b", r"a\b", true),
            (r"a\b", r"a\b", true),
        ] {
            assert_eq!(Glob::matches(&Glob::parse(pattern), text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn every_operator_is_listed_once() {
        assert_eq!(OPERATORS.len(), 32);
        assert!(OPERATORS.iter().any(|(name, ..)| *name == "TimestampGreaterThanEqualsPath"));
        assert!(OPERATORS.iter().any(|(name, ..)| *name == "BooleanEqualsPath"));
    }
}

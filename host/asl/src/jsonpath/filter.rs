//! Evaluates the condition of a filter for one node, with Jayway's comparisons: numbers by value, a number
//! with a string by number or by text depending on the side, order only within one type. Must never
//! fail because a node lacks what the condition asks for: then it does not hold.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::mem::discriminant;

use serde_json::Value;

use super::ast::{Operand, Operator, Path, Predicate};
use super::error::{PathError, PathErrorKind};
use super::evaluate::{Evaluation, Mode};
use super::side::{Side, element_cost};

/// Tells whether the filter lets a node pass.
///
/// # Errors
/// Only `Failed` and `TooLarge`.
pub(super) fn accepts(
    evaluation: &Evaluation<'_>,
    predicate: &Predicate,
    item: &Value,
    mode: Mode,
) -> Result<bool, PathError> {
    let judge = Judge { evaluation, item, mode: Mode { quiet: true, ..mode } };
    match judge.holds(predicate) {
        Err(error) if matches!(error.kind(), PathErrorKind::NotFound | PathErrorKind::Invalid) => Ok(false),
        result => result,
    }
}

struct Judge<'e, 'v> {
    evaluation: &'e Evaluation<'v>,
    item: &'e Value,
    mode: Mode,
}

impl<'e> Judge<'e, '_> {
    fn holds(&self, predicate: &'e Predicate) -> Result<bool, PathError> {
        self.evaluation.visit(1)?;
        match predicate {
            Predicate::All(predicates) => {
                for predicate in predicates {
                    if !self.holds(predicate)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Predicate::Any(predicates) => {
                for predicate in predicates {
                    if self.holds(predicate)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Predicate::Not(predicate) => self.holds(predicate).map(|holds| !holds),
            Predicate::Exists { path, expected } => self.exists(path).map(|found| found == *expected),
            Predicate::Compare { left, operator, right } => {
                self.compare(&self.side(left)?, *operator, &self.side(right)?)
            }
        }
    }

    /// Here a path always starts at the item, even one that is written with `$`.
    fn exists(&self, path: &Path) -> Result<bool, PathError> {
        match self.evaluation.nodes(path, self.item, Mode { strict: true, quiet: true }) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == PathErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn side(&self, operand: &'e Operand) -> Result<Side<'e>, PathError> {
        let value = match operand {
            Operand::Null => return Ok(Side::Null),
            Operand::Bool(value) => return Ok(Side::Bool(*value)),
            Operand::Number(number) => return Ok(Side::Number(Cow::Borrowed(number))),
            Operand::Text(text) => return Ok(Side::Text(Cow::Borrowed(text))),
            Operand::Json(value) => return Ok(Side::Json { value: Cow::Borrowed(value), written: true }),
            Operand::Pattern(pattern) => return Ok(Side::Pattern(pattern)),
            Operand::Path { path, slot: Some(slot) } => self.evaluation.shared(path, *slot, self.mode),
            Operand::Path { path, slot: None } => self.evaluation.value(path, self.item, self.mode),
        };
        match value {
            Ok(Cow::Borrowed(value)) => Ok(Side::of(value)),
            Ok(Cow::Owned(value)) => Ok(Side::owned(value)),
            Err(error) if error.kind() == PathErrorKind::NotFound => Ok(Side::Undefined),
            Err(error) => Err(error),
        }
    }

    fn compare(&self, left: &Side<'_>, operator: Operator, right: &Side<'_>) -> Result<bool, PathError> {
        self.evaluation.visit(left.cost_with(right))?;
        let ordered = |wanted: fn(Ordering) -> bool| Ok(left.order(right).is_some_and(wanted));
        match operator {
            Operator::Equal => Ok(left.same(right)),
            Operator::NotEqual => Ok(!left.same(right)),
            Operator::StrictEqual => Ok(discriminant(left) == discriminant(right) && left.same(right)),
            Operator::StrictNotEqual => Ok(discriminant(left) != discriminant(right) || !left.same(right)),
            Operator::Less => ordered(Ordering::is_lt),
            Operator::LessOrEqual => ordered(Ordering::is_le),
            Operator::Greater => ordered(Ordering::is_gt),
            Operator::GreaterOrEqual => ordered(Ordering::is_ge),
            Operator::Matches => self.matches(left, right),
            Operator::In => self.within(left, right),
            Operator::NotIn => self.within(left, right).map(|within| !within),
            Operator::Contains => self.contains(left, right),
            Operator::Size => Ok(size(left, right)),
            Operator::Empty => empty(left, right),
            Operator::SubsetOf => {
                self.lists(left, right, |left, right| left.iter().all(|item| found(item, right)))
            }
            Operator::AnyOf => {
                self.lists(left, right, |left, right| left.iter().any(|item| found(item, right)))
            }
            Operator::NoneOf => {
                self.lists(left, right, |left, right| !left.iter().any(|item| found(item, right)))
            }
            Operator::Exists => match (left, right) {
                (Side::Bool(left), Side::Bool(right)) => Ok(left == right),
                (Side::Bool(_), _) | (_, Side::Bool(_)) => Err(mismatch()),
                _ => Err(failed("Failed to evaluate exists expression")),
            },
            Operator::Never => Err(mismatch()),
        }
    }

    fn within(&self, left: &Side<'_>, right: &Side<'_>) -> Result<bool, PathError> {
        Ok(self.list(right)?.is_some_and(|items| found(left, &items)))
    }

    fn contains(&self, left: &Side<'_>, right: &Side<'_>) -> Result<bool, PathError> {
        match (left, right) {
            (Side::Text(left), Side::Text(right)) => Ok(left.contains(right.as_ref())),
            (Side::Json { .. }, _) => Ok(self.list(left)?.is_some_and(|items| found(right, &items))),
            _ => Ok(false),
        }
    }

    fn lists(
        &self,
        left: &Side<'_>,
        right: &Side<'_>,
        relate: impl FnOnce(&[Side<'_>], &[Side<'_>]) -> bool,
    ) -> Result<bool, PathError> {
        let Some(right) = self.list(right)? else { return Ok(false) };
        let Some(left) = self.list(left)? else { return Ok(false) };
        self.evaluation.visit(left.len().saturating_mul(right.len()))?;
        Ok(relate(&left, &right))
    }

    fn matches(&self, left: &Side<'_>, right: &Side<'_>) -> Result<bool, PathError> {
        let (pattern, subject) = match (left, right) {
            (Side::Pattern(_), Side::Pattern(_)) => return Ok(false),
            (Side::Pattern(pattern), subject) | (subject, Side::Pattern(pattern)) => (pattern, subject),
            _ => return Ok(false),
        };
        let matches = |side: &Side<'_>| {
            let text = side.subject();
            self.evaluation.visit(pattern.visits(&text))?;
            Ok(pattern.matches(&text))
        };
        if !matches!(subject, Side::Json { value, .. } if value.is_array()) {
            return matches(subject);
        }
        for item in self.list(subject)?.unwrap_or_default() {
            if matches(&item)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns the elements of a list, `None` for an object. Anything else fails the filter, and so does, as
    /// in Jayway, a list that holds a list or an object: that one for all nodes.
    fn list<'s>(&self, side: &'s Side<'_>) -> Result<Option<Vec<Side<'s>>>, PathError> {
        let Side::Json { value, .. } = side else { return Err(mismatch()) };
        let Some(items) = value.as_array() else { return Ok(None) };
        let mut sides = Vec::with_capacity(items.len());
        for item in items {
            self.evaluation.visit(element_cost(item))?;
            sides.push(Side::of_element(item).ok_or_else(|| failed("Could not determine value type"))?);
        }
        Ok(Some(sides))
    }
}

fn mismatch() -> PathError {
    PathError::new(PathErrorKind::Invalid, "")
}

fn failed(message: &str) -> PathError {
    PathError::new(PathErrorKind::Failed, message)
}

/// Looks for an equal of `needle`: the comparison is the needle's.
fn found(needle: &Side<'_>, items: &[Side<'_>]) -> bool {
    items.iter().any(|item| needle.same(item))
}

fn size(left: &Side<'_>, right: &Side<'_>) -> bool {
    let Side::Number(expected) = right else { return false };
    let actual = match left {
        Side::Text(text) => text.encode_utf16().count(),
        Side::Json { value, .. } => match value.as_array() {
            Some(items) => items.len(),
            None => return expected.to_i64() == Some(-1), // Jayway's length of an object.
        },
        Side::Undefined | Side::Null | Side::Bool(_) | Side::Number(_) | Side::Pattern(_) | Side::Opaque => {
            return false;
        }
    };
    i64::try_from(actual).ok() == expected.to_i64()
}

fn empty(left: &Side<'_>, right: &Side<'_>) -> Result<bool, PathError> {
    let actual = match left {
        Side::Text(text) => text.is_empty(),
        Side::Json { value, .. } => match value.as_array() {
            Some(items) => items.is_empty(),
            None => return Err(failed("The operator 'empty' cannot be applied to an object")),
        },
        Side::Undefined | Side::Null | Side::Bool(_) | Side::Number(_) | Side::Pattern(_) | Side::Opaque => {
            return Ok(false);
        }
    };
    let Side::Bool(expected) = right else { return Err(mismatch()) };
    Ok(actual == *expected)
}

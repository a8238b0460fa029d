//! A JSONata expression of a definition: parsed once for its problems and for what it reads, kept as text.
//!
//! The parser is `jsonata-core`'s, the same one that the evaluator has, and only this file and `uses.rs` know it. What
//! the parser makes is not kept: an evaluator parses for itself, and remembers.

use super::uses::Uses;
use super::wording;
use crate::limits;
use jsonata_core::parser::{self, ParserError};
use std::fmt;
use std::sync::Arc;

/// An expression, without the signs around it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Expression {
    text: Arc<str>,
    uses: Arc<Uses>,
}

/// Why a text is no expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// JSONata's code, such as `S0202`; some problems have none.
    pub code: Option<String>,
    /// The message, without the code.
    pub message: String,
    /// How many characters of the text were read when the problem was found; 0 where that is not known.
    pub position: usize,
}

impl Expression {
    /// Parses an expression. Its length is bounded by that of the definition, its nesting by the parser.
    pub(crate) fn parse(text: &str) -> Result<Expression, SyntaxError> {
        let tree = parser::parse(text).map_err(|error| SyntaxError::of(text, &error))?;
        Ok(Expression { text: text.into(), uses: Arc::new(Uses::of(&tree)) })
    }

    /// What parsing a text costs, at most about, in steps of some 30 nanoseconds.
    pub(crate) fn work(text: &str) -> u64 {
        let steps = text.bytes().filter(|byte| b".%?".contains(byte)).count() as u64;
        (text.len() as u64 * 20).saturating_add(steps.saturating_mul(steps))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn uses(&self) -> &Uses {
        &self.uses
    }
}

impl SyntaxError {
    fn of(text: &str, error: &ParserError) -> SyntaxError {
        let whole = error.to_string();
        // Some of the parser's messages carry the code behind a few words of its own.
        let whole = whole.strip_prefix("Invalid syntax: ").unwrap_or(&whole);
        let (code, message) = match whole.split_once(": ") {
            Some((code, message)) if is_code(code) => (Some(code.to_owned()), message),
            Some(_) | None => (None, whole),
        };
        // Some problems are that the text ends.
        let position = match code.as_deref() {
            Some("S0101" | "S0105" | "S0106" | "S0203" | "S0207") => text.chars().count(),
            Some(_) | None if text.len() <= limits::LOCATED_EXPRESSION_BYTES => position(text, error),
            Some(_) | None => 0,
        };
        let message = wording::syntax(code.as_deref().unwrap_or_default(), message);
        SyntaxError { code, message, position }
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(code) = &self.code {
            write!(f, "{code}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for SyntaxError {}

fn is_code(text: &str) -> bool {
    let (letter, digits) = text.split_at_checked(1).unwrap_or(("", ""));
    matches!(letter, "S" | "T" | "D" | "U") && digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit())
}

/// The number of characters after which the parser gave up. It does not tell; but it reads from left to right, so
/// that this is the length of the shortest beginning of the text that it refuses with the same words.
fn position(text: &str, error: &ParserError) -> usize {
    let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let refusal = error.to_string();
    let refused = |characters: usize| {
        parser::parse(&text[..ends[characters]]).is_err_and(|error| error.to_string() == refusal)
    };
    let (mut short, mut long) = (0, ends.len() - 1);
    while long - short > 1 {
        let middle = short.midpoint(long);
        if refused(middle) { long = middle } else { short = middle }
    }
    long
}

/// How often a bad expression is parsed at most, to find out where it is bad.
pub(super) const TRIES: u64 = 15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syntax_errors_have_code_and_position() {
        for (text, code, position) in [
            ("10 + * +", Some("S0207"), 8),
            ("$sum($states.input.items", Some("S0203"), 24),
            ("{'a': 1", Some("S0203"), 7),
            ("1 2 3", Some("S0201"), 3),
            ("'abc", Some("S0101"), 4),
            ("(1; 2", Some("S0203"), 5),
            ("", Some("S0207"), 0),
            ("a ] b", Some("S0201"), 3),
        ] {
            let error = Expression::parse(text).unwrap_err();
            assert_eq!((error.code.as_deref(), error.position), (code, position), "{text}: {error}");
            assert!(!error.message.contains("RightParen"), "{error}");
        }
    }

    #[test]
    fn very_deep_expressions_are_refused() {
        for text in ["(".repeat(200_000), "1+".repeat(200_000), "[".repeat(200_000), "a.".repeat(100_000)] {
            assert!(Expression::parse(&text).is_err());
        }
    }
}

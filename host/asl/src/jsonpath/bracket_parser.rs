//! Reads a step in brackets: `['name']`, `[0]`, `[1:2]`, `[*]`, `[?(...)]`, in the order in which Jayway tries
//! them, which decides the message of a wrong text. Must never accept a placeholder (`[?]`).

use super::ast::{Predicate, Step};
use super::cursor::{Cursor, Fault, unescape_name};
use super::filter_parser;
use super::parser::Allowance;

/// Reads the step that starts at the bracket under the cursor.
pub(super) fn parse(cursor: &mut Cursor, allowance: &mut Allowance) -> Result<Step, Fault> {
    if let quote @ ('\'' | '"') = cursor.next_significant(cursor.position) {
        return read_names(cursor, quote);
    }
    if let Some(step) = read_indexes(cursor)? {
        return Ok(step);
    }
    if let Some(step) = read_bracket_wildcard(cursor)? {
        return Ok(step);
    }
    if let Some(predicate) = read_filter(cursor, allowance)? {
        return Ok(Step::Filter(predicate));
    }
    refuse_placeholder(cursor)?;
    Fault::invalid(format!(
        "Could not parse token starting at position {}. Expected ?, ', 0-9, * ",
        cursor.position
    ))
}

/// `['a']`, `["a", "b"]`
fn read_names(cursor: &mut Cursor, quote: char) -> Result<Step, Fault> {
    let mut names = Vec::new();
    let (mut start, mut end) = (0, 0);
    let (mut inside, mut escaped, mut comma) = (false, false, false);
    let mut index = cursor.position + 1;
    while cursor.has(index) {
        let c = cursor.at(index).unwrap_or(' ');
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote && inside {
            if !matches!(cursor.next_significant(index), ']' | ',') {
                return Fault::invalid(format!(
                    "Property must be separated by comma or Property must be terminated close square bracket at index {index}"
                ));
            }
            names.push(unescape_name(&cursor.slice(start, index), quote)?);
            end = index;
            inside = false;
        } else if c == quote {
            start = index + 1;
            inside = true;
            comma = false;
        } else if !inside && (c == ']' || c == ',') {
            if comma {
                return Fault::invalid(format!("Found empty property at index {index}"));
            }
            if c == ']' {
                break;
            }
            comma = true;
        }
        index += 1;
    }
    if inside {
        return Fault::invalid(format!("Property has not been closed - missing closing {quote}"));
    }
    let Some(close) = cursor.index_of_significant(end, ']') else {
        return Fault::invalid("Property has not been closed - missing closing ]");
    };
    cursor.position = close + 1;
    match names.pop() {
        Some(name) if names.is_empty() => Ok(Step::Name { name, quote }),
        Some(name) => {
            names.push(name);
            Ok(Step::Names { names, quote })
        }
        None => Fault::invalid("Empty properties"),
    }
}

/// `[0]`, `[0,1]`, `[1:]`, `[:2]`, `[1:2]`
fn read_indexes(cursor: &mut Cursor) -> Result<Option<Step>, Fault> {
    let first = cursor.next_significant(cursor.position);
    let begin = cursor.position + 1;
    let (true, Some(close)) = (first.is_ascii_digit() || "-:".contains(first), cursor.index_of(begin, ']'))
    else {
        return Ok(None);
    };
    let text = cursor.slice(begin, close);
    let text = text.trim();
    if !text.chars().all(|c| c.is_ascii_digit() || ",-: ".contains(c)) {
        return Ok(None);
    }
    let step = if text.contains(':') { slice(text)? } else { indexes(text)? };
    cursor.position = close + 1;
    Ok(Some(step))
}

fn indexes(text: &str) -> Result<Step, Fault> {
    let mut indexes = Vec::new();
    for token in text.split(',').map(str::trim) {
        match token.parse::<i32>() {
            Ok(index) => indexes.push(i64::from(index)),
            Err(_) => {
                return Fault::invalid(format!("Failed to parse token in ArrayIndexOperation: {token}"));
            }
        }
    }
    Ok(match indexes.as_slice() {
        [index] => Step::Index(*index),
        _ => Step::Indexes(indexes),
    })
}

fn slice(text: &str) -> Result<Step, Fault> {
    let failed = || Fault::invalid(format!("Failed to parse SliceOperation: {text}"));
    if text.contains([',', ' ']) {
        return failed();
    }
    let mut ends = [None, None];
    // A third part, the step of other dialects, is read over.
    for (end, token) in ends.iter_mut().zip(text.split(':')).filter(|(_, token)| !token.is_empty()) {
        match token.parse::<i32>() {
            Ok(index) => *end = Some(i64::from(index)),
            Err(_) => return Fault::invalid(format!("For input string: \"{token}\"")),
        }
    }
    match ends {
        [None, None] => failed(),
        [from, to] => Ok(Step::Slice { from, to }),
    }
}

/// `[*]`
fn read_bracket_wildcard(cursor: &mut Cursor) -> Result<Option<Step>, Fault> {
    let Some(star) = cursor.index_of_significant(cursor.position, '*') else { return Ok(None) };
    let Some(close) = cursor.index_of_significant(star, ']') else {
        return Fault::invalid(format!("Expected wildcard token to end with ']' on position {}", star + 1));
    };
    cursor.position = close + 1;
    Ok(Some(Step::Wildcard))
}

/// `[?(...)]`
fn read_filter(cursor: &mut Cursor, allowance: &mut Allowance) -> Result<Option<Predicate>, Fault> {
    let open = cursor.index_of_significant(cursor.position, '?');
    let Some(parenthesis) = open.and_then(|mark| cursor.index_of_significant(mark, '(')) else {
        return Ok(None);
    };
    let Some(end) = cursor.matching(parenthesis, ('(', ')'), true)? else { return Ok(None) };
    let Some(close) = cursor.index_of_significant(end, ']') else { return Ok(None) };
    let text = cursor.slice(cursor.position, close + 1);
    let predicate = allowance.nested(|allowance| filter_parser::parse(&text, allowance))?;
    cursor.position = close + 1;
    Ok(Some(predicate))
}

/// `[?]` stands for a filter that a Java program passes beside the path: there is never one.
fn refuse_placeholder(cursor: &Cursor) -> Result<(), Fault> {
    let begin = cursor.position + 1;
    let Some(mark) = cursor.index_of_significant(cursor.position, '?') else { return Ok(()) };
    match (cursor.next_significant(mark), cursor.index_of(begin, ']')) {
        (']' | ',', Some(close)) => {
            let expression = cursor.slice(begin, close);
            let position = cursor.position;
            Fault::invalid(format!(
                "Not enough predicates supplied for filter [{expression}] at position {position}"
            ))
        }
        _ => Ok(()),
    }
}

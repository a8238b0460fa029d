//! Reads a path text into steps, by the grammar of Jayway's path compiler (its order of attempts decides
//! which message a wrong text gets). Must never look at a document, and never nest deeper than its bounds.

use super::ast::{Anchor, Call, Path, Step};
use super::cursor::{Cursor, Fault};
use super::error::ParseError;
use super::limits::{MAX_NESTING, MAX_PATH_CHARS, MAX_STEPS};
use super::{bracket_parser, parameter_parser};

/// What one path text may still use, filters and parameters inside it included.
#[derive(Debug, Default)]
pub(super) struct Allowance {
    steps: usize,
    depth: usize,
    /// Paths inside filters that start at the document, counted.
    pub(super) slots: usize,
}

impl Allowance {
    fn step(&mut self) -> Result<(), Fault> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return Fault::invalid(format!("Path has more than {MAX_STEPS} steps"));
        }
        Ok(())
    }

    /// Goes one level deeper, until `leave`.
    pub(super) fn enter(&mut self) -> Result<(), Fault> {
        if self.depth >= MAX_NESTING {
            return Fault::invalid(format!("Path is nested more than {MAX_NESTING} levels deep"));
        }
        self.depth += 1;
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Runs `read` one level deeper.
    pub(super) fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        self.enter()?;
        let result = read(self);
        self.leave();
        result
    }
}

/// Parses a whole path. Returns it with the number of slots its filters use.
///
/// # Errors
/// Jayway's message for the text, or the bound that it passes.
pub(super) fn parse(text: &str) -> Result<(Path, usize), ParseError> {
    if text.chars().count() > MAX_PATH_CHARS {
        return Err(ParseError::new(format!("Path is longer than {MAX_PATH_CHARS} characters")));
    }
    // Jayway would put `$.` before any other text; in the States Language a path starts with `$`.
    if !text.starts_with('$') {
        return Err(ParseError::new("Path must start with '$'"));
    }
    let mut allowance = Allowance::default();
    let path = compile(text, &mut allowance)?;
    Ok((path, allowance.slots))
}

/// Parses a path that is a text of its own: the whole, or an operand of a filter.
pub(super) fn compile(text: &str, allowance: &mut Allowance) -> Result<Path, Fault> {
    let mut cursor = Cursor::new(text);
    cursor.trim();
    if cursor.at(cursor.end.saturating_sub(1)) == Some('.') {
        return Fault::invalid("Path must not end with a '.' or '..'");
    }
    read_path(&mut cursor, allowance)
}

/// Parses a path from its anchor to the end of the text.
pub(super) fn read_path(cursor: &mut Cursor, allowance: &mut Allowance) -> Result<Path, Fault> {
    while matches!(cursor.current(), Some(' ' | '\t' | '\r' | '\n')) {
        cursor.position += 1;
    }
    let anchor = match cursor.current() {
        Some('$') => Anchor::Document,
        Some('@') => Anchor::Item,
        _ => return Fault::invalid("Path must start with '$' or '@'"),
    };
    let mut steps = Vec::new();
    if !cursor.at_tail() {
        cursor.position += 1;
        if !matches!(cursor.current(), Some('.' | '[')) {
            return Fault::invalid(format!(
                "Illegal character at position {} expected '.' or '['",
                cursor.position
            ));
        }
        loop {
            let step = read_step(cursor, allowance)?;
            allowance.step()?;
            let more = matches!(step, Step::Scan) || !cursor.at_tail();
            steps.push(step);
            if !more {
                break;
            }
        }
    }
    Ok(Path::new(anchor, steps))
}

fn read_step(cursor: &mut Cursor, allowance: &mut Allowance) -> Result<Step, Fault> {
    if cursor.current() == Some('.') {
        if cursor.has(cursor.position + 1) && cursor.at(cursor.position + 1) == Some('.') {
            cursor.position += 2;
            refuse_dot(cursor)?;
            return Ok(Step::Scan);
        }
        if !cursor.has(cursor.position + 1) {
            return Fault::invalid("Path must not end with a '.");
        }
        cursor.position += 1;
        refuse_dot(cursor)?;
    }
    match cursor.current() {
        Some('[') => bracket_parser::parse(cursor, allowance),
        Some('*') => {
            cursor.position += 1;
            Ok(Step::Wildcard)
        }
        Some(' ') => {
            Fault::invalid(format!("Could not parse token starting at position {}", cursor.position))
        }
        Some(_) => read_name_or_call(cursor, allowance),
        None => Err(Fault::Broken),
    }
}

fn refuse_dot(cursor: &Cursor) -> Result<(), Fault> {
    if cursor.current() == Some('.') {
        return Fault::invalid(format!("Character '.' on position {} is not valid.", cursor.position));
    }
    Ok(())
}

/// `name` or `name(...)`
fn read_name_or_call(cursor: &mut Cursor, allowance: &mut Allowance) -> Result<Step, Fault> {
    let start = cursor.position;
    let mut end = start;
    while cursor.has(end) && !matches!(cursor.at(end), Some('.' | '[' | '(')) {
        if cursor.at(end) == Some(' ') {
            return Fault::invalid(format!(
                "Use bracket notion ['my prop'] if your property contains blank characters. position: {start}"
            ));
        }
        end += 1;
    }
    let name = cursor.slice(start, end);
    if !cursor.has(end) || cursor.at(end) != Some('(') {
        cursor.position = end;
        return Ok(Step::Name { name, quote: '\'' });
    }
    let unclosed = || format!("Arguments to function: '{name}' are not closed properly.");
    if cursor.matching_parenthesis(end).is_none() {
        return Fault::invalid(unclosed());
    }
    // Behind `()` reading goes on at the closing parenthesis: only the end of the path may follow it.
    cursor.position = end + 1;
    let mut parameters = Vec::new();
    if cursor.current() != Some(')') {
        parameters = match allowance.nested(|allowance| parameter_parser::parse(cursor, allowance))? {
            Some(parameters) => parameters,
            None => return Fault::invalid(unclosed()),
        };
    }
    Ok(Step::Function(Call::new(name, parameters)))
}

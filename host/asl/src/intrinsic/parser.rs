//! Reads the text of a call (specification, "Intrinsic Functions"): a name, then arguments in parentheses. An
//! argument is a string in single quotes, a number, `true`, `false`, `null`, a path or another call.
//!
//! Must never look at a document, nor recurse deeper than calls may nest.

use super::function::Function;
use super::json::without_negative_zero;
use super::{Argument, Call, IntrinsicError};
use crate::limits;
use crate::query_path::QueryPath;
use serde_json::Value;

/// Parses a whole text. White space after the call is allowed: block texts of YAML end with a line break.
pub(super) fn parse(text: &str) -> Result<Call, IntrinsicError> {
    let mut parser = Parser { rest: text };
    let call = parser.call(1)?;
    parser.skip_space();
    if !parser.rest.is_empty() {
        return Err(unexpected(parser.rest, "the end"));
    }
    Ok(call)
}

struct Parser<'t> {
    rest: &'t str,
}

impl<'t> Parser<'t> {
    /// `States.Name(...)`; `depth` counts the calls around it and itself.
    fn call(&mut self, depth: usize) -> Result<Call, IntrinsicError> {
        if depth > limits::INTRINSIC_DEPTH {
            let message =
                format!("Intrinsic functions are nested more than {} deep", limits::INTRINSIC_DEPTH);
            return Err(IntrinsicError::new(message));
        }
        let name = self.take_while(|character| character.is_ascii_alphanumeric() || character == '.');
        let Some(function) = Function::from_name(name) else {
            return Err(IntrinsicError::new(format!("There is no intrinsic function '{name}'")));
        };
        self.expect('(')?;
        let arguments = self.arguments(function, depth)?;
        let allowed = function.arguments();
        if !allowed.contains(&arguments.len()) {
            let (given, name) = (arguments.len(), function.name());
            let expected = match (allowed.start(), allowed.end()) {
                (least, most) if least == most => least.to_string(),
                (least, most) => format!("{least} to {most}"),
            };
            return Err(IntrinsicError::new(format!(
                "{name} takes {expected} arguments, but {given} are given"
            )));
        }
        Ok(Call { function, arguments })
    }

    /// Everything up to the closing parenthesis.
    fn arguments(&mut self, function: Function, depth: usize) -> Result<Vec<Argument>, IntrinsicError> {
        let mut arguments = Vec::new();
        self.skip_space();
        if self.accept(')') {
            return Ok(arguments);
        }
        loop {
            if arguments.len() >= limits::INTRINSIC_ARGUMENTS {
                let message = format!("A call has more than {} arguments", limits::INTRINSIC_ARGUMENTS);
                return Err(IntrinsicError::new(message));
            }
            self.skip_space();
            let argument = self.argument(depth)?;
            if function.takes_number(arguments.len()) && argument.can_not_be_number() {
                let (name, at) = (function.name(), arguments.len() + 1);
                return Err(IntrinsicError::new(format!(
                    "Argument {at} of {name} must be a number or a path"
                )));
            }
            arguments.push(argument);
            self.skip_space();
            if self.accept(')') {
                return Ok(arguments);
            }
            self.expect(',')?;
        }
    }

    fn argument(&mut self, depth: usize) -> Result<Argument, IntrinsicError> {
        match self.rest.chars().next() {
            Some('\'') => self.text(),
            Some('$') => self.path(),
            Some('S') => self.call(depth + 1).map(Argument::Call),
            _ => self.literal(),
        }
    }

    /// A string. Four characters are written with a backslash; any other escape is an error, as it is on AWS.
    fn text(&mut self) -> Result<Argument, IntrinsicError> {
        self.expect('\'')?;
        let written = self.rest;
        let mut value = String::new();
        let mut characters = written.char_indices();
        while let Some((at, character)) = characters.next() {
            match character {
                '\'' => {
                    let (written, rest) = written.split_at(at);
                    self.rest = rest.strip_prefix('\'').unwrap_or(rest);
                    return Ok(Argument::Text { written: written.to_owned(), value });
                }
                '\\' => match characters.next() {
                    Some((_, escaped @ ('\'' | '{' | '}' | '\\'))) => value.push(escaped),
                    Some((_, other)) => {
                        return Err(IntrinsicError::new(format!(
                            "There is no escape '\\{other}' in strings"
                        )));
                    }
                    None => break,
                },
                other => value.push(other),
            }
        }
        Err(IntrinsicError::new("A string has no closing quote"))
    }

    /// A path reaches to the comma or parenthesis behind it that is not its own.
    fn path(&mut self) -> Result<Argument, IntrinsicError> {
        let (text, rest) = self.rest.split_at(path_length(self.rest));
        let text = text.trim_end();
        let path = QueryPath::parse(text).map_err(|error| {
            IntrinsicError::new(format!("'{}' is not a valid path: {error}", excerpt(text)))
        })?;
        self.rest = rest;
        Ok(Argument::Path(path))
    }

    /// A number, `true`, `false` or `null`, as JSON writes them.
    fn literal(&mut self) -> Result<Argument, IntrinsicError> {
        let start = self.rest;
        let word = self.take_while(|character| {
            character.is_ascii_alphanumeric() || matches!(character, '-' | '+' | '.')
        });
        match serde_json::from_str::<Value>(&without_negative_zero(word)) {
            Ok(value @ (Value::Null | Value::Bool(_) | Value::Number(_))) => Ok(Argument::Literal(value)),
            Ok(Value::String(_) | Value::Array(_) | Value::Object(_)) | Err(_) => {
                Err(unexpected(start, "a string, a number, a path or a call"))
            }
        }
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'t str {
        let end = self.rest.find(|character| !belongs(character)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn accept(&mut self, wanted: char) -> bool {
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, wanted: char) -> Result<(), IntrinsicError> {
        if self.accept(wanted) { Ok(()) } else { Err(unexpected(self.rest, &format!("'{wanted}'"))) }
    }
}

impl Argument {
    /// Whether no input can make this a number. The result of a nested call is judged when it is there.
    fn can_not_be_number(&self) -> bool {
        match self {
            Argument::Text { .. } => true,
            Argument::Literal(value) => !value.is_number(),
            Argument::Path(_) | Argument::Call(_) => false,
        }
    }
}

/// How many bytes of `text` belong to the path at its start. Commas and parentheses inside brackets, filters
/// and function parameters are part of it, and there strings and regular expressions may hold anything.
fn path_length(text: &str) -> usize {
    let mut depth = 0_usize;
    // The delimiter that ends the string or regular expression that is being read.
    let mut until: Option<char> = None;
    let mut escaped = false;
    let mut previous = ' ';
    for (at, character) in text.char_indices() {
        if let Some(delimiter) = until {
            match character {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                _ if character == delimiter => until = None,
                _ => {}
            }
            continue;
        }
        match character {
            ',' | ')' if depth == 0 => return at,
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            '\'' | '"' if depth > 0 => until = Some(character),
            '/' if depth > 0 && previous == '~' => until = Some(character),
            _ => {}
        }
        if !character.is_whitespace() {
            previous = character;
        }
    }
    text.len()
}

fn unexpected(rest: &str, wanted: &str) -> IntrinsicError {
    match excerpt(rest) {
        "" => IntrinsicError::new(format!("The call ends where {wanted} is expected")),
        found => IntrinsicError::new(format!("Expected {wanted}, but found '{found}'")),
    }
}

/// The first characters of a text, for messages.
fn excerpt(text: &str) -> &str {
    const EXCERPT_CHARACTERS: usize = 40;
    match text.char_indices().nth(EXCERPT_CHARACTERS) {
        Some((end, _)) => text.get(..end).unwrap_or_default(),
        None => text,
    }
}

//! Reads the parameters of a function call (`$.concat($.a, "-", 1)`) by Jayway's own small tokenizer: it
//! splits at commas outside brackets and quotes, then reads each part as a path or as JSON. Must never fail
//! on a part that is neither: Jayway ignores it.

use super::ast::Parameter;
use super::cursor::{Cursor, Fault};
use super::literal;
use super::parser::{Allowance, read_path};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Json,
    Path,
}

/// The brackets and quotes that are open.
struct Groups {
    parentheses: i64,
    brackets: usize,
    braces: usize,
    quotes: usize,
}

/// Reads up to and including the closing parenthesis; `None` if brackets stay open.
pub(super) fn parse(cursor: &mut Cursor, allowance: &mut Allowance) -> Result<Option<Vec<Parameter>>, Fault> {
    let mut groups = Groups { parentheses: 1, brackets: 0, braces: 0, quotes: 0 };
    let mut parameters = Vec::new();
    let mut kind: Option<Kind> = None;
    let mut text = String::new();
    let mut previous = '\0';
    let mut done = false;
    while let (true, Some(c)) = (cursor.in_bounds() && !done, cursor.current()) {
        cursor.position += 1;
        if kind.is_none() {
            if matches!(c, ' ' | '\t' | '\n' | '\r') {
                continue;
            }
            kind = starts(c);
        }
        if groups.count(c, previous, cursor.position)? {
            done = groups.parentheses == 0;
            if c == ')' && previous == '(' {
                text.push(c); // The end of an inner call without parameters belongs to its text.
            }
            if let Some(found) = kind.take() {
                parameters.push(parameter(found, &text, allowance)?);
            }
            text.clear();
        } else if kind.is_some() && !groups.separates(c) {
            text.push(c);
        }
        previous = c;
    }
    let closed = groups.parentheses == 0 && groups.brackets == 0 && groups.braces == 0;
    Ok(closed.then_some(parameters))
}

fn starts(c: char) -> Option<Kind> {
    match c {
        '{' | '"' | '-' | '0'..='9' => Some(Kind::Json),
        '$' | '@' => Some(Kind::Path),
        _ => None,
    }
}

fn parameter(kind: Kind, text: &str, allowance: &mut Allowance) -> Result<Parameter, Fault> {
    Ok(match kind {
        Kind::Json => Parameter::Json(literal::parse(text)),
        Kind::Path => Parameter::Path(read_path(&mut Cursor::new(text), allowance)?),
    })
}

impl Groups {
    /// Counts one character; true when it ends a parameter.
    fn count(&mut self, c: char, previous: char, position: usize) -> Result<bool, Fault> {
        match c {
            '"' if previous != '\\' && self.quotes > 0 => self.quotes -= 1,
            '"' => self.quotes += 1,
            '(' => self.parentheses += 1,
            '{' => self.braces += 1,
            '[' => self.brackets += 1,
            '}' if self.braces == 0 => {
                return Fault::invalid(format!(
                    "Unexpected close brace '}}' at character position: {position}"
                ));
            }
            '}' => self.braces -= 1,
            ']' if self.brackets == 0 => {
                return Fault::invalid(format!(
                    "Unexpected close bracket ']' at character position: {position}"
                ));
            }
            ']' => self.brackets -= 1,
            ')' => self.parentheses -= 1,
            _ => {}
        }
        let outside = self.quotes == 0 && self.braces == 0 && self.brackets == 0;
        Ok(outside
            && ((c == ')' && (0..=1).contains(&self.parentheses)) || (c == ',' && self.parentheses == 1)))
    }

    /// True for a comma at the outermost level. As in Jayway that includes a comma inside quotes, which the
    /// text therefore loses: `concat("a,b")` is `ab`.
    fn separates(&self, c: char) -> bool {
        c == ',' && self.parentheses == 1 && self.brackets == 0 && self.braces == 0
    }
}

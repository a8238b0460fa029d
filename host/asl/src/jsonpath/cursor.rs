//! A position in a path text, with the look-ahead that Jayway's grammar is written in ("next significant
//! character" = the next one that is not a blank). Must never decide what a character means.

use super::error::ParseError;

/// Why reading stopped.
#[derive(Debug)]
pub(super) enum Fault {
    /// Something the grammar forbids, with Jayway's message.
    Invalid(String),
    /// A token that does not even read as what it starts as (a number without digits, a broken pattern, the
    /// end of the text). A filter turns it into a message with the position.
    Broken,
}

impl Fault {
    pub(super) fn invalid<T>(message: impl Into<String>) -> Result<T, Self> {
        Err(Self::Invalid(message.into()))
    }
}

impl From<Fault> for ParseError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Invalid(message) => Self::new(message),
            Fault::Broken => Self::new("Unexpected end of path"),
        }
    }
}

/// The text, where reading is, and where it has to end (a filter hides its closing bracket).
pub(super) struct Cursor {
    chars: Vec<char>,
    pub(super) position: usize,
    pub(super) end: usize,
}

impl Cursor {
    pub(super) fn new(text: &str) -> Self {
        let chars: Vec<char> = text.chars().collect();
        let end = chars.len();
        Self { chars, position: 0, end }
    }

    pub(super) fn text(&self) -> String {
        self.chars.iter().collect()
    }

    pub(super) fn slice(&self, from: usize, to: usize) -> String {
        self.chars.get(from..to).unwrap_or_default().iter().collect()
    }

    /// Returns the character at `index`, also behind `end`.
    pub(super) fn at(&self, index: usize) -> Option<char> {
        self.chars.get(index).copied()
    }

    pub(super) fn current(&self) -> Option<char> {
        self.at(self.position)
    }

    pub(super) fn has(&self, index: usize) -> bool {
        index < self.end
    }

    pub(super) fn in_bounds(&self) -> bool {
        self.has(self.position)
    }

    /// True when at most one character is left: there Jayway stops reading a path, so that `$.a]` is `$.a`.
    pub(super) fn at_tail(&self) -> bool {
        self.position + 1 >= self.end
    }

    pub(super) fn skip_blanks(&mut self) {
        while self.position + 1 < self.end && self.current() == Some(' ') {
            self.position += 1;
        }
    }

    pub(super) fn trim(&mut self) {
        self.skip_blanks();
        while self.position + 1 < self.end && self.at(self.end - 1) == Some(' ') {
            self.end -= 1;
        }
    }

    /// Returns the first index behind `from` that holds no blank.
    fn significant(&self, from: usize) -> usize {
        let mut index = from + 1;
        while self.has(index) && self.at(index) == Some(' ') {
            index += 1;
        }
        index
    }

    /// Returns the next significant character behind `from`, or a blank at the end.
    pub(super) fn next_significant(&self, from: usize) -> char {
        let index = self.significant(from);
        if self.has(index) { self.at(index).unwrap_or(' ') } else { ' ' }
    }

    /// Returns where the next significant character behind `from` is, if it is `wanted`.
    pub(super) fn index_of_significant(&self, from: usize, wanted: char) -> Option<usize> {
        let index = self.significant(from);
        (self.at(index) == Some(wanted) && self.has(index)).then_some(index)
    }

    /// Returns the last significant character before the position, with its index.
    pub(super) fn previous_significant(&self) -> Option<(usize, char)> {
        let before = self.chars.get(..self.position)?;
        before.iter().copied().enumerate().rev().find(|(_, c)| *c != ' ')
    }

    pub(super) fn index_of(&self, from: usize, wanted: char) -> Option<usize> {
        (from..self.end).find(|index| self.at(*index) == Some(wanted))
    }

    /// Returns the next `wanted` behind `from` that no backslash escapes.
    pub(super) fn index_of_unescaped(&self, from: usize, wanted: char) -> Option<usize> {
        let mut escaped = false;
        for index in from + 1..self.end {
            match self.at(index) {
                _ if escaped => escaped = false,
                Some('\\') => escaped = true,
                found if found == Some(wanted) => return Some(index),
                _ => {}
            }
        }
        None
    }

    /// Returns the bracket that closes the one at `start`, skipping strings and, if asked, patterns.
    pub(super) fn matching(
        &self,
        start: usize,
        pair: (char, char),
        patterns: bool,
    ) -> Result<Option<usize>, Fault> {
        let mut open = 1_usize;
        let mut index = start + 1;
        while self.has(index) {
            if let Some(quote @ ('\'' | '"')) = self.at(index) {
                let Some(close) = self.index_of_unescaped(index, quote) else {
                    let text = self.text();
                    return Fault::invalid(format!(
                        "Could not find matching close quote for {quote} when parsing : {text}"
                    ));
                };
                index = close + 1;
            }
            if patterns && self.at(index) == Some('/') {
                let Some(close) = self.index_of_unescaped(index, '/') else {
                    let text = self.text();
                    return Fault::invalid(format!(
                        "Could not find matching close for / when parsing regex in : {text}"
                    ));
                };
                index = close + 1;
            }
            let found = self.at(index);
            if found == Some(pair.0) {
                open += 1;
            } else if found == Some(pair.1) {
                open -= 1;
                if open == 0 {
                    return Ok(Some(index));
                }
            }
            index += 1;
        }
        Ok(None)
    }

    /// Returns the parenthesis that closes the one at `open`, whatever stands between.
    pub(super) fn matching_parenthesis(&self, open: usize) -> Option<usize> {
        let mut depth = 0_usize;
        (open..self.end).find(|index| {
            match self.at(*index) {
                Some('(') => depth += 1,
                Some(')') => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0
        })
    }

    /// Steps over `wanted` if it comes next, blanks aside.
    pub(super) fn accept(&mut self, wanted: &str) -> bool {
        let before = self.position;
        self.skip_blanks();
        let next = self.position + wanted.chars().count();
        let found = next <= self.end && self.slice(self.position, next) == wanted;
        self.position = if found { next } else { before };
        found
    }
}

/// Replaces the escapes of a quoted string: `\'`, `\n`, `\u0041`, and any other character for itself.
pub(super) fn unescape(text: &str) -> Result<String, Fault> {
    replace_escapes(text, None)
}

/// Replaces the escapes of a name between `quote`s. A backslash before the other kind of quote is part of the name
/// (recorded on AWS; a recent Jayway drops it).
pub(super) fn unescape_name(text: &str, quote: char) -> Result<String, Fault> {
    replace_escapes(text, Some(if quote == '"' { '\'' } else { '"' }))
}

fn replace_escapes(text: &str, kept: Option<char>) -> Result<String, Fault> {
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut buffer = [0_u16; 2];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            units.extend_from_slice(c.encode_utf16(&mut buffer));
            continue;
        }
        let plain = match chars.next() {
            Some('u') => {
                let hex: String = chars.by_ref().take(4).collect();
                if hex.chars().count() < 4 {
                    break; // Jayway drops an escape that the text ends in.
                }
                let Ok(unit) = u16::from_str_radix(&hex, 16) else {
                    return Fault::invalid(format!("Unable to parse unicode value: {hex}"));
                };
                units.push(unit);
                continue;
            }
            Some(other) if Some(other) == kept => {
                units.push(u16::from(b'\\'));
                other
            }
            Some('r') => '\r',
            Some('f') => '\u{c}',
            Some('t') => '\t',
            Some('n') => '\n',
            Some('b') => '\u{8}',
            Some(other) => other,
            None => '\\',
        };
        units.extend_from_slice(plain.encode_utf16(&mut buffer));
    }
    Ok(String::from_utf16_lossy(&units))
}

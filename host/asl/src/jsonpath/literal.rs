//! The JSON literals inside a path text, read as permissively as Jayway's JSON parser reads them: single
//! quotes, words without quotes (`[red, 'green']`), stray commas. Must never be used for documents.

use serde_json::{Map, Value};

use super::cursor::unescape;
use super::limits::MAX_LITERAL_DEPTH;

/// Reads one literal.
///
/// # Errors
/// A message, when a bracket or a quote stays open, a key has no value, or the nesting passes its bound.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    let mut reader = Reader { chars: text.chars().collect(), position: 0 };
    reader.value(0, &[])
}

struct Reader {
    chars: Vec<char>,
    position: usize,
}

impl Reader {
    fn peek(&mut self) -> Option<char> {
        while self.chars.get(self.position).is_some_and(char::is_ascii_whitespace) {
            self.position += 1;
        }
        self.chars.get(self.position).copied()
    }

    fn fail<T>(&self, what: &str) -> Result<T, String> {
        Err(format!("{what} position {}", self.position))
    }

    fn value(&mut self, depth: usize, stops: &[char]) -> Result<Value, String> {
        if depth > MAX_LITERAL_DEPTH {
            return self.fail("Malicious payload, having non natural depths, parsing stopped at");
        }
        match self.peek() {
            Some('[') => self.array(depth),
            Some('{') => self.object(depth),
            Some(quote @ ('\'' | '"')) => self.quoted(quote).map(Value::String),
            Some(_) => Ok(word_value(&self.word(stops))),
            None => self.fail("Unexpected End Of File"),
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, String> {
        self.position += 1;
        let mut items = Vec::new();
        loop {
            match self.peek() {
                Some(']') => {
                    self.position += 1;
                    return Ok(Value::Array(items));
                }
                Some(',') => self.position += 1,
                Some(_) => {
                    items.push(self.value(depth + 1, &[',', ']'])?);
                    if !matches!(self.peek(), Some(',' | ']')) {
                        return self.fail("Unexpected character at");
                    }
                }
                None => return self.fail("Unexpected End Of File"),
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, String> {
        self.position += 1;
        let mut entries = Map::new();
        loop {
            match self.peek() {
                Some('}') => {
                    self.position += 1;
                    return Ok(Value::Object(entries));
                }
                Some(',') => self.position += 1,
                Some(c) => {
                    let key =
                        if matches!(c, '\'' | '"') { self.quoted(c)? } else { self.word(&[':', '}', ',']) };
                    if self.peek() != Some(':') {
                        return self.fail("Unexpected character at");
                    }
                    self.position += 1;
                    if matches!(self.peek(), Some(',' | '}')) {
                        return self.fail("Unexpected character at");
                    }
                    entries.insert(key, self.value(depth + 1, &[',', '}'])?);
                    if !matches!(self.peek(), Some(',' | '}')) {
                        return self.fail("Unexpected character at");
                    }
                }
                None => return self.fail("Unexpected End Of File"),
            }
        }
    }

    fn quoted(&mut self, quote: char) -> Result<String, String> {
        let start = self.position + 1;
        let mut escaped = false;
        for index in start..self.chars.len() {
            let c = self.chars.get(index).copied();
            if escaped {
                escaped = false;
            } else if c == Some('\\') {
                escaped = true;
            } else if c == Some(quote) {
                let raw: String = self.chars.get(start..index).unwrap_or_default().iter().collect();
                self.position = index + 1;
                return unescape(&raw).map_err(|_| format!("Invalid unicode escape before position {index}"));
            }
        }
        self.fail("Unexpected End Of File")
    }

    fn word(&mut self, stops: &[char]) -> String {
        let rest = self.chars.get(self.position..).unwrap_or_default();
        let length = rest.iter().position(|c| stops.contains(c)).unwrap_or(rest.len());
        let word: String = rest.iter().take(length).collect();
        self.position += length;
        word.trim().to_owned()
    }
}

/// Reads a word without quotes: a number, a constant, or else a string.
fn word_value(word: &str) -> Value {
    let scalar =
        serde_json::from_str::<Value>(word).ok().filter(|value| !value.is_array() && !value.is_object());
    let numeric = word.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    let integer = || word.parse::<i64>().ok().filter(|_| numeric).map(Value::from); // 007
    let float = || word.parse::<f64>().ok().filter(|_| numeric).map(Value::from); // 2.
    scalar.or_else(integer).or_else(float).unwrap_or_else(|| Value::String(word.to_owned()))
}

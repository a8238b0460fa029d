//! Says why a definition is not JSON, in the words that Step Functions uses (recorded for an unrecognised token;
//! the other sentences are those of the same JSON parser).
//!
//! It explains a refusal that `serde_json` has already given: it must never accept or refuse a text itself.

use super::diagnostic::{Diagnostic, DiagnosticCode};
use std::fmt::Write;

/// Characters of the text that a place shows.
const SHOWN_CHARACTERS: usize = 500;
/// Characters of an unrecognised token that a message shows.
const TOKEN_CHARACTERS: usize = 256;

const VALUES: &str = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
const FIELD_NAME: &str = "was expecting double-quote to start field name";

/// The problem that `error` is; `text` is what was read.
pub(super) fn explain(text: &str, error: &serde_json::Error) -> Diagnostic {
    let (message, at) = if error.is_eof() { unexpected_end(text) } else { unexpected(text, error) };
    let place = place(text, at);
    let message = format!("{message}\n at {place}");
    Diagnostic::error(DiagnosticCode::InvalidJsonDescription, message, place)
}

/// `[Source: (String)"the text"; line: 1, column: 4]` for the place `at`, in bytes.
fn place(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|character| *character != '\n').count() + 1;
    let mut shown = String::new();
    for character in text.chars().take(SHOWN_CHARACTERS) {
        if character.is_control() && !matches!(character, '\n' | '\r') {
            // Writing to a String cannot fail.
            let _ = write!(shown, "\\u{:04X}", u32::from(character));
        } else {
            shown.push(character);
        }
    }
    let hidden = text.chars().count().saturating_sub(SHOWN_CHARACTERS);
    let hidden = if hidden > 0 { format!("[truncated {hidden} chars]") } else { String::new() };
    format!("[Source: (String)\"{shown}\"{hidden}; line: {line}, column: {column}]")
}

/// What is wrong in the middle of the text, and where.
fn unexpected(text: &str, error: &serde_json::Error) -> (String, usize) {
    let at = offset(text, error);
    let found = text[at..].chars().next().unwrap_or_default();
    let behind = at + found.len_utf8();
    let expected_value = format!("expected a valid value {VALUES}");
    // serde_json tells its reasons apart in words only.
    let reason = error.to_string();
    let expected = if reason.starts_with("expected `:`") {
        "was expecting a colon to separate field name and value"
    } else if reason.starts_with("expected `,` or") {
        if matches!(found, ']' | '}') {
            return (unexpected_close(text, at, found), behind);
        }
        let object = reason.starts_with("expected `,` or `}`");
        if object {
            "was expecting comma to separate Object entries"
        } else {
            "was expecting comma to separate Array entries"
        }
    } else if reason.starts_with("key must be a string") {
        FIELD_NAME
    } else if reason.starts_with("trailing comma") {
        if found == '}' { FIELD_NAME } else { &expected_value }
    } else if reason.starts_with("expected") {
        // A word that begins as `true` does is refused at the first letter that differs, or behind it.
        if is_token_part(found) || reason.starts_with("expected ident") {
            return unrecognised_token(text, at);
        }
        &expected_value
    } else if reason.starts_with("invalid escape") {
        return (format!("Unrecognized character escape {}", described(found)), behind);
    } else if reason.starts_with("control character") {
        let rest = "has to be escaped using backslash to be included in string value";
        return (format!("Illegal unquoted character ({}): {rest}", described(found)), behind);
    } else {
        let sentence = reason.split(" at line ").next().unwrap_or_default();
        return (sentence.to_owned(), behind);
    };
    (format!("Unexpected character ({}): {expected}", described(found)), behind)
}

/// Where `serde_json` stopped, in bytes; it counts lines from 1 and the bytes of a line from 1.
fn offset(text: &str, error: &serde_json::Error) -> usize {
    let lines = text.split_inclusive('\n').take(error.line().saturating_sub(1));
    let start: usize = lines.map(str::len).sum();
    let at = (start + error.column().saturating_sub(1)).min(text.len());
    text.floor_char_boundary(at)
}

fn is_token_part(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '$')
}

/// The whole word around `at`; the place is behind it.
fn unrecognised_token(text: &str, at: usize) -> (String, usize) {
    let start = text[..at].trim_end_matches(is_token_part).len();
    let rest = text[at..].trim_start_matches(is_token_part);
    let end = text.len() - rest.len();
    let token = &text[start..end];
    let (token, end, dots) = match token.char_indices().nth(TOKEN_CHARACTERS) {
        Some((cut, _)) => (&token[..cut], start + cut, "..."),
        None => (token, end, ""),
    };
    (format!("Unrecognized token '{token}{dots}': was expecting {VALUES}"), end)
}

/// A character with its code, as messages write it.
fn described(character: char) -> String {
    let code = u32::from(character);
    if character.is_control() {
        format!("(CTRL-CHAR, code {code})")
    } else if code > 255 {
        format!("'{character}' (code {code} / 0x{code:x})")
    } else {
        format!("'{character}' (code {code})")
    }
}

/// An object or array that is open, and where it began.
#[derive(Clone, Copy)]
struct Open {
    bracket: char,
    at: usize,
}

impl Open {
    fn kind(self) -> &'static str {
        if self.bracket == '{' { "Object" } else { "Array" }
    }
}

/// Where a text, or its beginning, ends: the innermost open bracket, the last character that is no white space,
/// and whether it is within a string.
fn end_of(text: &str) -> (Option<Open>, Option<char>, bool) {
    let mut open = Vec::new();
    let mut last = None;
    let (mut in_string, mut escaped) = (false, false);
    for (at, character) in text.char_indices() {
        if in_string {
            in_string = escaped || character != '"';
            escaped = !escaped && character == '\\';
            last = Some('"');
            continue;
        }
        match character {
            '"' => in_string = true,
            '{' | '[' => open.push(Open { bracket: character, at }),
            '}' | ']' => {
                open.pop();
            }
            _ => {}
        }
        if !character.is_whitespace() {
            last = Some(character);
        }
    }
    (open.last().copied(), last, in_string)
}

fn unexpected_end(text: &str) -> (String, usize) {
    let (open, last, in_string) = end_of(text);
    let rest = match (open, last) {
        _ if in_string => ": was expecting closing quote for a string value".to_owned(),
        (Some(open), Some(',' | ':')) => format!(" within/between {} entries", open.kind()),
        (Some(open), Some(last)) if is_token_part(last) && last.is_alphabetic() => {
            let _ = open;
            return unrecognised_token(text, text.trim_end().len());
        }
        (Some(open), _) => {
            let kind = open.kind();
            format!(": expected close marker for {kind} (start marker at {})", place(text, open.at))
        }
        (None, _) => return unrecognised_token(text, text.trim_end().len()),
    };
    (format!("Unexpected end-of-input{rest}"), text.len())
}

fn unexpected_close(text: &str, at: usize, found: char) -> String {
    let Some(open) = end_of(&text[..at]).0 else {
        return format!("Unexpected close marker '{found}'");
    };
    let (kind, place) = (open.kind(), place(text, open.at));
    let expected = if open.bracket == '{' { '}' } else { ']' };
    format!("Unexpected close marker '{found}': expected '{expected}' (for {kind} starting at {place})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn refusals_are_explained() {
        let value =
            "expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
        let token = "was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
        for (text, line, column, expected) in [
            ("not a definition", 1, 4, format!("Unrecognized token 'not': {token}")),
            ("{\"a\":\n tru}", 2, 5, format!("Unrecognized token 'tru': {token}")),
            ("{\"a\": hello}", 1, 12, format!("Unrecognized token 'hello': {token}")),
            ("{\"a\": nul", 1, 10, format!("Unrecognized token 'nul': {token}")),
            ("hello", 1, 6, format!("Unrecognized token 'hello': {token}")),
            ("tru", 1, 4, format!("Unrecognized token 'tru': {token}")),
            ("{\"a\": ?}", 1, 8, format!("Unexpected character ('?' (code 63)): {value}")),
            ("{\"a\": €}", 1, 8, format!("Unexpected character ('€' (code 8364 / 0x20ac)): {value}")),
            ("[1,]", 1, 5, format!("Unexpected character (']' (code 93)): {value}")),
            ("{a: 1}", 1, 3, format!("Unexpected character ('a' (code 97)): {FIELD_NAME}")),
            ("{\"a\": 1,}", 1, 10, format!("Unexpected character ('}}' (code 125)): {FIELD_NAME}")),
            (
                "{\"a\" 1}",
                1,
                7,
                "Unexpected character ('1' (code 49)): was expecting a colon to separate field name and value".to_owned(),
            ),
            (
                "{\"a\": 1 \"b\": 2}",
                1,
                10,
                "Unexpected character ('\"' (code 34)): was expecting comma to separate Object entries".to_owned(),
            ),
            ("[1 2]", 1, 5, "Unexpected character ('2' (code 50)): was expecting comma to separate Array entries".to_owned()),
            ("{\"a\": \"\\x\"}", 1, 10, "Unrecognized character escape 'x' (code 120)".to_owned()),
            ("{\"a\": 1", 1, 8, "Unexpected end-of-input: expected close marker for Object (start marker at [Source: (String)\"{\"a\": 1\"; line: 1, column: 1])".to_owned()),
            ("{", 1, 2, "Unexpected end-of-input: expected close marker for Object (start marker at [Source: (String)\"{\"; line: 1, column: 1])".to_owned()),
            ("{\"a\": [", 1, 8, "Unexpected end-of-input: expected close marker for Array (start marker at [Source: (String)\"{\"a\": [\"; line: 1, column: 7])".to_owned()),
            ("{\"a\":", 1, 6, "Unexpected end-of-input within/between Object entries".to_owned()),
            ("{\"a\": \"b", 1, 9, "Unexpected end-of-input: was expecting closing quote for a string value".to_owned()),
            ("{\"a\": [1}", 1, 10, "Unexpected close marker '}': expected ']' (for Array starting at [Source: (String)\"{\"a\": [1}\"; line: 1, column: 7])".to_owned()),
        ] {
            let error = serde_json::from_str::<Value>(text).unwrap_err();
            let problem = explain(text, &error);
            let place = format!("[Source: (String)\"{text}\"; line: {line}, column: {column}]");
            assert_eq!(problem.message, format!("{expected}\n at {place}"), "{text}: {error}");
            assert_eq!(problem.location.as_deref(), Some(place.as_str()), "{text}");
        }
    }

    #[test]
    fn long_and_unprintable_texts_are_shown_in_part() {
        let text = format!("{{\t{}", "x".repeat(600));
        let error = serde_json::from_str::<Value>(&text).unwrap_err();
        let location = explain(&text, &error).location.unwrap_or_default();
        let shown = format!("[Source: (String)\"{{\\u0009{}\"[truncated 102 chars]; ", "x".repeat(498));
        assert!(location.starts_with(&shown), "{location}");
    }

    #[test]
    fn every_beginning_of_a_definition_is_explained() {
        let text = "{\"a\": [1, -2.5e3, true, null, \"\\u00e9€\\n\"], \"b\": {\"c\": {}}}\n";
        for (end, _) in text.char_indices() {
            let Err(error) = serde_json::from_str::<Value>(&text[..end]) else { continue };
            let problem = explain(&text[..end], &error);
            assert!(problem.message.starts_with("Un"), "{end}: {problem:?}");
        }
        for broken in [
            "]",
            "}",
            "{]",
            "[}",
            "{\"a\"}",
            "{1}",
            "-",
            "01",
            "1.",
            "\"\u{1}\"",
            "\"\\ud800\"",
            "{} {}",
            "[,]",
            "é",
        ] {
            let error = serde_json::from_str::<Value>(broken).unwrap_err();
            assert!(!explain(broken, &error).message.is_empty());
        }
    }
}

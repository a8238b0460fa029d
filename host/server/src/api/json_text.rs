//! Payload texts: parsed, and if they are no JSON, refused in the words that Step Functions uses (those of its parser,
//! Jackson; seen in recordings of StartExecution).

use serde_json::Value;

const VALUES: &str = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";

/// Parses a payload. Errors: what is wrong with it, for the client.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| reason(text, &error))
}

fn reason(text: &str, error: &serde_json::Error) -> String {
    if error.is_eof() {
        return "Unexpected end-of-input".to_owned();
    }
    let offset = offset(text, error.line(), error.column());
    let start = token_start(text, offset);
    let token: String = text[start..].chars().take_while(|character| is_token(*character)).collect();
    // serde_json's own sentence, without the place that it appends.
    let sentence = error.to_string();
    let sentence = sentence.split(" at line ").next().unwrap_or_default();
    let character = text[offset..].chars().next().unwrap_or_default();
    let place = format!("Unexpected character ('{character}' (code {}))", u32::from(character));
    match sentence {
        "expected ident" | "expected value" if token.starts_with(char::is_alphabetic) => {
            format!("Unrecognized token '{token}': was expecting {VALUES}")
        }
        "expected value" => format!("{place}: expected a valid value {VALUES}"),
        "key must be a string" => format!("{place}: was expecting double-quote to start field name"),
        "expected `:`" => format!("{place}: was expecting a colon to separate field name and value"),
        "expected `,` or `}`" => format!("{place}: was expecting comma to separate Object entries"),
        "expected `,` or `]`" => format!("{place}: was expecting comma to separate Array entries"),
        other => format!("{place}: {other}"),
    }
}

/// Byte offset of a place that serde_json names: lines from 1, columns in bytes, the last one that it read.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let mut offset = (before + column.saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// Where the run of letters and digits around `offset` begins.
fn token_start(text: &str, offset: usize) -> usize {
    let tail = text[..offset].chars().rev().take_while(|character| is_token(*character));
    offset - tail.map(char::len_utf8).sum::<usize>()
}

fn is_token(character: char) -> bool {
    character.is_alphanumeric() || "_-$.".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_use_the_parsers_words() {
        for (text, expected) in [
            ("not json", format!("Unrecognized token 'not': was expecting {VALUES}")),
            (" tru", "Unexpected end-of-input".to_owned()),
            ("trux", format!("Unrecognized token 'trux': was expecting {VALUES}")),
            ("[1,\n  nope]", format!("Unrecognized token 'nope': was expecting {VALUES}")),
            (
                "{'a'",
                "Unexpected character (''' (code 39)): was expecting double-quote to start field name".into(),
            ),
            ("{\"a\" 1}", place('1', "was expecting a colon to separate field name and value")),
            ("{\"a\":1 \"b\"}", place('"', "was expecting comma to separate Object entries")),
            ("[1 2]", place('2', "was expecting comma to separate Array entries")),
            ("{\"ü\":]}", place(']', &format!("expected a valid value {VALUES}"))),
            ("{\"a\":1", "Unexpected end-of-input".to_owned()),
            ("  ", "Unexpected end-of-input".to_owned()),
        ] {
            assert_eq!(parse(text).unwrap_err(), expected, "{text}");
        }
    }

    fn place(character: char, what: &str) -> String {
        format!("Unexpected character ('{character}' (code {})): {what}", u32::from(character))
    }

    #[test]
    fn hostile_texts_get_an_answer() {
        for text in ["ä", "{\"a\":ä", "\u{0}", "[\u{1F600}", "1e999", "{\"a\":1}}", "\"\\ud800\"", "\n\n]"]
        {
            assert!(!parse(text).expect_err(text).is_empty());
        }
        assert!(parse(&"[".repeat(100_000)).is_err());
    }

    #[test]
    fn any_json_value_is_a_payload() {
        for text in ["{}", "null", "2", "\"text\"", "[1]", " true "] {
            assert!(parse(text).is_ok(), "{text}");
        }
    }
}

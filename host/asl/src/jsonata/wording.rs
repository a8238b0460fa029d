//! Errors of JSONata in the words of its reference implementation, which are the ones that Step Functions shows. The
//! evaluator has words of its own; where they do not tell what the reference tells, they stay.

/// Codes whose words are always the same.
const FIXED: [(&str, &str); 17] = [
    ("T1006", "Attempted to invoke a non-function"),
    ("T2003", "The left side of the range operator (..) must evaluate to an integer"),
    ("T2004", "The right side of the range operator (..) must evaluate to an integer"),
    ("D2014", "The size of the sequence allocated by the range operator (..) must not exceed 1e7."),
    ("D3010", "Second argument of replace function cannot be an empty string"),
    ("D3020", "Third argument of split function must evaluate to a positive number"),
    ("D3080", "The picture string must only contain a maximum of two sub-pictures"),
    ("D3081", "The sub-picture must not contain more than one instance of the 'decimal-separator' character"),
    ("D3082", "The sub-picture must not contain more than one instance of the 'percent' character"),
    ("D3083", "The sub-picture must not contain more than one instance of the 'per-mille' character"),
    (
        "D3086",
        "The sub-picture must not contain a passive character that is preceded by an active character and that is \
         followed by another active character",
    ),
    ("D3088", "The sub-picture must not contain a 'grouping-separator' at the end of the integer part"),
    ("D3135", "No matching closing bracket ']' in date/time picture string"),
    ("D3136", "The date/time picture string is missing specifiers required to parse the timestamp"),
    ("D3138", "The $single() function expected exactly 1 matching result.  Instead it matched more."),
    ("T2011", "The insert/update clause of the transform expression must evaluate to an object"),
    ("T2012", "The delete clause of the transform expression must evaluate to a string or array of strings"),
];

/// The parser's names of signs, and the signs.
const SIGNS: [(&str, &str); 40] = [
    ("RightParen", ")"),
    ("LeftParen", "("),
    ("RightBracket", "]"),
    ("LeftBracket", "["),
    ("RightBrace", "}"),
    ("LeftBrace", "{"),
    ("ColonEqual", ":="),
    ("TildeArrow", "~>"),
    ("QuestionColon", "?:"),
    ("QuestionQuestion", "??"),
    ("Question", "?"),
    ("Semicolon", ";"),
    ("Colon", ":"),
    ("Comma", ","),
    ("DotDot", ".."),
    ("StarStar", "**"),
    ("Pipe", "|"),
    ("Caret", "^"),
    ("Equal", "="),
    ("NotEqual", "!="),
    ("LessThan", "<"),
    ("LessThanOrEqual", "<="),
    ("GreaterThan", ">"),
    ("GreaterThanOrEqual", ">="),
    ("Plus", "+"),
    ("Minus", "-"),
    ("Star", "*"),
    ("Slash", "/"),
    ("Percent", "%"),
    ("Ampersand", "&"),
    ("Dot", "."),
    ("Hash", "#"),
    ("At", "@"),
    ("And", "and"),
    ("Or", "or"),
    ("In", "in"),
    ("True", "true"),
    ("False", "false"),
    ("Null", "null"),
    ("Eof", "(end)"),
];

/// The message of an evaluation that threw.
pub(super) fn thrown(code: &str, message: &str) -> String {
    if let Some((_, fixed)) = FIXED.iter().find(|(fixed, _)| *fixed == code) {
        return (*fixed).to_owned();
    }
    match code {
        "T2001" | "T2002" => quoted_after(message, "side of the "),
        "D3030" => match between(message, "Cannot convert '", "' to number") {
            Some(value) => format!("Unable to cast value to a number: \"{value}\""),
            None => message.to_owned(),
        },
        "D3100" => match message.rsplit_once("got ") {
            Some((_, radix)) => {
                format!(
                    "The radix of the formatBase function must be between 2 and 36.  It was given {radix}"
                )
            }
            None => message.to_owned(),
        },
        // Elsewhere they say it in words already.
        "D3130" | "D3133" if message.contains(' ') => message.to_owned(),
        "D3130" => format!(
            "Formatting or parsing an integer as a sequence starting with \"{message}\" is not supported by this \
             implementation"
        ),
        "D3133" => format!(
            "The 'name' modifier can only be applied to months and days in the date/time picture string, not \
             \"{message}\""
        ),
        _ => message.to_owned(),
    }
}

/// The message of a text that cannot be parsed.
pub(super) fn syntax(code: &str, message: &str) -> String {
    match code {
        "S0201" => last_word_as_sign(message, "Syntax error: "),
        "S0204" => last_word_as_sign(message, "Unknown operator: "),
        "S0102" => last_word_as_sign(message, "Number out of range: "),
        "S0202" | "S0203" | "S0211" => {
            let words = message.split(' ').map(|word| {
                let bare = word.trim_end_matches(',');
                match SIGNS.iter().find(|(name, _)| *name == bare) {
                    Some((_, sign)) => format!("\"{sign}\"{}", &word[bare.len()..]),
                    None => word.to_owned(),
                }
            });
            words.collect::<Vec<_>>().join(" ")
        }
        "S0214" => match message.rsplit_once(' ') {
            Some((_, sign)) => {
                format!("The right side of \"{sign}\" must be a variable name (start with $)")
            }
            None => message.to_owned(),
        },
        _ => message.to_owned(),
    }
}

/// `Syntax error: Identifier("a")` as `Syntax error: "a"`.
fn last_word_as_sign(message: &str, start: &str) -> String {
    let Some(token) = message.strip_prefix(start) else { return message.to_owned() };
    let inside = token.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    let sign = SIGNS.iter().find(|(name, _)| *name == token).map(|(_, sign)| *sign);
    let text = sign.or(inside).unwrap_or(token);
    let text = text.strip_suffix(".0").unwrap_or(text).trim_matches('"');
    format!("{start}\"{text}\"")
}

/// Puts the word behind `start` in quotes.
fn quoted_after(message: &str, start: &str) -> String {
    let Some((before, after)) = message.split_once(start) else { return message.to_owned() };
    let (word, rest) = after.split_once(' ').unwrap_or((after, ""));
    format!("{before}{start}\"{word}\" {rest}")
}

fn between<'t>(text: &'t str, start: &str, end: &str) -> Option<&'t str> {
    text.strip_prefix(start)?.strip_suffix(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_reference() {
        for (code, ours, theirs) in [
            ("T1006", "Attempted to invoke a non-function: $foo", "Attempted to invoke a non-function"),
            (
                "T2002",
                "The right side of the + operator must evaluate to a number",
                "The right side of the \"+\" operator must evaluate to a number",
            ),
            ("D3030", "Cannot convert '10e500' to number", "Unable to cast value to a number: \"10e500\""),
            ("D3137", "none left", "none left"),
        ] {
            assert_eq!(thrown(code, ours), theirs);
        }
        for (code, ours, theirs) in [
            ("S0201", "Syntax error: Identifier(\"a\")", "Syntax error: \"a\""),
            ("S0201", "Syntax error: Number(2.0)", "Syntax error: \"2\""),
            ("S0201", "Syntax error: RightParen", "Syntax error: \")\""),
            ("S0202", "Expected RightBracket, got RightParen", "Expected \"]\", got \")\""),
            (
                "S0211",
                "The symbol At cannot be used as a unary operator",
                "The symbol \"@\" cannot be used as a unary operator",
            ),
            ("S0204", "Unknown operator: !", "Unknown operator: \"!\""),
        ] {
            assert_eq!(syntax(code, ours), theirs);
        }
    }
}

//! `stepwell execution log`: what the modules logged, one line a message, aligned by hand because a table would wrap
//! the messages.

use serde_json::Value;

use super::exit::Failure;
use super::output::{Output, printable};
use super::{table, timestamp};

/// Prints the answer of the server's log endpoint.
pub(crate) fn print(output: &mut Output, log: &Value) -> Result<(), Failure> {
    let lines = log["lines"].as_array().map_or(&[][..], Vec::as_slice);
    if lines.is_empty() {
        output.note("nothing was logged");
    }
    let rows: Vec<[String; 4]> = lines.iter().map(columns).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let (level_width, place_width) = (width(1), width(2));
    for [time, level, place, message] in &rows {
        output.line(&format!("{time}  {level:level_width$}  {place:place_width$}  {message}"))?;
    }
    Ok(())
}

/// Time, level, state with its attempt if it is not the first, and message.
fn columns(line: &Value) -> [String; 4] {
    let state = table::member_text(line, "state");
    let place = match line["attempt"].as_u64() {
        None | Some(0) => state,
        Some(attempt) => format!("{state} (retry {attempt})"),
    };
    [
        timestamp::to_the_millisecond(&line["timestamp"]),
        printable(&table::member_text(line, "level")),
        printable(&place),
        printable(table::member_text(line, "message").trim_end_matches('\n')),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::output::Output;
    use super::print;

    #[test]
    fn lines_are_aligned_and_harmless() {
        let (mut output, captured) = Output::capture(false);
        let log = json!({"lines": [
            {"timestamp": 1_795_365_148.123, "level": "info", "state": "Charge", "attempt": 0, "message": "start\n"},
            {"timestamp": 1_795_365_148.5, "level": "error", "state": "Charge", "attempt": 2, "message": "a\u{1b}[2J"},
        ]});
        print(&mut output, &log).unwrap();
        let expected = "\
2026-11-22 16:32:28.123  info   Charge            start
2026-11-22 16:32:28.500  error  Charge (retry 2)  a\\u{1b}[2J
";
        assert_eq!(captured.standard(), expected);
    }

    #[test]
    fn an_empty_log_says_so_beside_the_result() {
        let (mut output, captured) = Output::capture(false);
        print(&mut output, &json!({"lines": []})).unwrap();
        assert_eq!(
            (captured.standard().as_str(), captured.diagnostic().as_str()),
            ("", "nothing was logged\n")
        );
    }
}

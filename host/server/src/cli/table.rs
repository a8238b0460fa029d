//! How tables look: no borders, columns two spaces apart, so that they read well and `awk` can cut them.

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, CellAlignment, Color, Table};
use serde_json::Value;

use super::output::printable;

/// Spaces after each column.
pub(crate) const GAP: u16 = 2;

/// An empty table with these column titles; one that begins with `>` stands above numbers, on the right.
pub(crate) fn titled(titles: &[&str]) -> Table {
    let header: Vec<Cell> = titles
        .iter()
        .map(|title| match title.strip_prefix('>') {
            Some(title) => number(title),
            None => Cell::new(title),
        })
        .map(|cell| cell.add_attribute(Attribute::Bold))
        .collect();
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(header);
    space(&mut table);
    table
}

/// A list of names and values, one a line.
pub(crate) fn fields<'a>(pairs: impl IntoIterator<Item = (&'a str, Cell)>) -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING);
    for (name, value) in pairs {
        add_field(&mut table, name, value);
    }
    space(&mut table);
    table
}

/// Sets the columns apart.
fn space(table: &mut Table) {
    table.column_iter_mut().for_each(|column| {
        column.set_padding((0, GAP));
    });
}

/// Adds one more name and value to [`fields`].
pub(crate) fn add_field(table: &mut Table, name: &str, value: Cell) {
    table.add_row(vec![Cell::new(name).add_attribute(Attribute::Bold), value]);
}

/// A cell with text from elsewhere.
pub(crate) fn text(text: &str) -> Cell {
    Cell::new_owned(printable(text))
}

/// A cell with a member of a JSON object; `-` if it is missing or null.
pub(crate) fn member(object: &Value, name: &str) -> Cell {
    text(&member_text(object, name))
}

/// A member of a JSON object as text: strings without quotes, `-` if it is missing or null.
pub(crate) fn member_text(object: &Value, name: &str) -> String {
    match object.get(name) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// A cell that is read from the right, for numbers.
pub(crate) fn number(value: impl ToString) -> Cell {
    Cell::new(value).set_alignment(CellAlignment::Right)
}

/// An execution's status, in the colour that says how it went.
pub(crate) fn status(status: &str) -> Cell {
    let cell = text(status);
    match status {
        "SUCCEEDED" | "ACTIVE" | "OK" => cell.fg(Color::Green),
        "FAILED" | "TIMED_OUT" | "ABORTED" | "ERROR" | "FAIL" => cell.fg(Color::Red),
        "RUNNING" | "PENDING_REDRIVE" | "DELETING" | "WARNING" => cell.fg(Color::Yellow),
        _ => cell,
    }
}

/// `1 error`, `2 errors`.
pub(crate) fn count(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// A size in bytes, short: `740 B`, `1.4 MiB`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if count < 1_024 {
        return format!("{count} B");
    }
    // Tenths of the unit, so that no floating point is needed.
    let mut tenths = count.saturating_mul(10) / 1_024;
    for unit in UNITS {
        if tenths < 10_240 || unit == "TiB" {
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
        tenths /= 1_024;
    }
    format!("{count} B")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::output::Output;
    use super::{bytes, fields, member, number, status, titled};

    #[test]
    fn columns_are_aligned_and_borderless() {
        let mut table = titled(&["NAME", "STATUS", ">SIZE"]);
        table.add_row(vec![member(&json!({"n": "größer"}), "n"), status("FAILED"), number(7)]);
        table.add_row(vec![member(&json!({}), "n"), status("SUCCEEDED"), number(1_234)]);
        let (mut output, captured) = Output::capture(false);
        output.table(table).unwrap();
        let expected = "\
NAME    STATUS     SIZE
größer  FAILED        7
-       SUCCEEDED  1234
";
        assert_eq!(captured.standard(), expected);
    }

    #[test]
    fn fields_are_one_a_line() {
        let (mut output, captured) = Output::capture(false);
        output.table(fields([("name", number(1)), ("status", status("OK"))])).unwrap();
        assert_eq!(captured.standard(), "name     1\nstatus  OK\n");
    }

    #[test]
    fn sizes_are_short() {
        for (count, text) in [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_024, "1.0 KiB"),
            (1_500_000, "1.4 MiB"),
            (1 << 40, "1.0 TiB"),
            (u64::MAX, "1677721.5 TiB"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }
}

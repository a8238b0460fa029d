//! `stepwell execution history`: the events of GetExecutionHistory as a table (AWS Step Functions API, history events).
//!
//! It works from the shape of the events and knows no list of event types, so that a type added later still prints.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use comfy_table::{ColumnConstraint, ContentArrangement, Table};
use serde_json::{Map, Value};

use super::exit::Failure;
use super::output::{Output, printable};
use super::{table, timestamp};

/// Members of the details that are shown in another column or say nothing about this run.
const NOT_IN_SHORT_DETAILS: [&str; 6] = ["name", "index", "state", "region", "roleArn", "resourceType"];

/// Narrowest details column, in characters; a screen too narrow for it gets longer lines.
const LEAST_DETAILS: u16 = 20;

/// Characters of one event's details that are laid out for a short table: more never fits a line.
const SHORT_DETAILS: usize = 2_000;

/// Prints events in the order given. `full` shows all details below each event, otherwise what fits the line.
pub(crate) fn print(output: &mut Output, events: &[Value], full: bool) -> Result<(), Failure> {
    let mut table = build(events, full);
    if !full {
        fit(&mut table, output.width());
    }
    let lines = output.render(&mut table);
    let mut lines = lines.iter();
    if let Some(header) = lines.next() {
        output.line(header)?;
    }
    // Every row is one line: cells hold no line ends, and rows are cut to one line.
    for (line, event) in lines.zip(events) {
        output.line(line)?;
        if full {
            for (name, value) in details(event).into_iter().flatten().filter(|(name, _)| !is_meta(name)) {
                output.line(&block(name, value))?;
            }
        }
    }
    Ok(())
}

fn build(events: &[Value], full: bool) -> Table {
    let days: Vec<String> = events
        .iter()
        .filter_map(|event| timestamp::moment(&event["timestamp"]))
        .map(|moment| timestamp::date(moment.date()))
        .collect();
    // The date is a column's worth of noise unless it changes.
    let one_day = days.first().filter(|first| days.iter().all(|day| day == *first));
    let time_title = one_day.map_or_else(|| "TIME (UTC)".to_owned(), |day| format!("{day} UTC"));
    let mut titles = vec![">ID", ">PREV", &time_title, ">OFFSET", "EVENT", "STATE"];
    if !full {
        titles.push("DETAILS");
    }
    let mut table = table::titled(&titles);
    let states = states(events);
    let first = events.iter().min_by_key(|event| event["id"].as_u64());
    let began = first.map_or(Value::Null, |event| event["timestamp"].clone());
    for event in events {
        let time = &event["timestamp"];
        let shown = if one_day.is_some() {
            timestamp::time_of_day(time)
        } else {
            timestamp::to_the_millisecond(time)
        };
        let state = event["id"].as_u64().and_then(|id| states.get(&id)).map_or("", String::as_str);
        let mut row = vec![
            table::number(table::member_text(event, "id")),
            table::number(table::member_text(event, "previousEventId")),
            table::text(&shown),
            table::number(format!("+{}", timestamp::between(&began, time))),
            event_type(event),
            table::text(state),
        ];
        if !full {
            row.push(table::text(&short_details(event)));
        }
        table.add_row(row);
    }
    table
}

/// Gives every column its content's width and the last one what is left of `width`, cutting what does not fit.
fn fit(table: &mut Table, width: u16) {
    let widths = table.column_max_content_widths();
    let Some((_, others)) = widths.split_last() else { return };
    let taken: u16 = others.iter().map(|width| width.saturating_add(table::GAP)).sum();
    let width = width.max(taken.saturating_add(LEAST_DETAILS));
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width).set_truncation_indicator("…");
    for index in 0..others.len() {
        if let Some(column) = table.column_mut(index) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    if let Some(column) = table.column_mut(others.len()) {
        // No character is a place to wrap, so that the line is filled to its end.
        column.set_delimiter('\0');
    }
    table.row_iter_mut().for_each(|row| {
        row.max_height(1);
    });
}

fn event_type(event: &Value) -> comfy_table::Cell {
    let name = table::member_text(event, "type");
    let cell = table::text(&name);
    if name.ends_with("Failed") || name.ends_with("TimedOut") || name.ends_with("Aborted") {
        cell.fg(comfy_table::Color::Red)
    } else if name == "ExecutionSucceeded" {
        cell.fg(comfy_table::Color::Green)
    } else {
        cell
    }
}

/// The state that each event belongs to, by event id: the one it names, or else the one of the event that caused it.
fn states(events: &[Value]) -> BTreeMap<u64, String> {
    let by_id: BTreeMap<u64, &Value> =
        events.iter().filter_map(|event| Some((event["id"].as_u64()?, event))).collect();
    let mut states = BTreeMap::new();
    for (id, event) in by_id {
        let state = match named_state(event) {
            Some(state) => Some(state),
            None if inherits(event) => {
                event["previousEventId"].as_u64().and_then(|cause| states.get(&cause).cloned())
            }
            None => None,
        };
        if let Some(state) = state {
            states.insert(id, state);
        }
    }
    states
}

/// `name` or `state` of the details, with the index of a Map iteration: `Charge`, `Each [3]`.
fn named_state(event: &Value) -> Option<String> {
    let details = details(event)?;
    let name = details.get("name").or_else(|| details.get("state"))?.as_str()?;
    Some(match details.get("index") {
        Some(index) => format!("{name} [{index}]"),
        None => name.to_owned(),
    })
}

/// Whether the cause of an event lies in its own state. The end of a Parallel or Map points to its last branch, and
/// the execution's own events belong to no state.
fn inherits(event: &Value) -> bool {
    let name = event["type"].as_str().unwrap_or_default();
    let whole = name.starts_with("ParallelState") || name.starts_with("MapState");
    !name.starts_with("Execution") && (!whole || name.ends_with("Started"))
}

/// The one member of an event that holds its details; some types have none.
fn details(event: &Value) -> Option<&Map<String, Value>> {
    event.as_object()?.iter().find(|(name, _)| name.ends_with("EventDetails"))?.1.as_object()
}

/// Whether a member only says if another one was truncated.
fn is_meta(name: &str) -> bool {
    name.ends_with("Details")
}

fn short_details(event: &Value) -> String {
    let Some(details) = details(event) else { return String::new() };
    let mut parts = Vec::new();
    for (name, value) in details {
        if value.is_null() || is_meta(name) || NOT_IN_SHORT_DETAILS.contains(&name.as_str()) {
            continue;
        }
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match (name.as_str(), details.get("resourceType").and_then(Value::as_str)) {
            ("resource", Some(kind)) => parts.push(format!("{kind}:{text}")),
            // The resource's own part of an ARN: `function:charge`.
            ("resource", None) => parts.push(text.splitn(6, ':').nth(5).unwrap_or(&text).to_owned()),
            (_, _) => parts.push(format!("{name}={text}")),
        }
    }
    let all = parts.join(" ");
    if all.chars().count() > SHORT_DETAILS { all.chars().take(SHORT_DETAILS).collect() } else { all }
}

/// A detail below its event; text of several lines begins on a line of its own.
fn block(name: &str, value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let shown = pretty(&text, "        ");
    let shown = shown.trim_start();
    if shown.contains('\n') && !shown.starts_with(['{', '[']) {
        format!("        {name}:\n{}", pretty(&text, "          "))
    } else {
        format!("        {name}: {shown}")
    }
}

/// JSON text with line ends and `indent` before each line; other text as it is. Safe to print either way, and JSON
/// stays JSON.
pub(crate) fn pretty(text: &str, indent: &str) -> String {
    let lines = match serde_json::from_str::<Value>(text) {
        // serde_json escapes the lower control characters; the others can only stand inside strings.
        Ok(value) => escape_rest(&format!("{value:#}")),
        Err(_) => text.split('\n').map(printable).collect::<Vec<_>>().join("\n"),
    };
    format!("{indent}{}", lines.replace('\n', &format!("\n{indent}")))
}

fn escape_rest(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        if character.is_control() && character != '\n' {
            // Writing to a String cannot fail.
            let _ = write!(escaped, "\\u{:04x}", u32::from(character));
        } else {
            escaped.push(character);
        }
    }
    escaped
}

#[cfg(test)]
mod tests;

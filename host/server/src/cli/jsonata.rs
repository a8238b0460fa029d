//! `stepwell jsonata`: tries a JSONata expression on a server, through `POST /jsonata`.
//!
//! JSON from files is sent as it is written, so that no number changes on its way.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::FalseyValueParser;
use serde_json::{Value, json};

use super::client::Client;
use super::exit::Failure;
use super::output::{Output, printable};
use super::{history_table, source, table};

/// Characters shown before and after the place of an error.
const EXCERPT_CHARACTERS: usize = 60;

/// The codes of problems that lie behind the last character: the text ends too early. All others lie at the last
/// character that was read.
const ENDS_TOO_EARLY: [&str; 5] = ["S0101", "S0105", "S0106", "S0203", "S0207"];

/// Arguments of `stepwell jsonata`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  stepwell jsonata '$sum($states.input.items.price)' --input order.json
  stepwell jsonata '{% $states.result.total * $rate %}' --states st.json --variables v.json
  stepwell jsonata --check --file total.jsonata

The value goes to standard output. An expression that cannot be parsed, that fails, or that gives
nothing (undefined, which is not null) ends with exit code 1.")]
pub(crate) struct JsonataArgs {
    /// The expression, with or without {% %}; `-` reads it from standard input
    #[arg(value_name = "EXPR", required_unless_present = "file", conflicts_with = "file")]
    expression: Option<String>,
    /// File with the expression
    #[arg(long, value_name = "FILE", env = "STEPWELL_JSONATA_FILE")]
    file: Option<PathBuf>,
    /// File with the JSON that is $states.input, `-` for standard input
    #[arg(long, value_name = "FILE", env = "STEPWELL_JSONATA_INPUT", conflicts_with = "states")]
    input: Option<PathBuf>,
    /// File with an object that is the whole of $states: input, result, errorOutput, context
    #[arg(long, value_name = "FILE", env = "STEPWELL_JSONATA_STATES")]
    states: Option<PathBuf>,
    /// File with an object of variables, their names without $
    #[arg(long, value_name = "FILE", env = "STEPWELL_JSONATA_VARIABLES")]
    variables: Option<PathBuf>,
    /// Only parse it, and say which variables it reads
    #[arg(long, env = "STEPWELL_JSONATA_CHECK", value_parser = FalseyValueParser::new())]
    check: bool,
}

/// Runs `stepwell jsonata`.
pub(crate) fn run(client: &Client, output: &mut Output, args: &JsonataArgs) -> Result<(), Failure> {
    check_standard_input(args)?;
    let expression = expression(args)?;
    let answer = client.post(&["jsonata"], &request(args, &expression)?)?;
    if output.wants_json() {
        output.json(&answer)?;
    }
    if let Some(warning) = answer["warning"].as_str() {
        output.note(&format!("warning: {}", printable(warning)));
    }
    if answer["valid"] == false {
        let message = format!("{}{}", told(&answer["error"]), excerpt(&expression, &answer["error"]));
        return Err(Failure::NotSucceeded { message, hint: None });
    }
    if let Some(error) = answer.get("error") {
        return Err(Failure::NotSucceeded { message: told(error), hint: None });
    }
    if answer["undefined"] == true {
        let message = "the expression gives nothing (undefined)".to_owned();
        return Err(Failure::NotSucceeded { message, hint: missing_states(args, &answer) });
    }
    if output.wants_json() {
        return Ok(());
    }
    match answer.get("value") {
        Some(value) => output.line(&history_table::pretty(&value.to_string(), "")),
        None => output.line(&checked(&answer)),
    }
}

/// The text of the expression. White space at its end means nothing, but an error would be shown behind it.
fn expression(args: &JsonataArgs) -> Result<String, Failure> {
    let text = match (&args.expression, &args.file) {
        (Some(text), _) if text == "-" => source::text_file(Path::new("-"))?,
        (Some(text), _) => text.clone(),
        (None, Some(file)) => source::text_file(file)?,
        // The definition of the arguments asks for one of them.
        (None, None) => String::new(),
    };
    Ok(text.trim_end().to_owned())
}

/// Refuses a command line that reads standard input for two things.
fn check_standard_input(args: &JsonataArgs) -> Result<(), Failure> {
    let expression = args.expression.as_deref().map(Path::new);
    let files = [&args.file, &args.input, &args.states, &args.variables].map(Option::as_deref);
    let read = files.into_iter().chain([expression]).flatten();
    if read.filter(|file| source::is_standard_input(file)).count() > 1 {
        return Err(Failure::Usage("standard input can be read only once: name a file".to_owned()));
    }
    Ok(())
}

/// The request's body, made of texts: a number that is read and written again may have changed.
fn request(args: &JsonataArgs, expression: &str) -> Result<String, Failure> {
    let mut members =
        vec![format!("\"expression\":{}", json!(expression)), format!("\"evaluate\":{}", !args.check)];
    if let Some(file) = &args.input {
        members.push(format!("\"states\":{{\"input\":{}}}", source::json_file(file)?));
    }
    if let Some(file) = &args.states {
        members.push(format!("\"states\":{}", source::json_file(file)?));
    }
    if let Some(file) = &args.variables {
        members.push(format!("\"variables\":{}", source::json_file(file)?));
    }
    Ok(format!("{{{}}}", members.join(",")))
}

/// The server's words about an error: `T2001: ...`.
fn told(error: &Value) -> String {
    let message = table::member_text(error, "message");
    printable(&match error["code"].as_str() {
        Some(code) => format!("{code}: {message}"),
        None => message,
    })
}

/// The line of the expression that holds the error, and a caret below the place, each on a line of its own; nothing if
/// the place is not known.
fn excerpt(expression: &str, error: &Value) -> String {
    let read = error["position"].as_u64().and_then(|read| usize::try_from(read).ok()).unwrap_or_default();
    if read == 0 {
        return String::new();
    }
    let is_behind = error["code"].as_str().is_some_and(|code| ENDS_TOO_EARLY.contains(&code));
    let place = if is_behind { read } else { read - 1 };
    let before: String = expression.chars().take(place).collect();
    let line_number = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|character| *character != '\n').count();
    let line = expression.split('\n').nth(line_number - 1).unwrap_or_default().trim_end();
    let first = column.saturating_sub(EXCERPT_CHARACTERS);
    let mut shown: String = if first > 0 { "…".to_owned() } else { String::new() };
    let indent = shown.chars().count() + column - first;
    // One character for each, so that the caret stands where it should.
    let characters = line.chars().map(|character| if character.is_control() { ' ' } else { character });
    shown.extend(characters.skip(first).take(2 * EXCERPT_CHARACTERS));
    if line.chars().count() > first + 2 * EXCERPT_CHARACTERS {
        shown.push('…');
    }
    let many = if expression.contains('\n') { format!(" (line {line_number})") } else { String::new() };
    format!("{many}\n  {shown}\n  {}^", " ".repeat(indent))
}

/// What to do about an expression that reads `$states`, where it was not given.
fn missing_states(args: &JsonataArgs, answer: &Value) -> Option<String> {
    let given = args.input.is_some() || args.states.is_some();
    let read = answer["variables"].as_array()?.iter().any(|name| name == "states");
    (read && !given).then(|| "it reads $states: give the state's input with --input FILE".to_owned())
}

/// The result of `--check`: `OK, reads $rate and $states`.
fn checked(answer: &Value) -> String {
    let names = answer["variables"].as_array().map_or(&[][..], Vec::as_slice);
    let names: Vec<String> =
        names.iter().filter_map(Value::as_str).map(|name| format!("${}", printable(name))).collect();
    if names.is_empty() { "OK".to_owned() } else { format!("OK, reads {}", names.join(", ")) }
}

#[cfg(test)]
mod tests;

//! `stepwell test-state`: tries one state on a server, through the API operation TestState.
//!
//! Definitions, inputs and mocks are sent exactly as written. Whether they are valid is the server's judgement; here
//! they only have to be JSON.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use super::arn::Identity;
use super::client::Client;
use super::execution::insert_given;
use super::exit::Failure;
use super::output::{Output, printable};
use super::{history_table, source, table};

/// Longest wait for an answer, in seconds: a task may run for five minutes.
const ANSWER_SECONDS: u64 = 330;

/// The members of `inspectionData` in the order in which a state goes through them, with what they are called.
const STAGES: [(&str, &str); 15] = [
    ("input", "input"),
    ("afterInputPath", "after InputPath"),
    ("afterParameters", "after Parameters"),
    ("afterArguments", "after Arguments"),
    ("afterItemsPointer", "after ItemsPointer"),
    ("afterItemsPath", "after ItemsPath"),
    ("afterItemSelector", "after ItemSelector"),
    ("afterItemBatcher", "after ItemBatcher"),
    ("toleratedFailureCount", "tolerated failures"),
    ("toleratedFailurePercentage", "tolerated failures in percent"),
    ("maxConcurrency", "iterations at a time"),
    ("result", "result"),
    ("afterResultSelector", "after ResultSelector"),
    ("afterResultPath", "after ResultPath"),
    ("variables", "variables"),
];

/// Arguments of `stepwell test-state`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  stepwell test-state order.asl.json --state ChargeCard --input '{\"orderId\": 7}'
  stepwell test-state order.asl.json --state ChargeCard --mock '{\"charged\": true}'
  stepwell test-state state.json --error CardDeclined --retries 2
  stepwell test-state map.asl.json --state Each --items items.csv --mock '[]' --json

Without --mock or --error a task really runs. The file holds one state, or with --state a whole machine.
The exit code is 1 if the state fails, also if it would be retried.")]
pub(crate) struct TestStateArgs {
    /// File with the definition, `-` for standard input
    #[arg(value_name = "FILE")]
    definition: PathBuf,
    /// The state to test, at any level of the machine in the file
    #[arg(long, value_name = "NAME", env = "STEPWELL_TEST_STATE")]
    state: Option<String>,
    /// The state's input [default: {}]
    #[arg(long, value_name = "JSON", env = "STEPWELL_TEST_INPUT", conflicts_with = "input_file")]
    input: Option<String>,
    /// File with the input, `-` for standard input
    #[arg(long, value_name = "FILE", env = "STEPWELL_TEST_INPUT_FILE")]
    input_file: Option<PathBuf>,
    /// The result of the state's work, which then does not run
    #[arg(long, value_name = "JSON", env = "STEPWELL_TEST_MOCK", conflicts_with_all = ["mock_file", "error"])]
    mock: Option<String>,
    /// File with that result
    #[arg(long, value_name = "FILE", env = "STEPWELL_TEST_MOCK_FILE", conflicts_with = "error")]
    mock_file: Option<PathBuf>,
    /// The error that the state's work ends with, which then does not run
    #[arg(long, value_name = "NAME", env = "STEPWELL_TEST_ERROR")]
    error: Option<String>,
    /// The cause of that error
    #[arg(long, value_name = "TEXT", env = "STEPWELL_TEST_CAUSE", requires = "error")]
    cause: Option<String>,
    /// How closely a mocked result is compared with what the service can answer
    #[arg(long, value_enum, value_name = "MODE", env = "STEPWELL_TEST_VALIDATION", default_value = "strict")]
    validation: Validation,
    /// File with an object of variables, their names without $
    #[arg(long, value_name = "FILE", env = "STEPWELL_TEST_VARIABLES")]
    variables: Option<PathBuf>,
    /// File with the context object; only with --mock or --error
    #[arg(long, value_name = "FILE", env = "STEPWELL_TEST_CONTEXT")]
    context: Option<PathBuf>,
    /// How much to show: INFO is the outcome alone
    #[arg(long, value_enum, ignore_case = true, value_name = "LEVEL", env = "STEPWELL_TEST_LEVEL")]
    #[arg(default_value = "DEBUG")]
    level: Level,
    /// Retries that the error's retrier has made before
    #[arg(long, value_name = "N", env = "STEPWELL_TEST_RETRIES")]
    retries: Option<u32>,
    /// Iterations of a Map state that have failed
    #[arg(long, value_name = "N", env = "STEPWELL_TEST_FAILURES")]
    failures: Option<u32>,
    /// The state within a Map or Parallel state that the error comes from
    #[arg(long, value_name = "NAME", env = "STEPWELL_TEST_CAUSED_BY", requires = "error")]
    caused_by: Option<String>,
    /// File with what the ItemReader of a Map state has read
    #[arg(long, value_name = "FILE", env = "STEPWELL_TEST_ITEMS")]
    items: Option<PathBuf>,
    /// Role to name [default: arn:aws:iam::ACCOUNT:role/stepwell]
    #[arg(long, value_name = "ARN", env = "STEPWELL_TEST_ROLE_ARN")]
    role_arn: Option<String>,
    // Last: its heading would stand above all that follow.
    #[command(flatten)]
    identity: Identity,
}

/// How closely a mock is checked.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Validation {
    Strict,
    Present,
    None,
}

/// How much is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "UPPER")]
enum Level {
    Info,
    Debug,
    Trace,
}

impl TestStateArgs {
    /// The region that the command line names.
    pub(super) fn region(&self) -> &str {
        &self.identity.region
    }
}

/// Runs `stepwell test-state`.
pub(crate) fn run(client: &Client, output: &mut Output, args: TestStateArgs) -> Result<(), Failure> {
    check_standard_input(&args)?;
    let request = request(args)?;
    let answer = client.waiting(ANSWER_SECONDS).call("TestState", &Value::Object(request))?;
    if output.wants_json() {
        output.json(&answer)?;
    } else {
        show(output, &answer)?;
    }
    let status = answer["status"].as_str().unwrap_or_default();
    if matches!(status, "SUCCEEDED" | "CAUGHT_ERROR") {
        return Ok(());
    }
    let error = table::member_text(&answer, "error");
    let message = match answer["cause"].as_str() {
        Some(cause) => format!("{error}: {cause}"),
        None => error,
    };
    Err(Failure::NotSucceeded { message: printable(&message), hint: None })
}

/// The request's members.
fn request(args: TestStateArgs) -> Result<Map<String, Value>, Failure> {
    let text = |flag: &str, text: Option<String>, file: Option<&Path>| match (text, file) {
        (Some(text), _) => source::check_json(flag, &text).map(|()| Some(text)),
        (None, Some(file)) => source::json_file(file).map(Some),
        (None, None) => Ok(None),
    };
    let mut input = Map::new();
    let definition = source::json_file(&args.definition)?;
    input.insert("definition".to_owned(), json!(definition));
    let role_arn = args.role_arn.unwrap_or_else(|| args.identity.default_role_arn());
    input.insert("roleArn".to_owned(), json!(role_arn));
    let level = match args.level {
        Level::Info => "INFO",
        Level::Debug => "DEBUG",
        Level::Trace => "TRACE",
    };
    input.insert("inspectionLevel".to_owned(), json!(level));
    insert_given(&mut input, "stateName", args.state);
    insert_given(&mut input, "input", text("--input", args.input, args.input_file.as_deref())?);
    insert_given(&mut input, "variables", text("--variables", None, args.variables.as_deref())?);
    insert_given(&mut input, "context", text("--context", None, args.context.as_deref())?);
    let mut mock = Map::new();
    insert_given(&mut mock, "result", text("--mock", args.mock, args.mock_file.as_deref())?);
    if let Some(error) = args.error {
        let mut error_output = Map::from_iter([("error".to_owned(), json!(error))]);
        insert_given(&mut error_output, "cause", args.cause);
        mock.insert("errorOutput".to_owned(), Value::Object(error_output));
    }
    if !mock.is_empty() {
        let mode = match args.validation {
            Validation::Strict => "STRICT",
            Validation::Present => "PRESENT",
            Validation::None => "NONE",
        };
        mock.insert("fieldValidationMode".to_owned(), json!(mode));
        input.insert("mock".to_owned(), Value::Object(mock));
    }
    let mut configuration = Map::new();
    configuration.extend(args.retries.map(|count| ("retrierRetryCount".to_owned(), json!(count))));
    configuration.extend(args.failures.map(|count| ("mapIterationFailureCount".to_owned(), json!(count))));
    insert_given(&mut configuration, "errorCausedByState", args.caused_by);
    let items = args.items.as_deref().map(source::text_file).transpose()?;
    insert_given(&mut configuration, "mapItemReaderData", items);
    if !configuration.is_empty() {
        input.insert("stateConfiguration".to_owned(), Value::Object(configuration));
    }
    Ok(input)
}

/// Refuses a command line that reads standard input for two things.
fn check_standard_input(args: &TestStateArgs) -> Result<(), Failure> {
    let others = [&args.input_file, &args.mock_file, &args.variables, &args.context, &args.items];
    let files = others.into_iter().flatten().chain([&args.definition]);
    if files.filter(|file| source::is_standard_input(file)).count() > 1 {
        return Err(Failure::Usage("standard input can be read only once: name a file".to_owned()));
    }
    Ok(())
}

/// The outcome, then every stage on the way, then the output.
fn show(output: &mut Output, answer: &Value) -> Result<(), Failure> {
    let mut fields = table::fields([("Status", table::status(&table::member_text(answer, "status")))]);
    for (name, member) in [("Next", "nextState"), ("Error", "error"), ("Cause", "cause")] {
        if answer.get(member).is_some_and(|value| !value.is_null()) {
            table::add_field(&mut fields, name, table::member(answer, member));
        }
    }
    let data = &answer["inspectionData"];
    let details = &data["errorDetails"];
    for (name, member) in
        [("Retrier", "retryIndex"), ("Retry after", "retryBackoffIntervalSeconds"), ("Catcher", "catchIndex")]
    {
        if let Some(value) = details.get(member) {
            let unit = if member == "retryBackoffIntervalSeconds" { " s" } else { "" };
            table::add_field(&mut fields, name, table::text(&format!("{value}{unit}")));
        }
    }
    output.table(fields)?;
    for (member, title) in STAGES {
        stage(output, title, data.get(member))?;
    }
    stage(output, "output", answer.get("output"))
}

fn stage(output: &mut Output, title: &str, value: Option<&Value>) -> Result<(), Failure> {
    let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(()) };
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    output.line("")?;
    output.line(title)?;
    output.line(&history_table::pretty(&text, "  "))
}

#[cfg(test)]
mod tests;

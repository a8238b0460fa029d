//! `stepwell execution start`: StartExecution, with the input checked before it is sent.

use std::path::PathBuf;

use clap::Args;
use clap::builder::FalseyValueParser;
use serde_json::{Map, Value, json};

use super::arn::Identity;
use super::client::Client;
use super::execution::insert_given;
use super::exit::Failure;
use super::output::Output;
use super::{source, table, wait};

/// Largest `--timeout`, in seconds: ten years.
const LONGEST_WAIT_SECONDS: u64 = 315_360_000;

/// Arguments of `stepwell execution start`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  stepwell execution start order --input '{\"orderId\": 7}' --wait
  curl -s https://example.org/order.json | stepwell execution start order --input-file -

With --wait the output goes to standard output and the status to standard error;
the exit code is 1 unless the execution succeeds within --timeout.")]
pub(crate) struct StartArgs {
    /// The machine's name or ARN
    machine: String,
    /// The execution's name; the server makes one up if it is left out
    #[arg(long, env = "STEPWELL_EXECUTION_NAME")]
    name: Option<String>,
    /// The input [default: {}]
    #[arg(long, value_name = "JSON", env = "STEPWELL_EXECUTION_INPUT", conflicts_with = "input_file")]
    input: Option<String>,
    /// File with the input, `-` for standard input
    #[arg(long, value_name = "FILE", env = "STEPWELL_EXECUTION_INPUT_FILE")]
    input_file: Option<PathBuf>,
    /// Wait for the end and print the output
    #[arg(long, env = "STEPWELL_EXECUTION_WAIT", value_parser = FalseyValueParser::new())]
    wait: bool,
    /// Longest time for --wait; the execution itself goes on after it [default: no limit]
    #[arg(long, value_name = "SECONDS", env = "STEPWELL_EXECUTION_TIMEOUT")]
    #[arg(value_parser = clap::value_parser!(u64).range(0..=LONGEST_WAIT_SECONDS))]
    timeout: Option<u64>,
}

/// Runs `stepwell execution start`.
pub(crate) fn run(
    client: &Client,
    output: &mut Output,
    identity: &Identity,
    args: StartArgs,
) -> Result<(), Failure> {
    let arn = identity.machine_arn(&args.machine)?;
    let execution_input = match (args.input, &args.input_file) {
        (Some(text), _) => {
            source::check_json("--input", &text)?;
            Some(text)
        }
        (None, Some(file)) => Some(source::json_file(file)?),
        (None, None) => None,
    };
    let mut input = Map::from_iter([("stateMachineArn".to_owned(), json!(arn))]);
    insert_given(&mut input, "name", args.name);
    insert_given(&mut input, "input", execution_input);
    if args.wait {
        return wait::start_and_wait(client, output, &Value::Object(input), args.timeout);
    }
    let started = client.call("StartExecution", &Value::Object(input))?;
    if output.wants_json() {
        output.json(&started)
    } else {
        output.line(&table::member_text(&started, "executionArn"))
    }
}

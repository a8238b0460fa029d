//! `stepwell execution`: executions, through the API operations DescribeExecution, ListExecutions, StopExecution,
//! RedriveExecution and GetExecutionHistory, and the server's own log endpoint. Starting is in [`start`].

use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use super::arn::{Identity, short_execution};
use super::client::Client;
use super::exit::Failure;
use super::output::Output;
use super::{history_table, log_lines, start, table, timestamp};

/// Most events of one history that are read: the API's own bound.
const HISTORY_EVENTS: usize = 25_000;

const AFTER_HELP: &str = "\
Examples:
  stepwell execution start order --name run-1 --input '{\"orderId\": 7}'
  stepwell execution start order --input-file order.json --wait --timeout 60 | jq .total
  stepwell execution list order --status FAILED
  stepwell execution history order:run-1
  stepwell execution log order:run-1

An execution is named MACHINE:NAME or by its ARN.";

/// Arguments of `stepwell execution`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ExecutionArgs {
    #[command(flatten)]
    identity: Identity,
    #[command(subcommand)]
    command: ExecutionCommand,
}

impl ExecutionArgs {
    /// The region that the command line names.
    pub(super) fn region(&self) -> &str {
        &self.identity.region
    }
}

#[derive(Debug, Subcommand)]
enum ExecutionCommand {
    /// Start an execution and print its ARN; with --wait, its output
    Start(start::StartArgs),
    /// Show an execution
    #[command(after_help = "Example:\n  stepwell execution describe order:run-1")]
    Describe {
        /// The execution: MACHINE:NAME or an ARN
        #[arg(value_name = "EXECUTION")]
        execution: String,
    },
    /// List a machine's executions, newest first
    #[command(after_help = "Example:\n  stepwell execution list order --status RUNNING --limit 20")]
    List {
        /// The machine's name or ARN, or the ARN of a map run
        machine: String,
        /// Only executions in this status
        #[arg(long, value_enum, ignore_case = true, env = "STEPWELL_EXECUTION_STATUS")]
        status: Option<ExecutionStatus>,
        /// Most executions to list
        #[arg(long, value_name = "N", env = "STEPWELL_EXECUTION_LIMIT", default_value_t = 100)]
        #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
        limit: u32,
    },
    /// Show what happened in an execution, event by event
    #[command(after_help = "Examples:\n  stepwell execution history order:run-1\n  \
                            stepwell execution history order:run-1 --reverse | head\n  \
                            stepwell execution history order:run-1 --full")]
    History {
        /// The execution: MACHINE:NAME or an ARN
        execution: String,
        /// Latest event first
        #[arg(long, env = "STEPWELL_HISTORY_REVERSE", value_parser = FalseyValueParser::new())]
        reverse: bool,
        /// Show inputs, outputs and errors whole, below their event
        #[arg(long, env = "STEPWELL_HISTORY_FULL", value_parser = FalseyValueParser::new())]
        full: bool,
    },
    /// Show what the modules logged during an execution
    #[command(after_help = "Example:\n  stepwell execution log order:run-1")]
    Log {
        /// The execution: MACHINE:NAME or an ARN
        execution: String,
    },
    /// Let an execution that failed, timed out or was stopped go on from where it ended
    #[command(after_help = "Example:\n  stepwell execution redrive order:run-1")]
    Redrive {
        /// The execution: MACHINE:NAME or an ARN
        execution: String,
    },
    /// Abort a running execution
    #[command(
        after_help = "Example:\n  stepwell execution stop order:run-1 --error Cancelled --cause 'sold out'"
    )]
    Stop {
        /// The execution: MACHINE:NAME or an ARN
        execution: String,
        /// Error name to record
        #[arg(long, value_name = "NAME", env = "STEPWELL_STOP_ERROR")]
        error: Option<String>,
        /// Reason to record
        #[arg(long, value_name = "TEXT", env = "STEPWELL_STOP_CAUSE")]
        cause: Option<String>,
    },
}

/// The API's `ExecutionStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "SCREAMING_SNAKE_CASE")]
enum ExecutionStatus {
    Running,
    Succeeded,
    Failed,
    TimedOut,
    Aborted,
    PendingRedrive,
}

impl ExecutionStatus {
    fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::TimedOut => "TIMED_OUT",
            Self::Aborted => "ABORTED",
            Self::PendingRedrive => "PENDING_REDRIVE",
        }
    }
}

/// Runs one `stepwell execution` command.
pub(crate) fn run(client: &Client, output: &mut Output, args: ExecutionArgs) -> Result<(), Failure> {
    let identity = args.identity;
    match args.command {
        ExecutionCommand::Start(args) => start::run(client, output, &identity, args),
        ExecutionCommand::Describe { execution } => {
            let arn = identity.execution_arn(&execution)?;
            let execution = client.call("DescribeExecution", &json!({"executionArn": arn}))?;
            describe(output, &execution)
        }
        ExecutionCommand::List { machine, status, limit } => {
            list(client, output, &identity.machine_arn(&machine)?, status, limit)
        }
        ExecutionCommand::History { execution, reverse, full } => {
            history(client, output, &identity.execution_arn(&execution)?, reverse, full)
        }
        ExecutionCommand::Log { execution } => {
            let arn = identity.execution_arn(&execution)?;
            let log = client.get(&["executions", &arn, "log"])?;
            if output.wants_json() { output.json(&log) } else { log_lines::print(output, &log) }
        }
        ExecutionCommand::Redrive { execution } => {
            let arn = identity.execution_arn(&execution)?;
            let redriven = client.call("RedriveExecution", &json!({"executionArn": arn}))?;
            if output.wants_json() {
                return output.json(&redriven);
            }
            let at = timestamp::to_the_millisecond(&redriven["redriveDate"]);
            output.line(&format!("redriven {} at {at} UTC", short_execution(&arn)))
        }
        ExecutionCommand::Stop { execution, error, cause } => {
            let arn = identity.execution_arn(&execution)?;
            let mut input = Map::from_iter([("executionArn".to_owned(), json!(arn))]);
            insert_given(&mut input, "error", error);
            insert_given(&mut input, "cause", cause);
            let stopped = client.call("StopExecution", &Value::Object(input))?;
            if output.wants_json() {
                return output.json(&stopped);
            }
            let at = timestamp::to_the_millisecond(&stopped["stopDate"]);
            output.line(&format!("stopped {} at {at} UTC", short_execution(&arn)))
        }
    }
}

fn describe(output: &mut Output, execution: &Value) -> Result<(), Failure> {
    if output.wants_json() {
        return output.json(execution);
    }
    let mut fields = table::fields([
        ("name", table::member(execution, "name")),
        ("arn", table::member(execution, "executionArn")),
        ("machine", table::member(execution, "stateMachineArn")),
        ("status", table::status(&table::member_text(execution, "status"))),
        ("started", table::text(&timestamp::to_the_millisecond(&execution["startDate"]))),
        ("stopped", table::text(&timestamp::to_the_millisecond(&execution["stopDate"]))),
        ("took", table::text(&timestamp::between(&execution["startDate"], &execution["stopDate"]))),
    ]);
    for name in ["error", "cause", "mapRunArn", "redriveCount", "redriveStatus", "redriveStatusReason"] {
        if execution.get(name).is_some_and(|value| !value.is_null()) {
            table::add_field(&mut fields, name, table::member(execution, name));
        }
    }
    output.table(fields)?;
    for name in ["input", "output"] {
        if let Some(text) = execution.get(name).and_then(Value::as_str) {
            output.line(&format!("{name}:\n{}", history_table::pretty(text, "  ")))?;
        }
    }
    Ok(())
}

fn list(
    client: &Client,
    output: &mut Output,
    arn: &str,
    status: Option<ExecutionStatus>,
    limit: u32,
) -> Result<(), Failure> {
    let member = if arn.split(':').nth(5) == Some("mapRun") { "mapRunArn" } else { "stateMachineArn" };
    let mut input = Map::from_iter([(member.to_owned(), json!(arn))]);
    insert_given(&mut input, "statusFilter", status.map(|status| status.name().to_owned()));
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let listing = client.list("ListExecutions", "executions", input, limit)?;
    if listing.more {
        output.note(&format!("only the latest {} are listed; --limit N shows more", listing.items.len()));
    }
    if output.wants_json() {
        return output.json(&json!({"executions": listing.items}));
    }
    if listing.items.is_empty() {
        output.note("no executions");
        return Ok(());
    }
    let mut rows = table::titled(&["EXECUTION", "STATUS", "STARTED (UTC)", ">TOOK"]);
    for execution in &listing.items {
        rows.add_row(vec![
            table::text(short_execution(&table::member_text(execution, "executionArn"))),
            table::status(&table::member_text(execution, "status")),
            table::text(&timestamp::to_the_millisecond(&execution["startDate"])),
            table::number(timestamp::between(&execution["startDate"], &execution["stopDate"])),
        ]);
    }
    output.table(rows)
}

fn history(
    client: &Client,
    output: &mut Output,
    arn: &str,
    reverse: bool,
    full: bool,
) -> Result<(), Failure> {
    let input = Map::from_iter([
        ("executionArn".to_owned(), json!(arn)),
        ("reverseOrder".to_owned(), json!(reverse)),
    ]);
    let listing = client.list("GetExecutionHistory", "events", input, HISTORY_EVENTS)?;
    if listing.more {
        output.note(&format!("only {HISTORY_EVENTS} events are shown; there are more"));
    }
    if output.wants_json() {
        return output.json(&json!({"events": listing.items}));
    }
    history_table::print(output, &listing.items, full)
}

/// Adds a member only if it was given: the API tells a missing member from an empty one.
pub(crate) fn insert_given(input: &mut Map<String, Value>, name: &str, value: Option<String>) {
    if let Some(value) = value {
        input.insert(name.to_owned(), Value::String(value));
    }
}

#[cfg(test)]
mod tests;

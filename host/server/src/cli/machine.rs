//! `stepwell machine`: state machines, through the API operations CreateStateMachine, UpdateStateMachine,
//! DescribeStateMachine, ListStateMachines, DeleteStateMachine and ValidateStateMachineDefinition.
//!
//! Definitions are sent exactly as written, white space included, because CreateStateMachine compares them as text.
//! Whether a definition is valid is the server's judgement; here it only has to be JSON.

use std::path::{Path, PathBuf};

use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use super::arn::Identity;
use super::client::Client;
use super::exit::Failure;
use super::output::Output;
use super::{source, table, timestamp};

const AFTER_HELP: &str = "\
Examples:
  stepwell machine validate order.asl.json
  stepwell machine create order --definition order.asl.json
  stepwell machine update order --definition order.asl.json
  stepwell machine describe order --definition | jq .States

A bare NAME stands for arn:aws:states:REGION:ACCOUNT:stateMachine:NAME; NAME:VERSION and NAME:ALIAS work too.";

/// Arguments of `stepwell machine`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct MachineArgs {
    #[command(flatten)]
    identity: Identity,
    #[command(subcommand)]
    command: MachineCommand,
}

impl MachineArgs {
    /// The region that the command line names.
    pub(super) fn region(&self) -> &str {
        &self.identity.region
    }
}

#[derive(Debug, Subcommand)]
enum MachineCommand {
    /// Create a state machine
    #[command(
        after_help = "Example:\n  stepwell machine create order --definition order.asl.json --type EXPRESS"
    )]
    Create {
        /// The new machine's name
        name: String,
        /// File with the definition in the Amazon States Language, `-` for standard input
        #[arg(long, value_name = "FILE", env = "STEPWELL_MACHINE_DEFINITION")]
        definition: PathBuf,
        /// Role to store with the machine [default: arn:aws:iam::ACCOUNT:role/stepwell]
        #[arg(long, value_name = "ARN", env = "STEPWELL_MACHINE_ROLE_ARN")]
        role_arn: Option<String>,
        /// STANDARD keeps every step durably, EXPRESS keeps nothing
        #[arg(
            long,
            value_enum,
            ignore_case = true,
            env = "STEPWELL_MACHINE_TYPE",
            default_value = "STANDARD"
        )]
        r#type: MachineType,
    },
    /// Replace a machine's definition; running executions keep the old one
    #[command(after_help = "Example:\n  stepwell machine update order --definition order.asl.json")]
    Update {
        /// The machine's name or ARN
        #[arg(value_name = "NAME|ARN")]
        machine: String,
        /// File with the new definition, `-` for standard input
        #[arg(long, value_name = "FILE", env = "STEPWELL_MACHINE_DEFINITION")]
        definition: PathBuf,
    },
    /// List state machines
    #[command(after_help = "Example:\n  stepwell machine list --json | jq -r '.stateMachines[].name'")]
    List {
        /// Most machines to list
        #[arg(long, value_name = "N", env = "STEPWELL_MACHINE_LIMIT", default_value_t = 1_000)]
        #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
        limit: u32,
    },
    /// Show a state machine
    #[command(after_help = "Example:\n  stepwell machine describe order --definition > order.asl.json")]
    Describe {
        /// The machine's name or ARN
        #[arg(value_name = "NAME|ARN")]
        machine: String,
        /// Print only the definition, as it was written
        #[arg(long, env = "STEPWELL_DESCRIBE_DEFINITION", value_parser = FalseyValueParser::new())]
        definition: bool,
    },
    /// Delete a state machine; running executions end
    #[command(after_help = "Example:\n  stepwell machine delete order")]
    Delete {
        /// The machine's name or ARN
        #[arg(value_name = "NAME|ARN")]
        machine: String,
    },
    /// Check a definition without storing it; exit code 1 if it has errors
    #[command(after_help = "Example:\n  stepwell machine validate order.asl.json")]
    Validate {
        /// File with the definition, `-` for standard input
        file: PathBuf,
        /// Type of machine that the definition is meant for
        #[arg(
            long,
            value_enum,
            ignore_case = true,
            env = "STEPWELL_MACHINE_TYPE",
            default_value = "STANDARD"
        )]
        r#type: MachineType,
    },
}

/// The API's `StateMachineType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "SCREAMING_SNAKE_CASE")]
enum MachineType {
    Standard,
    Express,
}

impl MachineType {
    fn name(self) -> &'static str {
        match self {
            Self::Standard => "STANDARD",
            Self::Express => "EXPRESS",
        }
    }
}

/// Runs one `stepwell machine` command.
pub(crate) fn run(client: &Client, output: &mut Output, args: MachineArgs) -> Result<(), Failure> {
    let identity = args.identity;
    match args.command {
        MachineCommand::Create { name, definition, role_arn, r#type } => {
            let definition = source::json_file(&definition)?;
            let role_arn = role_arn.unwrap_or_else(|| identity.default_role_arn());
            let input =
                json!({"name": name, "definition": definition, "roleArn": role_arn, "type": r#type.name()});
            let created = client.call("CreateStateMachine", &input)?;
            answer(output, &created, &table::member_text(&created, "stateMachineArn"))
        }
        MachineCommand::Update { machine, definition } => {
            let arn = identity.machine_arn(&machine)?;
            let definition = source::json_file(&definition)?;
            let input = json!({"stateMachineArn": arn, "definition": definition});
            let updated = client.call("UpdateStateMachine", &input)?;
            answer(output, &updated, &format!("updated {machine}"))
        }
        MachineCommand::List { limit } => list(client, output, limit),
        MachineCommand::Describe { machine, definition } => {
            let arn = identity.machine_arn(&machine)?;
            let machine = client.call("DescribeStateMachine", &json!({"stateMachineArn": arn}))?;
            describe(output, &machine, definition)
        }
        MachineCommand::Delete { machine } => {
            let arn = identity.machine_arn(&machine)?;
            let deleted = client.call("DeleteStateMachine", &json!({"stateMachineArn": arn}))?;
            answer(output, &deleted, &format!("deleted {machine}"))
        }
        MachineCommand::Validate { file, r#type } => validate(client, output, &file, r#type),
    }
}

/// Prints the server's JSON if that is wanted, and otherwise `line`.
fn answer(output: &mut Output, json: &Value, line: &str) -> Result<(), Failure> {
    if output.wants_json() { output.json(json) } else { output.line(line) }
}

fn list(client: &Client, output: &mut Output, limit: u32) -> Result<(), Failure> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let listing = client.list("ListStateMachines", "stateMachines", Map::new(), limit)?;
    if listing.more {
        output.note(&format!("only the first {} are listed; --limit N shows more", listing.items.len()));
    }
    if output.wants_json() {
        return output.json(&json!({"stateMachines": listing.items}));
    }
    if listing.items.is_empty() {
        output.note("no state machines; make one with `stepwell machine create NAME --definition FILE`");
        return Ok(());
    }
    let mut rows = table::titled(&["NAME", "TYPE", "CREATED (UTC)", "ARN"]);
    for machine in &listing.items {
        rows.add_row(vec![
            table::member(machine, "name"),
            table::member(machine, "type"),
            table::text(&timestamp::to_the_second(&machine["creationDate"])),
            table::member(machine, "stateMachineArn"),
        ]);
    }
    output.table(rows)
}

fn describe(output: &mut Output, machine: &Value, only_definition: bool) -> Result<(), Failure> {
    let definition = machine["definition"].as_str().unwrap_or_default();
    if only_definition {
        return output.line(definition.trim_end_matches('\n'));
    }
    if output.wants_json() {
        return output.json(machine);
    }
    output.table(table::fields([
        ("name", table::member(machine, "name")),
        ("arn", table::member(machine, "stateMachineArn")),
        ("type", table::member(machine, "type")),
        ("status", table::status(&table::member_text(machine, "status"))),
        ("created", table::text(&timestamp::to_the_second(&machine["creationDate"]))),
        ("revision", table::member(machine, "revisionId")),
        ("role", table::member(machine, "roleArn")),
        ("definition", table::text(&outline(definition))),
    ]))
}

/// A definition in a few words: `5 states from Charge, 1.2 KiB (--definition prints it)`.
fn outline(definition: &str) -> String {
    let parsed: Value = serde_json::from_str(definition).unwrap_or_default();
    let size = table::bytes(definition.len() as u64);
    let from = table::member_text(&parsed, "StartAt");
    let states = table::count(parsed["States"].as_object().map_or(0, Map::len), "state");
    format!("{states} from {from}, {size} (--definition prints it)")
}

fn validate(client: &Client, output: &mut Output, file: &Path, r#type: MachineType) -> Result<(), Failure> {
    let definition = source::json_file(file)?;
    let input = json!({"definition": definition, "type": r#type.name(), "severity": "WARNING"});
    let report = client.call("ValidateStateMachineDefinition", &input)?;
    let diagnostics = report["diagnostics"].as_array().map_or(&[][..], Vec::as_slice);
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic["severity"] == "ERROR").count();
    let label = source::label(file);
    let found = format!(
        "{label}: {}, {}",
        table::count(errors, "error"),
        table::count(diagnostics.len() - errors, "warning")
    );
    if output.wants_json() {
        output.json(&report)?;
    } else if diagnostics.is_empty() {
        output.line(&format!("{label}: OK"))?;
    } else {
        let mut rows = table::titled(&["SEVERITY", "CODE", "LOCATION", "MESSAGE"]);
        for diagnostic in diagnostics {
            rows.add_row(vec![
                table::status(&table::member_text(diagnostic, "severity")),
                table::member(diagnostic, "code"),
                table::member(diagnostic, "location"),
                table::member(diagnostic, "message"),
            ]);
        }
        output.table(rows)?;
    }
    if report["truncated"] == true {
        output.note("the server found more and reports only the first");
    }
    if report["result"] == "OK" { Ok(()) } else { Err(Failure::NotSucceeded { message: found, hint: None }) }
}

#[cfg(test)]
mod tests;

//! The `stepwell` command line: what it accepts, and the client commands' entry point.
//!
//! The client commands speak the same HTTP API as any AWS client (AWS JSON 1.0, plus `/modules`, `/secrets`, `/jsonata`
//! and the execution log), so this folder must never reach into the executor, the store or the sandbox: what the CLI can do, a script
//! with `curl` can do too. Only what is done without a server uses the sandbox itself (`module run`,
//! `module inspect`) or opens a store itself (`store`, and `key` with `--store`). `serve` is only *described* here ([`ServeArgs`]); `main` runs it.

mod arn;
mod client;
mod clock;
mod credentials;
mod execution;
mod exit;
mod history_table;
mod jsonata;
mod key;
mod log_lines;
mod machine;
mod module;
mod output;
mod retention;
mod secret;
pub(crate) mod serve_args;
mod source;
mod start;
mod store;
mod table;
mod test;
#[cfg(test)]
mod test_responder;
mod test_state;
#[cfg(test)]
mod test_support;
mod timestamp;
mod wait;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::FalseyValueParser;
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

use client::Client;
use exit::Failure;
use output::Output;
use serve_args::ServeArgs;

/// Shown below `stepwell --help`.
const AFTER_HELP: &str = "\
Examples:
  stepwell serve
  stepwell module put charge-card target/wasm32-wasip2/release/charge_card.wasm
  stepwell machine create order --definition order.asl.json
  stepwell execution start order --input '{\"orderId\": 7}' --wait
  stepwell execution history order:NAME

Exit codes:
  0  done
  1  the execution did not succeed (start --wait), validate found errors, the state
     of test-state or a case of test failed, or the expression of jsonata has no value
  2  the command line or a file named on it is wrong
  3  the server refused the request; its code and message are shown
  4  the server cannot be reached

NO_COLOR is honoured. A flag given on the command line wins over its environment variable.";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "stepwell", version, about = "Run AWS Step Functions workflows on your own machines")]
#[command(after_help = AFTER_HELP, subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// Flags that every command takes.
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags that every command takes, before or after its name.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct GlobalArgs {
    /// Where the server listens
    #[arg(long, global = true, value_name = "URL", env = "STEPWELL_ENDPOINT")]
    #[arg(default_value = "http://127.0.0.1:8083", value_parser = client::parse_endpoint)]
    pub(crate) endpoint: String,
    /// Id of the access key to sign with; its secret is read from STEPWELL_SECRET_ACCESS_KEY or AWS_SECRET_ACCESS_KEY
    #[arg(long, global = true, value_name = "ID", env = "STEPWELL_ACCESS_KEY")]
    pub(crate) access_key: Option<String>,
    /// Trust the certificates in this PEM file, and no others, for https endpoints
    #[arg(long, global = true, value_name = "FILE", env = "STEPWELL_CA_FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Print the server's JSON instead of tables
    #[arg(long, global = true, env = "STEPWELL_JSON", value_parser = FalseyValueParser::new())]
    pub(crate) json: bool,
    /// Colours; `auto` means on a terminal, unless NO_COLOR is set
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "WHEN",
        env = "STEPWELL_COLOR",
        default_value = "auto"
    )]
    pub(crate) color: ColorChoice,
    /// Say on standard error which requests are sent and how long they take
    #[arg(short, long, global = true, env = "STEPWELL_VERBOSE", value_parser = FalseyValueParser::new())]
    pub(crate) verbose: bool,
}

/// When output carries colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    // Plain comments: documented values would stretch every help page.
    Auto,
    Always,
    Never,
}

/// The first word of the command line.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server
    Serve(Box<ServeArgs>),
    /// The commands that talk to a server.
    #[command(flatten)]
    Client(Box<ClientCommand>),
}

/// Every command but `serve`.
#[derive(Debug, Subcommand)]
pub(crate) enum ClientCommand {
    /// Upload and look at WebAssembly modules, the code behind Task states
    Module(module::ModuleArgs),
    /// Values that modules are given by name, and that nobody can read back
    Secret(secret::SecretArgs),
    /// Access keys: who may send requests to a server, and what they may do
    Key(key::KeyArgs),
    /// Create, change and look at state machines
    Machine(machine::MachineArgs),
    /// Start, follow and stop executions
    Execution(execution::ExecutionArgs),
    /// Show what time it is for workflows, and skip virtual time
    Clock(clock::ClockArgs),
    /// Test one state of a definition, with or without its task; exit code 1 if it fails
    TestState(Box<test_state::TestStateArgs>),
    /// Run the test cases of workflows, with mocks or real modules, in virtual time; exit code 1 if one fails
    Test(test::TestArgs),
    /// Try a JSONata expression; exit code 1 if it has no value
    Jsonata(jsonata::JsonataArgs),
    /// Back up, restore, check and move the data of a server that is stopped
    Store(store::StoreArgs),
    /// Print a completion script for a shell
    #[command(
        after_help = "Example:\n  stepwell completions bash > ~/.local/share/bash-completion/completions/stepwell"
    )]
    Completions {
        /// The shell to complete for
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
}

/// Runs one client command; errors go to standard error, the exit code says how it went (see `stepwell --help`).
pub(crate) fn run(global: &GlobalArgs, command: ClientCommand) -> ExitCode {
    let mut output = Output::standard(global.json, global.color);
    let client = connect(global, command.region());
    ExitCode::from(match client {
        Ok(client) => conclude(&client, &mut output, command),
        Err(failure) => {
            output.failure(&failure);
            failure.exit_code()
        }
    })
}

/// A client that signs, if there is an access key, and trusts whom it is told to.
fn connect(global: &GlobalArgs, region: Option<&str>) -> Result<Client, Failure> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let credentials = credentials::find(global.access_key.as_deref(), region, variable)?;
    let client = Client::new(&global.endpoint, global.verbose).signing(credentials);
    match &global.ca_file {
        Some(file) => client.trusting(file),
        None => Ok(client),
    }
}

impl ClientCommand {
    /// The server's region, where the command line says it.
    fn region(&self) -> Option<&str> {
        match self {
            ClientCommand::Machine(args) => Some(args.region()),
            ClientCommand::Execution(args) => Some(args.region()),
            ClientCommand::TestState(args) => Some(args.region()),
            ClientCommand::Module(_)
            | ClientCommand::Secret(_)
            | ClientCommand::Key(_)
            | ClientCommand::Clock(_)
            | ClientCommand::Test(_)
            | ClientCommand::Jsonata(_)
            | ClientCommand::Store(_)
            | ClientCommand::Completions { .. } => None,
        }
    }
}

/// Runs the command, reports a failure, and returns the exit code.
fn conclude(client: &Client, output: &mut Output, command: ClientCommand) -> u8 {
    match dispatch(client, output, command).and_then(|()| output.finish()) {
        Ok(()) => 0,
        Err(failure) => {
            output.failure(&failure);
            failure.exit_code()
        }
    }
}

fn dispatch(client: &Client, output: &mut Output, command: ClientCommand) -> Result<(), Failure> {
    match command {
        ClientCommand::Module(args) => module::run(client, output, args),
        ClientCommand::Secret(args) => secret::run(client, output, args),
        ClientCommand::Key(args) => key::run(client, output, args),
        ClientCommand::Machine(args) => machine::run(client, output, args),
        ClientCommand::Execution(args) => execution::run(client, output, args),
        ClientCommand::Clock(args) => clock::run(client, output, args),
        ClientCommand::TestState(args) => test_state::run(client, output, *args),
        ClientCommand::Test(args) => test::run(output, &args),
        ClientCommand::Jsonata(args) => jsonata::run(client, output, &args),
        ClientCommand::Store(args) => store::run(output, args),
        ClientCommand::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "stepwell", &mut script);
            output.bytes(&script)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use clap::{CommandFactory as _, Parser as _};

    use super::{Cli, Command};

    /// Calls `visit` with every option of `command` and of the commands below it.
    fn each_option(command: &clap::Command, visit: &mut impl FnMut(&str, &clap::Arg)) {
        for argument in command.get_arguments().filter(|argument| !argument.is_positional()) {
            visit(command.get_name(), argument);
        }
        command.get_subcommands().for_each(|below| each_option(below, visit));
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_has_its_own_environment_variable() {
        let mut owners: BTreeMap<String, String> = BTreeMap::new();
        each_option(&Cli::command(), &mut |command, argument| {
            let id = argument.get_id().as_str().to_owned();
            let name = argument.get_env().unwrap_or_else(|| panic!("{command} --{id} has no variable"));
            let name = name.to_str().unwrap().to_owned();
            assert!(name.starts_with("STEPWELL_"), "{command} --{id}: {name}");
            let owner = owners.entry(name.clone()).or_insert_with(|| id.clone());
            assert_eq!(*owner, id, "{name} sets two different flags");
        });
        assert!(owners.len() > 20, "the walk found only {owners:?}");
    }

    #[test]
    fn every_command_shows_an_example_or_has_commands_below() {
        fn check(command: &clap::Command) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Example"), "`{}` shows no example", command.get_name());
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }

    #[test]
    fn serve_is_separate_from_the_client_commands() {
        let cli = Cli::try_parse_from(["stepwell", "serve", "--store", "memory:"]).unwrap();
        assert!(matches!(cli.command, Command::Serve(_)));
        let cli = Cli::try_parse_from(["stepwell", "module", "list", "--json"]).unwrap();
        assert!(matches!(cli.command, Command::Client(_)));
        assert!(cli.global.json);
    }

    #[test]
    fn an_unusable_endpoint_is_a_usage_error() {
        for endpoint in ["localhost:8083", "ftp://example.org", "http://", "https://"] {
            let parsed = Cli::try_parse_from(["stepwell", "--endpoint", endpoint, "module", "list"]);
            let error = parsed.expect_err(endpoint);
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains("--endpoint"), "{error}");
        }
    }
}

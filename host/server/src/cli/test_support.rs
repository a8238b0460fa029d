//! Test support: runs a command line against a server and keeps what it printed.

use clap::Parser as _;

use super::client::Client;
use super::output::Output;
use super::{Cli, Command};

/// What one command did.
pub(crate) struct Ran {
    /// Standard output.
    pub(crate) standard: String,
    /// Standard error.
    pub(crate) diagnostic: String,
    /// The exit code.
    pub(crate) code: u8,
}

/// Runs `stepwell <arguments>` with `--endpoint`, as `main` would.
pub(crate) fn run(endpoint: &str, arguments: &[&str]) -> Ran {
    let line = ["stepwell", "--endpoint", endpoint].into_iter().chain(arguments.iter().copied());
    let cli = Cli::try_parse_from(line).unwrap();
    let Command::Client(command) = cli.command else { panic!("{arguments:?} is no client command") };
    let client = Client::new(&cli.global.endpoint, cli.global.verbose);
    let (mut output, captured) = Output::capture(cli.global.json);
    let code = super::conclude(&client, &mut output, *command);
    Ran { standard: captured.standard(), diagnostic: captured.diagnostic(), code }
}

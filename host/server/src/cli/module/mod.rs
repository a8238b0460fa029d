//! `stepwell module`: the modules behind Task states, through the server's `/modules` endpoints; and what is done before
//! an upload, without a server: `new`, `run` and `inspect`.
//!
//! One file a group of commands. The others must never judge a manifest: that is the server's work.

mod alias;
mod grants;
mod inspect;
mod local;
mod manifest;
mod new;
mod put;
mod run;
mod show;
#[cfg(test)]
mod tests;
mod version;

use clap::{Args, Subcommand};

use super::client::Client;
use super::exit::Failure;
use super::output::Output;

const AFTER_HELP: &str = "\
Examples:
  stepwell module new --lang python charge-card
  stepwell module run charge-card.wasm --input '{\"cents\": 1999}'
  stepwell module put charge-card charge_card.wasm
  stepwell module put charge-card charge_card.wasm --allow-http https://api.example.com --publish
  stepwell module alias set charge-card live 3
  stepwell module get charge-card:live --json

A definition names the module in a Task state as
  \"Resource\": \"arn:aws:lambda:us-east-1:123456789012:function:charge-card\"
and a version or an alias of it with `:3` or `:live` behind that.";

/// Arguments of `stepwell module`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ModuleArgs {
    #[command(subcommand)]
    command: ModuleCommand,
}

#[derive(Debug, Subcommand)]
enum ModuleCommand {
    /// Begin a project: a small task in the language of your choice, with everything to build it
    New(new::NewArgs),
    /// Run a module here, in the server's sandbox, without a server
    Run(Box<run::RunArgs>),
    /// Show what a file is and what it needs, without a server
    Inspect(inspect::InspectArgs),
    /// Upload a module, or new code for one
    Put(put::PutArgs),
    /// List all modules
    #[command(after_help = "Example:\n  stepwell module list")]
    List,
    /// Show one module
    #[command(
        after_help = "Examples:\n  stepwell module get charge-card\n  stepwell module get charge-card:live"
    )]
    Get {
        /// The module's name, or NAME:VERSION or NAME:ALIAS
        name: String,
    },
    /// Delete a module with its versions and aliases, or one version
    #[command(
        after_help = "Examples:\n  stepwell module delete charge-card\n  stepwell module delete charge-card:3"
    )]
    Delete {
        /// The module's name, or NAME:VERSION
        name: String,
    },
    /// Make a version of what a module is now
    Publish(version::PublishArgs),
    /// List a module's versions
    #[command(after_help = "Example:\n  stepwell module versions charge-card")]
    Versions {
        /// The module's name
        name: String,
    },
    /// Names for versions: `live`, `test`
    Alias(alias::AliasArgs),
    /// What a module may reach
    Manifest(manifest::ManifestArgs),
}

/// Runs one `stepwell module` command.
pub(crate) fn run(client: &Client, output: &mut Output, args: ModuleArgs) -> Result<(), Failure> {
    match args.command {
        ModuleCommand::New(args) => new::run(output, &args),
        ModuleCommand::Run(args) => run::run(output, &args),
        ModuleCommand::Inspect(args) => inspect::run(output, &args),
        ModuleCommand::Put(args) => put::run(client, output, &args),
        ModuleCommand::List => show::list(client, output),
        ModuleCommand::Get { name } => {
            let (name, qualifier) = qualified(&name);
            let module = client.get_where(&["modules", name], &qualifier)?;
            show::module(output, &module)
        }
        ModuleCommand::Delete { name } => delete(client, output, &name),
        ModuleCommand::Publish(args) => version::publish(client, output, &args),
        ModuleCommand::Versions { name } => version::list(client, output, &name),
        ModuleCommand::Alias(args) => alias::run(client, output, args),
        ModuleCommand::Manifest(args) => manifest::run(client, output, args),
    }
}

fn delete(client: &Client, output: &mut Output, name: &str) -> Result<(), Failure> {
    let answer = match name.split_once(':') {
        None => client.delete(&["modules", name])?,
        Some((module, version)) if version.bytes().all(|byte| byte.is_ascii_digit()) => {
            client.delete(&["modules", module, "versions", version])?
        }
        Some((module, alias)) => {
            return Err(Failure::Usage(format!(
                "{name}: only versions are deleted so; an alias goes with `stepwell module alias delete {module} {alias}`"
            )));
        }
    };
    deleted(output, &answer, name)
}

/// Says what is gone.
fn deleted(output: &mut Output, answer: &serde_json::Value, what: &str) -> Result<(), Failure> {
    if output.wants_json() { output.json(answer) } else { output.line(&format!("deleted {what}")) }
}

/// `NAME:QUALIFIER` in its parts, the second as the server takes it.
fn qualified(name: &str) -> (&str, Vec<(&'static str, &str)>) {
    match name.split_once(':') {
        Some((module, qualifier)) => (module, vec![("qualifier", qualifier)]),
        None => (name, Vec::new()),
    }
}

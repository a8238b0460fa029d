//! `stepwell module alias`: names for versions.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::super::client::Client;
use super::super::exit::Failure;
use super::super::output::Output;
use super::super::{table, timestamp};
use super::{deleted, show};

const AFTER_HELP: &str = "\
Examples:
  stepwell module alias set charge-card live 3
  stepwell module alias set charge-card live 3 --weight 4=0.1
  stepwell module alias list charge-card";

/// Arguments of `stepwell module alias`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct AliasArgs {
    #[command(subcommand)]
    command: AliasCommand,
}

#[derive(Debug, Subcommand)]
enum AliasCommand {
    /// Make an alias, or have it name another version from now on
    #[command(after_help = "\
Examples:
  stepwell module alias set charge-card live 3
  stepwell module alias set charge-card live 3 --weight 4=0.1

Attempts that begin after this take the new version; calls that run end on what they began with.")]
    Set {
        /// The module's name
        name: String,
        /// The alias
        alias: String,
        /// The version's number, or $LATEST
        version: String,
        /// A second version and its share of the calls
        #[arg(long, value_name = "VERSION=SHARE", env = "STEPWELL_MODULE_WEIGHT", value_parser = parse_weight)]
        weight: Option<(String, f64)>,
        /// What it is for
        #[arg(long, value_name = "TEXT", env = "STEPWELL_MODULE_DESCRIPTION")]
        description: Option<String>,
    },
    /// List a module's aliases
    #[command(after_help = "Example:\n  stepwell module alias list charge-card")]
    List {
        /// The module's name
        name: String,
    },
    /// Delete an alias; its versions stay
    #[command(after_help = "Example:\n  stepwell module alias delete charge-card live")]
    Delete {
        /// The module's name
        name: String,
        /// The alias
        alias: String,
    },
}

pub(super) fn run(client: &Client, output: &mut Output, args: AliasArgs) -> Result<(), Failure> {
    match args.command {
        AliasCommand::Set { name, alias, version, weight, description } => {
            let weights: Map<String, Value> =
                weight.into_iter().map(|(version, share)| (version, json!(share))).collect();
            let mut body = json!({"version": version, "weights": weights});
            if let Some(description) = description {
                body["description"] = json!(description);
            }
            let path = ["modules", &name, "aliases", &alias];
            let set = client.put(&path, "application/json", body.to_string().as_bytes())?;
            if output.wants_json() {
                return output.json(&set);
            }
            output.line(&format!("{name}:{alias} is {}", versions(&set)))
        }
        AliasCommand::List { name } => list(client, output, &name),
        AliasCommand::Delete { name, alias } => {
            let answer = client.delete(&["modules", &name, "aliases", &alias])?;
            deleted(output, &answer, &format!("{name}:{alias}"))
        }
    }
}

fn list(client: &Client, output: &mut Output, name: &str) -> Result<(), Failure> {
    let answer = client.get(&["modules", name, "aliases"])?;
    if output.wants_json() {
        return output.json(&answer);
    }
    let aliases = show::members(&answer["aliases"]);
    if aliases.is_empty() {
        output.note(&format!("no aliases; make one with `stepwell module alias set {name} live VERSION`"));
        return Ok(());
    }
    let mut rows = table::titled(&["ALIAS", "VERSION", "UPDATED (UTC)", "DESCRIPTION"]);
    for alias in aliases {
        rows.add_row(vec![
            table::member(alias, "alias"),
            table::text(&versions(alias)),
            table::text(&timestamp::to_the_second(&alias["updatedAt"])),
            table::member(alias, "description"),
        ]);
    }
    output.table(rows)
}

/// `version 3`, `version 3, version 4 for a share of 0.1 of the calls`.
fn versions(alias: &Value) -> String {
    let mut text = format!("version {}", table::member_text(alias, "version"));
    for (version, share) in alias["weights"].as_object().into_iter().flatten() {
        text = format!("{text}, version {version} for a share of {share} of the calls");
    }
    text
}

fn parse_weight(text: &str) -> Result<(String, f64), String> {
    let wrong = || "give VERSION=SHARE with a share from 0 to 1, like 4=0.1".to_owned();
    let (version, share) = text.split_once('=').ok_or_else(wrong)?;
    let share: f64 = share.parse().map_err(|_| wrong())?;
    if !(0.0..=1.0).contains(&share) {
        return Err(wrong());
    }
    Ok((version.to_owned(), share))
}

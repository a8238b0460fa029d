//! `stepwell module publish` and `versions`.

use clap::Args;
use serde_json::json;

use super::super::client::Client;
use super::super::exit::Failure;
use super::super::output::Output;
use super::super::{table, timestamp};
use super::show;

/// Arguments of `stepwell module publish`.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  stepwell module publish charge-card --description 'retries on 503'

When nothing has changed since the newest version, that one is shown and none is made.")]
pub(super) struct PublishArgs {
    /// The module's name
    name: String,
    /// What to remember it by
    #[arg(long, value_name = "TEXT", env = "STEPWELL_MODULE_DESCRIPTION")]
    description: Option<String>,
}

pub(super) fn publish(client: &Client, output: &mut Output, args: &PublishArgs) -> Result<(), Failure> {
    let mut body = json!({});
    if let Some(description) = &args.description {
        body["description"] = json!(description);
    }
    let version = client.post(&["modules", &args.name, "versions"], &body.to_string())?;
    show::module(output, &version)
}

pub(super) fn list(client: &Client, output: &mut Output, name: &str) -> Result<(), Failure> {
    let answer = client.get(&["modules", name, "versions"])?;
    if output.wants_json() {
        return output.json(&answer);
    }
    let versions = show::members(&answer["versions"]);
    if versions.is_empty() {
        output.note(&format!("no versions; make one with `stepwell module publish {name}`"));
        return Ok(());
    }
    let titles = [">VERSION", "KIND", ">SIZE", "SHA-256", "PUBLISHED (UTC)", "DESCRIPTION"];
    let mut rows = table::titled(&titles);
    for version in versions {
        rows.add_row(vec![
            table::number(table::member_text(version, "version")),
            table::member(version, "kind"),
            table::number(show::size(version)),
            table::text(&show::short_hash(version)),
            table::text(&timestamp::to_the_second(&version["createdAt"])),
            table::member(version, "description"),
        ]);
    }
    output.table(rows)
}

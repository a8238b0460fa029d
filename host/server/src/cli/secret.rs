//! `stepwell secret`: values that modules are given by name. They can be set and deleted, never read.
//!
//! A value must never be an argument: other users of a machine see the arguments of all processes.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::client::Client;
use super::exit::Failure;
use super::output::Output;
use super::{source, table, timestamp};

const AFTER_HELP: &str = "\
Examples:
  printf %s \"$API_KEY\" | stepwell secret set stripe
  stepwell secret set stripe --file key.txt
  stepwell secret list

A module gets the value in an environment variable that its manifest names:
  \"secrets\": {\"API_KEY\": \"stripe\"}";

/// Arguments of `stepwell secret`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct SecretArgs {
    #[command(subcommand)]
    command: SecretCommand,
}

#[derive(Debug, Subcommand)]
enum SecretCommand {
    /// Set a secret to what standard input or a file holds, without the line end behind it
    #[command(after_help = "\
Examples:
  printf %s \"$API_KEY\" | stepwell secret set stripe
  stepwell secret set stripe --file key.txt")]
    Set {
        /// The secret's name
        name: String,
        /// The file with the value; without it, standard input
        #[arg(long, value_name = "FILE", env = "STEPWELL_SECRET_FILE", default_value = "-")]
        file: PathBuf,
    },
    /// List the names of all secrets
    #[command(after_help = "Example:\n  stepwell secret list")]
    List,
    /// Delete a secret: modules that need it fail from then on
    #[command(after_help = "Example:\n  stepwell secret delete stripe")]
    Delete {
        /// The secret's name
        name: String,
    },
}

/// Runs one `stepwell secret` command.
pub(crate) fn run(client: &Client, output: &mut Output, args: SecretArgs) -> Result<(), Failure> {
    match args.command {
        SecretCommand::Set { name, file } => {
            let value = source::secret_file(&file)?;
            let secret = client.put(&["secrets", &name], "application/octet-stream", value.as_bytes())?;
            if output.wants_json() { output.json(&secret) } else { output.line(&format!("set {name}")) }
        }
        SecretCommand::List => list(client, output),
        SecretCommand::Delete { name } => {
            let answer = client.delete(&["secrets", &name])?;
            if output.wants_json() { output.json(&answer) } else { output.line(&format!("deleted {name}")) }
        }
    }
}

fn list(client: &Client, output: &mut Output) -> Result<(), Failure> {
    let answer = client.get(&["secrets"])?;
    if output.wants_json() {
        return output.json(&answer);
    }
    let secrets = answer["secrets"].as_array().map_or(&[][..], Vec::as_slice);
    if secrets.is_empty() {
        output.note("no secrets; set one with `stepwell secret set NAME`");
        return Ok(());
    }
    let mut rows = table::titled(&["NAME", "CREATED (UTC)", "SET (UTC)"]);
    for secret in secrets {
        rows.add_row(vec![
            table::member(secret, "name"),
            table::text(&timestamp::to_the_second(&secret["createdAt"])),
            table::text(&timestamp::to_the_second(&secret["updatedAt"])),
        ]);
    }
    output.table(rows)
}

#[cfg(test)]
mod tests {
    use super::super::test_responder::Responder;
    use super::super::test_support::{self, Ran};

    const SECRET: &str =
        r#"{"name":"stripe","createdAt":"2026-11-22T16:32:28Z","updatedAt":"2026-11-23T16:32:28Z"}"#;

    #[test]
    fn a_value_comes_from_a_file_and_goes_without_its_line_end() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("key");
        for (written, sent) in [("k\u{e9}y\n", "k\u{e9}y"), ("a\r\n", "a"), ("a\n\n", "a\n"), (" a ", " a ")]
        {
            std::fs::write(&file, written).unwrap();
            let responder = Responder::start([(201, SECRET)]);
            let arguments = ["secret", "set", "stripe", "--file", file.to_str().unwrap()];
            let ran = test_support::run(&responder.endpoint, &arguments);
            assert_eq!((ran.standard.as_str(), ran.code), ("set stripe\n", 0), "{}", ran.diagnostic);
            assert_eq!(responder.requests()[0].body, sent.as_bytes());
            assert_eq!(responder.requests()[0].line, "PUT /secrets/stripe HTTP/1.1");
        }
    }

    #[test]
    fn secrets_are_listed_and_deleted_by_name() {
        let body = format!("{{\"secrets\":[{SECRET}]}}");
        let responder = Responder::start([(200, &body), (204, "")]);
        let Ran { standard, code, .. } = test_support::run(&responder.endpoint, &["secret", "list"]);
        let expected = "\
NAME    CREATED (UTC)        SET (UTC)
stripe  2026-11-22 16:32:28  2026-11-23 16:32:28
";
        assert_eq!((standard.as_str(), code), (expected, 0));
        let ran = test_support::run(&responder.endpoint, &["secret", "delete", "stripe"]);
        assert_eq!((ran.standard.as_str(), ran.code), ("deleted stripe\n", 0));
    }
}

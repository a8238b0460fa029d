//! `stepwell key`: access keys, on a running server or in the files of a store that no server has open.
//!
//! The first key of a store can be made either way; making it in the files is how a server is prepared that others can
//! reach. A secret is printed once, when it is made, and nowhere else.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use stepwell_executor::{Clock as _, SystemClock};
use stepwell_store::{Backend, Store, StoreLocation};

use super::arn::parse_account;
use super::client::Client;
use super::exit::Failure;
use super::output::Output;
use super::store::{self, StoreArg};
use super::{retention, table, timestamp};
use crate::auth::policy::Policies;
use crate::auth::{AccessKeys, KeyError, NewKey};
use crate::modules::Accounts;
use crate::secrets::{Seal, SecretKey};

const AFTER_HELP: &str = "\
Examples:
  stepwell key create --policy admin --store sled:./stepwell-data
  stepwell key create --policy run --policy deploy --expires 90 --description ci
  stepwell key list
  stepwell key revoke AKIA...

Policies: read looks, run also starts and stops, deploy also creates and changes, admin does everything.
With --store the store's own files are changed, while no server has them open; without it, the server's.";

/// The account of a key that is made in a store and told nothing else.
const ACCOUNT: &str = "123456789012";

/// Arguments of `stepwell key`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct KeyArgs {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Make an access key; its secret is shown now and never again
    #[command(after_help = "\
Examples:
  stepwell key create --policy admin --store sled:./stepwell-data
  stepwell key create --policy read --expires 12h")]
    Create {
        /// What the key may do: read, run, deploy or admin; may be given several times
        #[arg(long = "policy", value_name = "POLICY", env = "STEPWELL_KEY_POLICY", required = true)]
        #[arg(value_parser = parse_policy, value_delimiter = ',')]
        policies: Vec<&'static str>,
        /// The account that it is bound to, 12 digits [default: the one of whoever asks]
        #[arg(long, value_name = "DIGITS", env = "STEPWELL_ACCOUNT", value_parser = parse_account)]
        account: Option<String>,
        /// How long it is valid: days, or a time like `12h`; `none`: until it is revoked
        #[arg(long, value_name = "DAYS", env = "STEPWELL_KEY_EXPIRES", default_value = "none")]
        expires: retention::Retention,
        /// What it is for, in your words
        #[arg(long, value_name = "TEXT", env = "STEPWELL_KEY_DESCRIPTION", default_value = "")]
        description: String,
        #[command(flatten)]
        place: Place,
    },
    /// List access keys, also revoked ones
    #[command(after_help = "Example:\n  stepwell key list")]
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Revoke an access key: requests that are signed with it are refused from now on
    #[command(after_help = "Example:\n  stepwell key revoke AKIAQWERTYUIOPASDFGH")]
    Revoke {
        /// The key's id
        id: String,
        #[command(flatten)]
        place: Place,
    },
}

/// Where the keys are.
#[derive(Args, Debug)]
struct Place {
    /// The store in whose files the keys are, `sled:DIR` or `redb:FILE`, instead of a running server
    #[arg(long = "store", id = "key_store", value_name = "STORE", env = "STEPWELL_KEY_STORE")]
    store: Option<StoreLocation>,
    /// With --store: the file with the key that seals secrets, as `serve` has it
    #[arg(long, value_name = "FILE", env = "STEPWELL_SECRET_KEY_FILE")]
    secret_key_file: Option<PathBuf>,
}

fn parse_policy(text: &str) -> Result<&'static str, String> {
    let names = Policies::NAMES.map(|(name, _)| name);
    let found = names.into_iter().find(|name| *name == text);
    found.ok_or_else(|| format!("give one of {}", names.join(", ")))
}

/// Runs one `stepwell key` command.
pub(crate) fn run(client: &Client, output: &mut Output, args: KeyArgs) -> Result<(), Failure> {
    match args.command {
        KeyCommand::Create { policies, account, expires, description, place } => {
            let seconds = expires.0.map(|valid| valid.as_secs());
            let made = match &place.store {
                None => {
                    let wish = json!({
                        "account": account, "policies": policies, "description": description,
                        "expiresInSeconds": seconds,
                    });
                    client.post(&["api", "keys"], &wish.to_string())?
                }
                Some(store) => {
                    let now = SystemClock.now();
                    let wish = NewKey {
                        account: account.unwrap_or_else(|| ACCOUNT.to_owned()),
                        policies: Policies::parse(policies.iter().copied()).unwrap_or(Policies::READ),
                        description,
                        expires_at: seconds.map(|seconds| now.plus_seconds(seconds)),
                    };
                    in_files(&place, store, true, async |keys| {
                        let (key, secret) = keys.create(wish).await?;
                        let mut made = key.to_json();
                        made["secretAccessKey"] = json!(secret);
                        Ok(made)
                    })?
                }
            };
            created(output, &made)
        }
        KeyCommand::List { place } => {
            let answer = match &place.store {
                None => client.get(&["api", "keys"])?,
                Some(store) => in_files(&place, store, false, async |keys| {
                    Ok(
                        json!({"accessKeys": keys.list().iter().map(|key| key.to_json()).collect::<Vec<Value>>()}),
                    )
                })?,
            };
            list(output, &answer)
        }
        KeyCommand::Revoke { id, place } => {
            let answer = match &place.store {
                None => client.delete(&["api", "keys", &id])?,
                Some(store) => {
                    in_files(&place, store, false, async |keys| Ok(keys.revoke(&id).await?.to_json()))?
                }
            };
            if output.wants_json() { output.json(&answer) } else { output.line(&format!("revoked {id}")) }
        }
    }
}

fn created(output: &mut Output, made: &Value) -> Result<(), Failure> {
    if output.wants_json() {
        return output.json(made);
    }
    let text = |member: &str| made[member].as_str().unwrap_or_default();
    output.line(&format!("AWS_ACCESS_KEY_ID={}", text("accessKeyId")))?;
    output.line(&format!("AWS_SECRET_ACCESS_KEY={}", text("secretAccessKey")))?;
    output.note("keep the secret now: it is not shown again");
    Ok(())
}

fn list(output: &mut Output, answer: &Value) -> Result<(), Failure> {
    if output.wants_json() {
        return output.json(answer);
    }
    let keys = answer["accessKeys"].as_array().map_or(&[][..], Vec::as_slice);
    if keys.is_empty() {
        output.note("no access keys; make one with `stepwell key create --policy admin`");
        return Ok(());
    }
    let mut rows = table::titled(&[
        "ID",
        "ACCOUNT",
        "POLICIES",
        "CREATED (UTC)",
        "EXPIRES (UTC)",
        "REVOKED (UTC)",
        "DESCRIPTION",
    ]);
    for key in keys {
        let policies = key["policies"].as_array().map_or(&[][..], Vec::as_slice);
        let policies: Vec<&str> = policies.iter().filter_map(Value::as_str).collect();
        let moment = |member: &str| match &key[member] {
            Value::String(_) => table::text(&timestamp::to_the_second(&key[member])),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                table::text("-")
            }
        };
        rows.add_row(vec![
            table::member(key, "accessKeyId"),
            table::member(key, "account"),
            table::text(&policies.join("+")),
            moment("createdAt"),
            moment("expiresAt"),
            moment("revokedAt"),
            table::member(key, "description"),
        ]);
    }
    output.table(rows)
}

/// Does something with the keys in the files of a store.
fn in_files(
    place: &Place,
    location: &StoreLocation,
    may_create: bool,
    work: impl AsyncFnOnce(&AccessKeys) -> Result<Value, KeyError>,
) -> Result<Value, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| store::not_done(&format!("cannot start threads: {error}")))?;
    let served = runtime.block_on(async {
        let arg = StoreArg { store: location.clone() };
        let work = async |backend: &std::sync::Arc<dyn Backend>| {
            store::check_whole(&arg, backend).await?;
            let secret_key =
                SecretKey::of_store(location, place.secret_key_file.as_deref()).map_err(Failure::Usage)?;
            let store = Store::new(std::sync::Arc::clone(backend));
            let seal = Seal::new(store.clone(), secret_key);
            let failed =
                |error: &dyn std::fmt::Display| store::not_done(&format!("--store {location}: {error}"));
            let keys = AccessKeys::open(store, seal, Accounts::default(), None).await;
            let keys = keys.map_err(|error| failed(&error))?;
            work(&keys).await.map_err(|error| match error {
                KeyError::Invalid(_) | KeyError::Missing(_) => Failure::Usage(error.to_string()),
                KeyError::Secret(_) | KeyError::Store(_) => failed(&error),
            })
        };
        if may_create {
            let backend = store::open(location).await?;
            store::finish(&backend, work(&backend).await).await
        } else {
            store::with_store(&arg, work).await
        }
    });
    runtime.shutdown_timeout(Duration::from_secs(5));
    served
}

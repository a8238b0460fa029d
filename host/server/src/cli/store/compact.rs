//! `stepwell store compact`: gives space back, or says how where the engine cannot.

use clap::Args;
use serde_json::json;
use stepwell_store::{Compacted, StoreLocation};

use super::super::exit::Failure;
use super::super::output::Output;
use super::super::table;
use super::{StoreArg, check_whole, store_failed, with_store};

const AFTER_HELP: &str = "\
Example:
  stepwell store compact --store redb:./data/store.redb

redb moves its data together and makes the file shorter. sled cannot: the command then changes nothing and shows the
commands that move the store into a new directory.";

/// Arguments of `stepwell store compact`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct CompactArgs {
    #[command(flatten)]
    store: StoreArg,
}

pub(super) async fn run(output: &mut Output, args: &CompactArgs) -> Result<(), Failure> {
    let compacted = with_store(&args.store, async |backend| {
        check_whole(&args.store, backend).await?;
        let compacted = stepwell_store::compact(&**backend).await;
        compacted.map_err(|error| store_failed(&args.store, &error))
    });
    let location = &args.store.store;
    match compacted.await? {
        Compacted::Done { before_bytes, after_bytes } if output.wants_json() => output.json(&json!({
            "store": location.to_string(),
            "compacted": true,
            "beforeBytes": before_bytes,
            "afterBytes": after_bytes,
        })),
        Compacted::Done { before_bytes, after_bytes } => output.line(&format!(
            "{location}: {} before, {} now",
            table::bytes(before_bytes),
            table::bytes(after_bytes)
        )),
        Compacted::Unsupported(reason) if output.wants_json() => output.json(&json!({
            "store": location.to_string(),
            "compacted": false,
            "reason": reason,
            "commands": by_moving(location),
        })),
        Compacted::Unsupported(reason) => {
            output.line(&format!("{location}: {reason}. Nothing was changed."))?;
            output.line(
                "Space comes back by moving everything into a new store, while the server is stopped:",
            )?;
            output.line("")?;
            by_moving(location).iter().try_for_each(|command| output.line(&format!("  {command}")))
        }
    }
}

/// The commands that move a store into a new place of the same kind.
fn by_moving(location: &StoreLocation) -> Vec<String> {
    let StoreLocation::Sled(directory) = location else { return Vec::new() };
    let old = directory.to_string_lossy();
    let old = old.trim_end_matches('/');
    let place = |suffix: &str| quoted(&format!("{old}{suffix}"));
    let store = |suffix: &str| quoted(&format!("sled:{old}{suffix}"));
    let (file, new) = (place(".stepwell"), place(".new"));
    vec![
        format!("stepwell store export --store {} --output {file}", store("")),
        format!("stepwell store import --store {} --input {file}", store(".new")),
        format!(
            "for name in modules secret.key; do test ! -e {0}/$name || cp -a {0}/$name {new}; done",
            quoted(old)
        ),
        format!("mv {0} {1} && mv {new} {0}", quoted(old), place(".old")),
    ]
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=+@%".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_can_be_pasted_into_a_shell() {
        let commands = by_moving(&StoreLocation::Sled("./stepwell-data/".into()));
        let expected = [
            "stepwell store export --store sled:./stepwell-data --output ./stepwell-data.stepwell",
            "stepwell store import --store sled:./stepwell-data.new --input ./stepwell-data.stepwell",
            "for name in modules secret.key; do test ! -e ./stepwell-data/$name || \
             cp -a ./stepwell-data/$name ./stepwell-data.new; done",
            "mv ./stepwell-data ./stepwell-data.old && mv ./stepwell-data.new ./stepwell-data",
        ];
        assert_eq!(commands, expected);
        assert_eq!(quoted("it's here"), r"'it'\''s here'");
    }
}

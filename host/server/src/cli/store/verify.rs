//! `stepwell store verify`: reads everything in a store and compares it with what the last commit left.

use clap::Args;
use serde_json::json;
use stepwell_store::Verified;

use super::super::exit::Failure;
use super::super::output::Output;
use super::super::table;
use super::{StoreArg, check_whole, store_failed, with_store};

const AFTER_HELP: &str = "\
Example:
  stepwell store verify --store sled:./stepwell-data

It takes about a second per gigabyte. Exit code 1: records are damaged or missing. Keep a copy of the files, then import
the latest export into a new store.";

/// Arguments of `stepwell store verify`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    store: StoreArg,
}

pub(super) async fn run(output: &mut Output, args: &VerifyArgs) -> Result<(), Failure> {
    let verified = with_store(&args.store, async |backend| {
        check_whole(&args.store, backend).await?;
        let verified = stepwell_store::verify(&**backend).await;
        let verified = verified.map_err(|error| store_failed(&args.store, &error))?;
        if verified.is_intact() {
            // As a server reads: every value put together from its parts.
            let read = stepwell_store::usage(&**backend).await;
            read.map_err(|error| store_failed(&args.store, &error))?;
        }
        Ok(verified)
    });
    show(output, &args.store, &verified.await?)
}

fn show(output: &mut Output, arg: &StoreArg, verified: &Verified) -> Result<(), Failure> {
    if output.wants_json() {
        output.json(&json!({
            "store": arg.store.to_string(),
            "intact": verified.is_intact(),
            "lastCommit": verified.commit,
            "records": verified.records,
            "recordBytes": verified.bytes,
            "damaged": verified.damaged,
            "complete": verified.complete,
            "examples": verified.examples,
        }))?;
    } else {
        let fields = [
            ("store", table::text(&arg.store.to_string())),
            ("last commit", table::text(&verified.commit.to_string())),
            ("records read", table::text(&verified.records.to_string())),
            ("size", table::text(&table::bytes(verified.bytes))),
            ("damaged", table::text(&verified.damaged.to_string())),
            ("complete", table::text(if verified.complete { "yes" } else { "no" })),
        ];
        output.table(table::fields(fields))?;
        for example in &verified.examples {
            output.note(&format!("damaged: {example}"));
        }
    }
    if verified.is_intact() {
        return Ok(());
    }
    let what = if verified.damaged > 0 {
        format!("{} of its records are damaged", verified.damaged)
    } else {
        "records are missing, or older than acknowledged".to_owned()
    };
    Err(Failure::NotSucceeded {
        message: format!("--store {}: {what}", arg.store),
        hint: Some("keep a copy of the files, then import the latest export into a new store".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_and_missing_records_fail_with_what_to_do() {
        let arg = StoreArg { store: "sled:./data".parse().unwrap() };
        let intact = Verified { commit: 7, records: 3, complete: true, ..Verified::default() };
        let damaged = Verified {
            damaged: 1,
            complete: false,
            examples: vec!["45ff: the checksum is wrong".into()],
            ..intact.clone()
        };
        let missing = Verified { complete: false, ..intact.clone() };
        for (verified, expected) in
            [(intact, None), (damaged, Some("1 of its records are damaged")), (missing, Some("missing"))]
        {
            let (mut output, captured) = Output::capture(false);
            let outcome = show(&mut output, &arg, &verified);
            match (outcome, expected) {
                (Ok(()), None) => {}
                (Err(failure), Some(expected)) => {
                    assert!(failure.to_string().contains(expected), "{failure}");
                    assert_eq!(failure.exit_code(), 1);
                    assert!(failure.hint().unwrap().contains("import the latest export"));
                }
                (outcome, expected) => panic!("{outcome:?} instead of {expected:?}"),
            }
            assert_eq!(captured.diagnostic().contains("45ff"), verified.damaged > 0);
        }
    }
}

//! `stepwell store verify`: reads everything in a store and compares it with what the last commit left; then whether the
//! records agree with each other.

use std::sync::Arc;

use clap::Args;
use serde_json::json;
use stepwell_store::transfer::Totals;
use stepwell_store::{RecordCheck, Verified, check_records};

use super::super::exit::Failure;
use super::super::output::Output;
use super::super::table;
use super::progress::Progress;
use super::{ProgressArg, StoreArg, check_whole, store_failed, with_store};

const AFTER_HELP: &str = "\
Example:
  stepwell store verify --store sled:./stepwell-data

First the bytes (about a second per gigabyte), then what the records say: that every one can be read, histories are whole,
and lists, names and times agree with them. Exit code 1: records are damaged, missing, or do not agree. Keep a copy of the files, then import
the latest export into a new store.";

/// Arguments of `stepwell store verify`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    progress: ProgressArg,
}

pub(super) async fn run(output: &mut Output, args: &VerifyArgs) -> Result<(), Failure> {
    let (verified, check) = with_store(&args.store, async |backend| {
        check_whole(&args.store, backend).await?;
        let verified = stepwell_store::verify(&**backend).await;
        let verified = verified.map_err(|error| store_failed(&args.store, &error))?;
        if !verified.is_intact() {
            return Ok((verified, None));
        }
        let mut progress = Progress::new(output, "checked", args.progress.progress);
        let totals =
            |check: &RecordCheck| Totals { records: check.records, record_bytes: check.bytes, file_bytes: 0 };
        let check = check_records(Arc::clone(backend), &mut |check| progress.tell(totals(check))).await;
        let check = check.map_err(|error| store_failed(&args.store, &error))?;
        progress.end(totals(&check));
        Ok((verified, Some(check)))
    })
    .await?;
    show(output, &args.store, &verified, check.as_ref())
}

fn show(
    output: &mut Output,
    arg: &StoreArg,
    verified: &Verified,
    check: Option<&RecordCheck>,
) -> Result<(), Failure> {
    let problems = check.map_or(0, |check| check.problems);
    let problem_examples: Vec<String> =
        check.iter().flat_map(|check| &check.examples).map(ToString::to_string).collect();
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
            "executions": check.map(|check| check.executions),
            "running": check.map(|check| check.running),
            "beingRemoved": check.map(|check| check.half_removed),
            "problems": check.map(|check| check.problems),
            "problemExamples": problem_examples,
        }))?;
    } else {
        let count = |count: fn(&RecordCheck) -> u64| {
            table::text(&check.map_or("not checked".to_owned(), |check| count(check).to_string()))
        };
        let fields = [
            ("store", table::text(&arg.store.to_string())),
            ("last commit", table::text(&verified.commit.to_string())),
            ("records read", table::text(&verified.records.to_string())),
            ("size", table::text(&table::bytes(verified.bytes))),
            ("damaged", table::text(&verified.damaged.to_string())),
            ("complete", table::text(if verified.complete { "yes" } else { "no" })),
            ("executions", count(|check| check.executions)),
            ("running", count(|check| check.running)),
            ("being removed", count(|check| check.half_removed)),
            ("problems", count(|check| check.problems)),
        ];
        output.table(table::fields(fields))?;
        for example in &verified.examples {
            output.note(&format!("damaged: {example}"));
        }
        for example in &problem_examples {
            output.note(&format!("problem: {example}"));
        }
    }
    if verified.is_intact() && problems == 0 {
        return Ok(());
    }
    let what = if problems > 0 {
        format!("its records do not agree with each other in {problems} places")
    } else if verified.damaged > 0 {
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
        let sound = Some(RecordCheck::default());
        let unsound = Some(RecordCheck { problems: 2, ..RecordCheck::default() });
        for (verified, check, expected) in [
            (intact.clone(), sound, None),
            (damaged, None, Some("1 of its records are damaged")),
            (missing, None, Some("missing")),
            (intact, unsound, Some("in 2 places")),
        ] {
            let (mut output, captured) = Output::capture(false);
            let outcome = show(&mut output, &arg, &verified, check.as_ref());
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

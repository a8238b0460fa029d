//! What is compared with the journal after a restart, and in full every so many rounds and at the end.
//!
//! A check must never change what it looks at, but for the starts that are repeated, which are harmless by contract.

use crate::journal::{self, Journal};
use crate::load;
use crate::machines::{KINDS, Kind, OTHERS};
use crate::violation::Violation;
use fastrand::Rng;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use stepwell_it::{CallFailure, Client, execution_arn};

/// Executions that are read after each restart, of the open and of the ended ones.
const SAMPLE: usize = 40;
/// Executions whose start is repeated after each restart.
const REPEATS: usize = 5;
/// Longest time until every open execution has ended when nobody kills the server.
pub const END_LIMIT: Duration = Duration::from_mins(2);
/// The statuses that lists are asked for.
const STATUSES: [&str; 5] = ["RUNNING", "SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT"];

/// Looks at a part after a restart; returns how many executions the kill had interrupted.
pub fn after_restart(client: &Client, journal: &Journal, random: &mut Rng) -> Result<usize, CallFailure> {
    let ended = journal.acknowledged(true);
    let ended_arns: BTreeSet<&str> = ended.iter().map(|(_, arn)| arn.as_str()).collect();
    let mut open = journal.acknowledged(false);
    let running = running(client)?;
    for arn in running.iter().filter(|arn| ended_arns.contains(arn.as_str())) {
        journal.violate(Violation::new(arn, "ended", "listed as RUNNING"));
    }
    // What the list has left out must have ended.
    for (number, arn) in open.iter().filter(|(_, arn)| !running.contains(arn)) {
        read(client, journal, *number, arn)?;
        if journal.acknowledged(false).contains(&(*number, arn.clone())) {
            journal.violate(Violation::new(arn, "RUNNING", "not listed as RUNNING"));
        }
    }
    let mut sample = ended.clone();
    for sampled in [&mut open, &mut sample] {
        random.shuffle(sampled);
        for (number, arn) in sampled.iter().take(SAMPLE) {
            read(client, journal, *number, arn)?;
        }
    }
    repeat_starts(client, journal, &open, random)?;
    Ok(running.len())
}

/// An acknowledged start that is repeated answers the same; with another input it never does.
fn repeat_starts(
    client: &Client,
    journal: &Journal,
    open: &[(usize, String)],
    random: &mut Rng,
) -> Result<(), CallFailure> {
    let named = open.iter().filter(|(number, _)| journal::name(*number).is_some());
    for (number, arn) in named.take(REPEATS) {
        load::start(client, journal, *number)?;
        let Some(mut request) = journal.request(*number) else { continue };
        request["input"] = json!(json!({"other": random.u64(..)}).to_string());
        match client.call("StartExecution", &request) {
            Err(CallFailure::Refused(refusal)) if refusal.code == "ExecutionAlreadyExists" => {}
            Err(CallFailure::Broken(reason)) => return Err(CallFailure::Broken(reason)),
            answer => journal.violate(Violation::new(arn, "its name is taken", format!("{answer:?}"))),
        }
    }
    Ok(())
}

/// Starts again what was never answered, waits until every execution has ended, and judges each.
pub fn settle(client: &Client, journal: &Journal) -> Result<(), CallFailure> {
    for number in journal.unanswered() {
        load::start(client, journal, number)?;
    }
    adopt(client, journal)?;
    let deadline = Instant::now() + END_LIMIT;
    loop {
        let open = journal.acknowledged(false);
        for (number, arn) in &open {
            read(client, journal, *number, arn)?;
        }
        if open.is_empty() {
            return Ok(());
        }
        if Instant::now() > deadline {
            for (_, arn) in &journal.acknowledged(false) {
                let history = json!(client.history(arn)?).to_string();
                let promised = format!("ends within {} s", END_LIMIT.as_secs());
                journal.violate(Violation::new(arn, promised, format!("RUNNING: {history}")));
            }
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Reads every ended execution again.
pub fn all_again(client: &Client, journal: &Journal) -> Result<(), CallFailure> {
    for (number, arn) in journal.acknowledged(true) {
        read(client, journal, number, &arn)?;
    }
    Ok(())
}

/// The lists, with and without a status, agree with the descriptions. Nothing may be running.
pub fn lists(client: &Client, journal: &Journal) -> Result<(), CallFailure> {
    for kind in KINDS {
        let known = journal.of_machine(kind);
        let all = listed(client, kind, None)?;
        let arns: BTreeSet<&str> = all.iter().map(|(arn, _)| arn.as_str()).collect();
        if arns.len() != all.len() {
            journal.violate(Violation::new(
                kind.arn(),
                "each execution once in the list",
                format!("{all:?}"),
            ));
        }
        let all: BTreeMap<String, String> = all.into_iter().collect();
        let wanted: BTreeMap<String, String> = known
            .into_iter()
            .map(|(arn, status)| (arn, status.unwrap_or_else(|| "RUNNING".to_owned())))
            .collect();
        compare(journal, "the list", &wanted, &all);
        for status in STATUSES {
            let with_status: BTreeMap<String, String> =
                listed(client, kind, Some(status))?.into_iter().collect();
            let wanted = wanted.iter().filter(|(_, found)| *found == status);
            let wanted = wanted.map(|(arn, found)| (arn.clone(), found.clone())).collect();
            compare(journal, &format!("the list of {status}"), &wanted, &with_status);
        }
    }
    Ok(())
}

fn compare(
    journal: &Journal,
    list: &str,
    wanted: &BTreeMap<String, String>,
    found: &BTreeMap<String, String>,
) {
    for (arn, status) in wanted.iter().filter(|(arn, status)| found.get(*arn) != Some(*status)) {
        let found = format!("{list} says {:?}", found.get(arn));
        journal.violate(Violation::new(arn, format!("acknowledged, {status}"), found));
    }
    for (arn, status) in found.iter().filter(|(arn, _)| !wanted.contains_key(*arn)) {
        journal.violate(Violation::new(arn, "never started", format!("in {list} as {status}")));
    }
}

/// Finds the executions without a name whose answer was lost. There may be one for each, not more.
fn adopt(client: &Client, journal: &Journal) -> Result<(), CallFailure> {
    for kind in KINDS {
        let known = journal.of_machine(kind);
        for (arn, _) in listed(client, kind, None)?.iter().filter(|(arn, _)| !known.contains_key(arn)) {
            let description = client.call("DescribeExecution", &json!({"executionArn": arn}))?;
            if !journal.adopt(arn, &description) {
                journal.violate(Violation::new(arn, "never started", description.to_string()));
            }
        }
    }
    Ok(())
}

/// ARNs and statuses of a machine's executions, but for those that are not the load's.
fn listed(client: &Client, kind: Kind, status: Option<&str>) -> Result<Vec<(String, String)>, CallFailure> {
    let mut request = json!({"stateMachineArn": kind.arn(), "maxResults": 1_000});
    if let Some(status) = status {
        request["statusFilter"] = json!(status);
    }
    let executions = client.list("ListExecutions", "executions", request)?;
    let others = OTHERS.map(|name| execution_arn(kind.name(), name));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let pairs = executions.iter().map(|one| (text(&one["executionArn"]), text(&one["status"])));
    Ok(pairs.filter(|(arn, _)| !others.contains(arn)).collect())
}

fn running(client: &Client) -> Result<BTreeSet<String>, CallFailure> {
    let mut running = BTreeSet::new();
    for kind in KINDS {
        running.extend(listed(client, kind, Some("RUNNING"))?.into_iter().map(|(arn, _)| arn));
    }
    Ok(running)
}

/// Reads an acknowledged execution into the journal; a refusal is a violation.
fn read(client: &Client, journal: &Journal, number: usize, arn: &str) -> Result<(), CallFailure> {
    match load::read(client, journal, number, arn) {
        Err(CallFailure::Refused(refusal)) => {
            journal.violate(Violation::new(arn, "acknowledged", format!("{refusal:?}")));
            Ok(())
        }
        answer => answer,
    }
}

//! A short run of the rig for each engine, and proofs that the rig can fail. The long run is the binary.
#![cfg(target_os = "linux")]

use std::{fs::File, path::Path, process::Command, time::Duration};

use anyhow::Result;
use stepwell_powerloss::{
    rig::{self, Report, Settings},
    trace::{Change, Event, Trace},
    tracer,
    workload::engine::{Engine, Syncs},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_power-loss");
const ROUNDS: u32 = 15;

fn rounds(engine: Engine, syncs: Syncs) -> Report {
    let settings = Settings { engine, rounds: ROUNDS, seed: 7, keep: None, syncs, program: PROGRAM.into() };
    let report = rig::run(&settings, |_| {}).expect("the rig follows every run");
    println!("{engine}\n{}", report.table());
    assert_eq!(report.rounds(), ROUNDS);
    report
}

fn nothing_is_lost(engine: Engine) {
    let report = rounds(engine, Syncs::Real);
    assert!(report.sound(), "{:#?}\n{:#?}", report.findings, report.early);
    assert!(report.acknowledged > 100, "{} acknowledged batches", report.acknowledged);
    // Else the check of the order has looked at little.
    assert!(report.stamps.1 * 10 < report.stamps.0, "{:?} stamps were cut", report.stamps);
}

fn losses_are_found(engine: Engine) {
    let report = rounds(engine, Syncs::Skipped);
    // A store that is refused, because nothing of its log is there, has lost what was acknowledged as well.
    let lost = |finding: &String| finding.contains("lost") || finding.contains("refused");
    assert!(report.findings.iter().any(lost), "{:#?}", report.findings);
    assert_eq!(report.early.len() as u64, report.acknowledged, "no acknowledgement came after a sync");
}

#[test]
fn sled_loses_nothing() {
    nothing_is_lost(Engine::Sled);
}

#[test]
fn redb_loses_nothing() {
    nothing_is_lost(Engine::Redb);
}

#[test]
fn sled_without_syncs_is_caught() {
    losses_are_found(Engine::Sled);
}

#[test]
fn redb_without_syncs_is_caught() {
    losses_are_found(Engine::Redb);
}

fn stray(what: &str) -> Result<Trace> {
    let place = tempfile::tempdir().expect("a directory");
    let (directory, journal) = (place.path().join("watched"), place.path().join("journal"));
    std::fs::create_dir(&directory).expect("a directory");
    File::create(&journal).expect("a journal");
    let mut command = Command::new(Path::new(PROGRAM));
    tracer::run(command.args(["stray", what]).arg(&directory), &directory, &journal, Duration::from_mins(1))
}

#[test]
fn a_call_that_does_not_come_from_libc_is_seen() {
    let trace = stray("past-libc").expect("a trace");
    let events = &trace.events[..];
    let [
        Event::Name(_),
        Event::File(file, Change::Write(3, data)),
        Event::SyncBegan(..),
        Event::SyncEnded(_),
    ] = events
    else {
        panic!("{events:?}");
    };
    assert_eq!((file.0, &data[..]), (0, &b"past libc"[..]));
}

#[test]
fn a_change_that_is_not_modelled_is_refused() {
    let refused = format!("{:#}", stray("unmodelled").unwrap_err());
    assert!(refused.contains("is not known to the rig"), "{refused}");
}

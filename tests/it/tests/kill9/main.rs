//! `kill -9` on the real server, again and again, while hundreds of executions run on the embedded store.
//!
//! What must hold whatever the moment of the kill: what was answered once stays true, every execution ends, and it ends
//! as if there had been no kill: same result, same number of attempts, one sound history. A start whose answer was lost
//! is repeated, which is harmless, because StartExecution is idempotent by name and input.
//!
//! `STEPWELL_SEED=<number>` repeats the random moments of a run; the seed of every run is printed.

mod fan_out;
mod ledger;
mod workload;

use fastrand::Rng;
use ledger::Ledger;
use serde_json::{Value, json};
use std::ops::{Range, RangeInclusive};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use stepwell_it::{CallFailure, Client, Server, announce, execution_arn, machine_arn};

/// Batches of executions; each begins when the one before it has ended, on the same data.
const BATCHES: usize = 4;
/// Executions of a batch.
const EXECUTIONS: usize = 200;
/// Kills while a batch runs.
const KILLS: usize = 5;
/// How long a server lives before it is killed, in milliseconds: from amidst the starts to amidst the waits.
const LIFE_MILLISECONDS: RangeInclusive<u64> = 40..=1_400;
/// How long a start lasts that is killed too, in milliseconds: from nothing done to ready.
const START_MILLISECONDS: RangeInclusive<u64> = 0..=120;
/// One in so many restarts is killed during its start.
const STUMBLES: u32 = 3;
/// Threads that start executions.
const STARTERS: usize = 3;
/// Executions whose start is repeated after each restart.
const REPEATS: usize = 5;
/// Longest time from the last kill of a batch to the end of all its executions.
const BATCH_LIMIT: Duration = Duration::from_mins(1);

#[test]
fn what_was_answered_survives_kill_9_and_every_execution_ends_right() {
    let begun = Instant::now();
    let seed = match std::env::var("STEPWELL_SEED") {
        Ok(seed) => seed.parse().expect("STEPWELL_SEED is a number"),
        Err(_) => fastrand::u64(..),
    };
    announce(&format!("kill9: STEPWELL_SEED={seed}"));
    let mut random = Rng::with_seed(seed);
    let mut server = Server::start();
    workload::install(&server.client());
    let ledger = Ledger::default();
    let mut kills = 0;
    let mut interrupted = 0;
    for batch in 0..BATCHES {
        let members = batch * EXECUTIONS..(batch + 1) * EXECUTIONS;
        for _ in 0..KILLS {
            run_until_killed(&mut server, &ledger, members.clone(), &mut random);
            kills += 1;
            if random.u32(..STUMBLES) == 0 {
                server.stumble(Duration::from_millis(random.u64(START_MILLISECONDS)));
                kills += 1;
            }
            let client = server.restart();
            interrupted += running(&client);
            repeat_some_starts(&client, &ledger, &mut random);
        }
        finish(&server.client(), &ledger, members);
        announce(&format!("kill9: {} executions ended right, {kills} kills so far", ledger.finished()));
    }
    server.kill9();
    check_again(&server.restart(), &ledger);
    announce(&format!(
        "kill9: {} executions, {} events, {} kills, {interrupted} times an execution was interrupted, {} reads before \
         a kill, {:.1} s",
        ledger.finished(),
        ledger.events(),
        kills + 1,
        ledger.reads(),
        begun.elapsed().as_secs_f64()
    ));
    assert_eq!(ledger.finished(), BATCHES * EXECUTIONS);
    // Otherwise the kills came too early or too late to prove anything.
    assert!(interrupted > EXECUTIONS, "only {interrupted} times was an execution interrupted");
}

/// Starts what is not started, reads what runs, and kills the server at a random moment.
fn run_until_killed(server: &mut Server, ledger: &Ledger, members: Range<usize>, random: &mut Rng) {
    let client = &server.client();
    let killed = &AtomicBool::new(false);
    std::thread::scope(|scope| {
        for first in 0..STARTERS {
            let mine = members.clone().skip(first).step_by(STARTERS);
            scope.spawn(move || start_until_killed(client, ledger, mine, killed));
        }
        let reader = random.fork();
        scope.spawn(move || read_until_killed(client, ledger, members, killed, reader));
        // The random moment itself; nothing is synchronised by it.
        std::thread::sleep(Duration::from_millis(random.u64(LIFE_MILLISECONDS)));
        killed.store(true, Ordering::SeqCst);
        server.kill9();
    });
}

fn start_until_killed(
    client: &Client,
    ledger: &Ledger,
    members: impl Iterator<Item = usize>,
    killed: &AtomicBool,
) {
    for number in members.filter(|number| !ledger.is_acknowledged(*number)) {
        if let Err(reason) = start(client, ledger, number) {
            assert!(killed.load(Ordering::SeqCst), "the connection broke while the server ran: {reason}");
            return;
        }
    }
}

/// Starts one execution. The error says how the connection broke.
fn start(client: &Client, ledger: &Ledger, number: usize) -> Result<(), String> {
    let repeated = ledger.attempt(number);
    match client.call("StartExecution", &workload::start_input(number)) {
        Ok(started) => ledger.acknowledge(number, &started),
        Err(CallFailure::Broken(reason)) => return Err(reason),
        // Only an earlier try of ours can have taken the name; its execution has ended by now.
        Err(CallFailure::Refused(refusal)) if repeated && refusal.code == "ExecutionAlreadyExists" => {
            ledger.acknowledge(number, &Value::Null);
        }
        Err(CallFailure::Refused(refusal)) => panic!("start of {number}: {refusal:?}"),
    }
    Ok(())
}

/// Reads executions in a random order; everything that is answered goes into the ledger.
fn read_until_killed(
    client: &Client,
    ledger: &Ledger,
    members: Range<usize>,
    killed: &AtomicBool,
    mut random: Rng,
) {
    loop {
        let number = random.usize(members.clone());
        if !ledger.is_acknowledged(number) {
            if killed.load(Ordering::SeqCst) {
                return;
            }
            std::thread::yield_now();
            continue;
        }
        let arn = execution_arn(workload::MACHINE, &workload::name(number));
        let described = client.call("DescribeExecution", &json!({"executionArn": arn}));
        let read = described.and_then(|description| Ok((description, client.history(&arn)?)));
        match read {
            Ok((description, history)) => ledger.read(number, description, history),
            Err(CallFailure::Broken(reason)) => {
                assert!(killed.load(Ordering::SeqCst), "the connection broke while the server ran: {reason}");
                return;
            }
            Err(CallFailure::Refused(refusal)) => panic!("{number} was acknowledged, but: {refusal:?}"),
        }
    }
}

/// An acknowledged start that is repeated after the crash answers the same; with another input it never does.
fn repeat_some_starts(client: &Client, ledger: &Ledger, random: &mut Rng) {
    let mut started = ledger.started();
    random.shuffle(&mut started);
    for (number, first_answer) in started.into_iter().take(REPEATS) {
        let mut input = workload::start_input(number);
        match client.call("StartExecution", &input) {
            Ok(again) => assert_eq!(again, first_answer, "the repeated start of {number}"),
            Err(failure) => assert_eq!(failure.refusal().code, "ExecutionAlreadyExists"),
        }
        input["input"] = json!("{}");
        let other = client.call("StartExecution", &input).expect_err("the name is taken");
        assert_eq!(other.refusal().code, "ExecutionAlreadyExists", "{number} with another input");
    }
}

/// Starts what is left of a batch, waits until all of it has ended, and judges every execution.
fn finish(client: &Client, ledger: &Ledger, members: Range<usize>) {
    for number in members.clone().filter(|number| !ledger.is_acknowledged(*number)) {
        start(client, ledger, number).expect("nobody kills the server now");
    }
    let deadline = Instant::now() + BATCH_LIMIT;
    let mut problems = Vec::new();
    for number in members {
        let arn = execution_arn(workload::MACHINE, &workload::name(number));
        let description = client.ended(&arn, deadline.saturating_duration_since(Instant::now()));
        let history = client.history(&arn).expect("the history");
        problems.extend(workload::problems(number, &description, &history));
        ledger.finish(number, description, history);
    }
    assert!(
        problems.is_empty(),
        "{} problems:\n{}",
        problems.len(),
        problems[..problems.len().min(20)].join("\n")
    );
}

/// All executions of all batches are still exactly as they were when they ended.
fn check_again(client: &Client, ledger: &Ledger) {
    for number in 0..BATCHES * EXECUTIONS {
        let arn = execution_arn(workload::MACHINE, &workload::name(number));
        ledger.finish(number, client.describe(&arn), client.history(&arn).expect("the history"));
    }
    let mut names: Vec<String> =
        listed(client, &json!({})).iter().map(|one| one["name"].to_string()).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), BATCHES * EXECUTIONS, "each execution is listed, and none besides");
}

/// How many executions run.
fn running(client: &Client) -> usize {
    listed(client, &json!({"statusFilter": "RUNNING"})).len()
}

fn listed(client: &Client, filter: &Value) -> Vec<Value> {
    let mut request = filter.clone();
    request["stateMachineArn"] = json!(machine_arn(workload::MACHINE));
    request["maxResults"] = json!(500);
    client.list("ListExecutions", "executions", request).expect("the list")
}

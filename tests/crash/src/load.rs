//! The load of one round: threads that start executions, read and stop them, and change secrets and machines, until
//! the server is killed. Every answer goes into the journal; a refusal that nothing explains is a violation.

use crate::administration::Administration;
use crate::journal::{self, Journal};
use crate::machines::Kind;
use crate::violation::Violation;
use fastrand::Rng;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use stepwell_it::{CallFailure, Client, Refusal};

/// The error of our own stops.
pub(crate) const STOP_ERROR: &str = "Crash.Stopped";
/// Threads that start executions.
const STARTERS: usize = 3;
/// One start in so many is sent twice.
const REPEATED: usize = 8;
/// One read in so many is followed by a stop.
const STOPPED: usize = 40;
/// Longest pause between two starts of a thread, in milliseconds.
const PAUSE_MILLISECONDS: u64 = 30;

/// What the threads of a round share.
pub(crate) struct Round<'a> {
    /// Of the server as it runs now.
    pub(crate) client: &'a Client,
    /// Where answers go.
    pub(crate) journal: &'a Journal,
    /// Executions to start.
    pub(crate) numbers: &'a [usize],
    /// Set before the fault that ends the server: from then on connections break, and nothing is held against them.
    pub(crate) may_break: &'a AtomicBool,
    /// Set when the load shall end.
    pub(crate) ended: &'a AtomicBool,
}

impl Round<'_> {
    /// Runs the load; `fault` decides when it ends.
    pub(crate) fn run(&self, administration: &mut Administration, random: &mut Rng, fault: impl FnOnce()) {
        let next = &AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..STARTERS {
                let random = random.fork();
                scope.spawn(move || self.start_until_killed(next, random));
            }
            let (reader, changer) = (random.fork(), random.fork());
            scope.spawn(move || self.read_until_killed(reader));
            scope.spawn(move || self.change_until_killed(administration, changer));
            fault();
        });
    }

    fn start_until_killed(&self, next: &AtomicUsize, mut random: Rng) {
        while let Some(number) = self.numbers.get(next.fetch_add(1, Ordering::SeqCst)) {
            let times = 1 + usize::from(journal::name(*number).is_some() && random.usize(..REPEATED) == 0);
            for _ in 0..times {
                match start(self.client, self.journal, *number) {
                    Ok(()) => {}
                    Err(CallFailure::Broken(reason)) => return self.broken(&reason),
                    Err(CallFailure::Refused(refusal)) => {
                        self.refused(
                            &format!("the start of {number} ({})", Kind::of(*number).name()),
                            &refusal,
                        );
                    }
                }
            }
            // Spreads the starts over the life of the server; nothing is synchronised by it.
            std::thread::sleep(Duration::from_millis(random.u64(..PAUSE_MILLISECONDS)));
        }
    }

    fn read_until_killed(&self, mut random: Rng) {
        while !self.ended.load(Ordering::SeqCst) {
            let number = self.numbers[random.usize(..self.numbers.len())];
            let Some(arn) = self.journal.arn(number) else {
                std::thread::yield_now();
                continue;
            };
            let mut answer = read(self.client, self.journal, number, &arn);
            if answer.is_ok() && random.usize(..STOPPED) == 0 {
                answer = self.stop(number, &arn);
            }
            match answer {
                Ok(()) => {}
                Err(CallFailure::Broken(reason)) => return self.broken(&reason),
                Err(CallFailure::Refused(refusal)) => self.refused(&arn, &refusal),
            }
        }
    }

    fn stop(&self, number: usize, arn: &str) -> Result<(), CallFailure> {
        self.journal.send_stop(number);
        let request = json!({"executionArn": arn, "error": STOP_ERROR, "cause": "by the crash test"});
        let answer = self.client.call("StopExecution", &request)?;
        self.journal.acknowledge_stop(number, &answer);
        Ok(())
    }

    fn change_until_killed(&self, administration: &mut Administration, mut random: Rng) {
        while !self.ended.load(Ordering::SeqCst) {
            match administration.change(self.client, &mut random) {
                Ok(()) => {}
                Err(CallFailure::Broken(reason)) => return self.broken(&reason),
                // Whether an earlier change was made is not known any more; the check after the restart says it.
                Err(CallFailure::Refused(refusal)) => return self.refused("secrets and machines", &refusal),
            }
            std::thread::sleep(Duration::from_millis(random.u64(..PAUSE_MILLISECONDS * 8)));
        }
    }

    fn broken(&self, reason: &str) {
        if !self.may_break.load(Ordering::SeqCst) {
            let violation = Violation::new("the connection", "answers while the server runs", reason);
            self.journal.violate(violation);
        }
    }

    fn refused(&self, about: &str, refusal: &Refusal) {
        // A server that is going down may say so.
        let going_down = self.may_break.load(Ordering::SeqCst) && refusal.status >= 500;
        if !is_busy(refusal) && !going_down {
            self.journal.violate(Violation::new(about, "acknowledged", format!("{refusal:?}")));
        }
    }
}

/// Whether the server only asks for patience.
fn is_busy(refusal: &Refusal) -> bool {
    refusal.code == "ThrottlingException"
}

/// Sends one start. A request for patience is no error; whether what was sent is carried out stays open then.
pub(crate) fn start(client: &Client, journal: &Journal, number: usize) -> Result<(), CallFailure> {
    let (request, repeated) = journal.send(number);
    match client.call("StartExecution", &request) {
        Ok(started) => journal.acknowledge(number, &started),
        // Only an earlier try of ours can have taken the name; its execution has ended by now.
        Err(CallFailure::Refused(refusal)) if repeated && refusal.code == "ExecutionAlreadyExists" => {
            if journal.arn(number).is_none() {
                journal.acknowledge(number, &Value::Null);
            }
        }
        Err(CallFailure::Refused(refusal)) if is_busy(&refusal) => {}
        Err(failure) => return Err(failure),
    }
    Ok(())
}

/// Reads an execution into the journal.
pub(crate) fn read(client: &Client, journal: &Journal, number: usize, arn: &str) -> Result<(), CallFailure> {
    let description = client.call("DescribeExecution", &json!({"executionArn": arn}))?;
    let history = client.history(arn)?;
    journal.read(number, description, history);
    Ok(())
}

//! A server with executions whose journal is kept: what the tests of single faults hurt, and compare afterwards.

use crate::administration::Administration;
use crate::check;
use crate::engine::Engine;
use crate::journal::{Figures, Journal};
use crate::load::{self, Round};
use crate::machines;
use crate::violation::Violation;
use fastrand::Rng;
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use stepwell_it::{CallFailure, Client, Refusal, Server, Setup};

/// A server and what it has acknowledged.
pub struct Population {
    /// The server.
    pub server: Server,
    /// What it has acknowledged.
    pub journal: Journal,
    next: usize,
    administration: Administration,
}

impl Population {
    /// Starts a server with the machines of the load.
    pub fn new(setup: Setup) -> Population {
        let server = setup.start();
        machines::install(&server.client());
        Population { server, journal: Journal::default(), next: 0, administration: Administration::default() }
    }

    /// [`Population::new`] on an engine, in a temporary directory that the caller keeps.
    pub fn on(engine: Engine, directory: &tempfile::TempDir) -> Population {
        Population::new(engine.setup(&directory.path().join("data")))
    }

    /// Starts that many executions, one after the other, until one is refused.
    pub fn start(&mut self, count: usize) -> Result<(), Refusal> {
        let client = self.server.client();
        for number in self.next..self.next + count {
            let (request, _) = self.journal.send(number);
            self.next = number + 1;
            match client.call("StartExecution", &request) {
                Ok(started) => self.journal.acknowledge(number, &started),
                Err(failure) => return Err(failure.refusal()),
            }
        }
        Ok(())
    }

    /// Runs the load of `kill9` on `count` executions while `fault` happens, which every request must survive.
    pub fn under_load(&mut self, count: usize, random: &mut Rng, fault: impl FnOnce(&mut Server)) {
        self.load(count, random, fault, false);
    }

    /// [`Population::under_load`] with a fault that ends the server: connections may break from its beginning on.
    pub fn under_load_breaking(&mut self, count: usize, random: &mut Rng, fault: impl FnOnce(&mut Server)) {
        self.load(count, random, fault, true);
    }

    fn load(&mut self, count: usize, random: &mut Rng, fault: impl FnOnce(&mut Server), breaks: bool) {
        let numbers: Vec<usize> = (self.next..self.next + count).collect();
        self.next += count;
        let (client, may_break, ended) =
            (self.server.client(), AtomicBool::new(breaks), AtomicBool::new(false));
        let round = Round {
            client: &client,
            journal: &self.journal,
            numbers: &numbers,
            may_break: &may_break,
            ended: &ended,
        };
        let server = &mut self.server;
        round.run(&mut self.administration, random, || {
            // Set also when the fault panics: the load must not go on for ever then.
            let _ends = Ends(&ended);
            fault(server);
        });
    }

    /// Reads everything that was acknowledged; returns what a refusal said, by ARN.
    ///
    /// # Errors
    /// How the connection broke.
    pub fn read_all(&self, client: &Client) -> Result<Vec<(String, Refusal)>, String> {
        let mut refused = Vec::new();
        for (number, arn) in [self.journal.acknowledged(false), self.journal.acknowledged(true)].concat() {
            match load::read(client, &self.journal, number, &arn) {
                Ok(()) => {}
                Err(CallFailure::Refused(refusal)) => refused.push((arn, refusal)),
                Err(CallFailure::Broken(reason)) => return Err(reason),
            }
        }
        Ok(refused)
    }

    /// Everything acknowledged is there and ends as its input asks, the lists agree, and new work is done.
    ///
    /// # Panics
    /// With the evidence, if not.
    pub fn assert_whole(&mut self) -> Figures {
        let client = self.server.client();
        let other = self.administration.check(&client).expect("the secrets and machines");
        for violation in other {
            self.journal.violate(violation);
        }
        self.start(machines::KINDS.len()).expect("new work is accepted");
        let checked =
            check::settle(&client, &self.journal).and_then(|()| check::lists(&client, &self.journal));
        checked.and_then(|()| check::all_again(&client, &self.journal)).expect("answers");
        self.assert_no_violation();
        let figures = self.journal.figures();
        assert_eq!(figures.ended, figures.acknowledged);
        figures
    }

    /// # Panics
    /// With the evidence, if a promise was broken.
    pub fn assert_no_violation(&self) {
        let violations: Vec<String> = self.journal.violations().iter().map(Violation::to_string).collect();
        assert!(violations.is_empty(), "{} violations:\n{}", violations.len(), violations.join("\n"));
    }
}

/// Sets its flag when dropped.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Creates a machine that waits for `seconds`, and starts `count` executions of it; returns their ARNs.
pub fn sleepers(client: &Client, seconds: u64, count: usize) -> Vec<String> {
    let wait = json!({"Type": "Wait", "Seconds": seconds, "End": true});
    let name = format!("sleeps-{seconds}");
    let machine = client.create_machine(&name, &json!({"StartAt": "Wait", "States": {"Wait": wait}}));
    (0..count).map(|number| client.start(&machine, &format!("s-{number}"), &json!({}))).collect()
}

/// The history of a sleeper: entered once, left once and not before its time; returns the seconds between.
///
/// # Panics
/// If it is another one.
pub fn slept(client: &Client, arn: &str) -> f64 {
    let history = client.history(arn).expect("the history");
    assert_eq!(stepwell_it::linear_history_problems(&history), Vec::<String>::new(), "{}", json!(history));
    let at = |kind: &str| {
        let event = history.iter().find(|event| event["type"] == kind);
        event.and_then(|event| event["timestamp"].as_f64()).unwrap_or(f64::NAN)
    };
    at("WaitStateExited") - at("WaitStateEntered")
}

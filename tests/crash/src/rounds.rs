//! `kill -9` at random moments, round after round, on one data directory.
//!
//! A round runs the load, kills the server, sometimes kills it again while it starts, starts it, and compares what it
//! says with the journal. It must never forgive: a round with a violation is the last one, and the data stays.

use crate::administration::Administration;
use crate::check;
use crate::engine::Engine;
use crate::journal::{Figures, Journal};
use crate::load::Round;
use crate::machines;
use crate::violation::Violation;
use fastrand::Rng;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use stepwell_it::{CallFailure, Client, Server, announce};

/// How long a server lives under load before it is killed, in milliseconds.
const LIFE_MILLISECONDS: std::ops::RangeInclusive<u64> = 30..=1_500;
/// One in so many lives is cut short within milliseconds.
const SHORT_LIVES: u32 = 6;
/// The length of such a life, in milliseconds.
const SHORT_MILLISECONDS: std::ops::RangeInclusive<u64> = 0..=12;
/// One in so many restarts is killed too, and so is one in so many of the restarts after it.
const STUMBLES: u32 = 3;
/// Most kills in a row without an answer in between.
const STUMBLES_IN_A_ROW: usize = 4;
/// How long a start lasts that is killed, in milliseconds: from nothing done to some time after it is ready.
const START_MILLISECONDS: std::ops::RangeInclusive<u64> = 0..=500;
/// Full checks after which everything that has ended is read again.
const CHECKS_PER_READING: usize = 4;

/// What to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The engine.
    pub engine: Engine,
    /// What `--store` is given instead of the engine's own text; `{data}` stands for the data directory.
    pub store_flag: Option<String>,
    /// Kills under load.
    pub rounds: usize,
    /// Repeats the random moments.
    pub seed: u64,
    /// Executions that a round starts at most.
    pub executions: usize,
    /// Rounds between two full checks.
    pub full_check_every: usize,
    /// Data directory; a temporary one if none is given, kept if anything was found.
    pub data: Option<PathBuf>,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Rounds that were finished.
    pub rounds: usize,
    /// Kills, those during a start included.
    pub kills: usize,
    /// Kills during a start.
    pub kills_of_starts: usize,
    /// How often a kill interrupted an execution.
    pub interrupted: usize,
    /// Executions, stops and events.
    pub figures: Figures,
    /// Acknowledged changes of secrets and machines.
    pub changes: usize,
    /// How long each start took until the first answer.
    pub starts: Vec<Duration>,
    /// Broken promises.
    pub violations: Vec<Violation>,
    /// Where the data was left, if anything was found.
    pub kept: Option<PathBuf>,
}

/// A run under way.
struct Run {
    server: Server,
    journal: Journal,
    administration: Administration,
    random: Rng,
    outcome: Outcome,
    next: usize,
}

/// Carries out the plan.
///
/// # Panics
/// If the server does not start, or ends by itself.
pub fn run(plan: &Plan) -> Outcome {
    let temporary = tempfile::tempdir().expect("a temporary directory");
    let data = plan.data.clone().unwrap_or_else(|| temporary.path().join("data"));
    let mut setup = plan.engine.setup(&data);
    if let Some(flag) = &plan.store_flag {
        setup.store.clone_from(flag);
    }
    let server = setup.start();
    machines::install(&server.client());
    let mut run = Run {
        server,
        journal: Journal::default(),
        administration: Administration::default(),
        random: Rng::with_seed(plan.seed),
        outcome: Outcome::default(),
        next: 0,
    };
    run.all_rounds(plan);
    let mut outcome = run.end();
    if !outcome.violations.is_empty() && plan.data.is_none() {
        outcome.kept = Some(temporary.keep());
    }
    outcome
}

impl Run {
    fn all_rounds(&mut self, plan: &Plan) {
        let begun = Instant::now();
        for round in 1..=plan.rounds {
            self.round(plan.executions);
            self.outcome.rounds = round;
            let full = round.is_multiple_of(plan.full_check_every) || round == plan.rounds;
            if full && self.is_sound() {
                let reading = round == plan.rounds
                    || (round / plan.full_check_every).is_multiple_of(CHECKS_PER_READING);
                self.full_check(reading);
                let (at, figures) = (begun.elapsed().as_secs(), self.journal.figures());
                announce(&format!(
                    "{at:>5} s  {} round {round}: {} kills, {} executions acknowledged, {} ended, {} events, {} violations",
                    plan.engine,
                    self.outcome.kills,
                    figures.acknowledged,
                    figures.ended,
                    figures.events,
                    self.journal.violations().len(),
                ));
            }
            if !self.is_sound() {
                return;
            }
        }
    }

    fn is_sound(&self) -> bool {
        self.journal.violations().is_empty()
    }

    fn round(&mut self, executions: usize) {
        let mut numbers = self.journal.unanswered();
        numbers.extend(self.next..self.next + executions);
        self.next += executions;
        let milliseconds =
            if self.random.u32(..SHORT_LIVES) == 0 { SHORT_MILLISECONDS } else { LIFE_MILLISECONDS };
        let life = Duration::from_millis(self.random.u64(milliseconds));
        let (client, killed) = (self.server.client(), AtomicBool::new(false));
        let (journal, may_break, ended) = (&self.journal, &killed, &killed);
        let round = Round { client: &client, journal, numbers: &numbers, may_break, ended };
        let server = &mut self.server;
        round.run(&mut self.administration, &mut self.random, || {
            // The random moment itself; nothing is synchronised by it.
            std::thread::sleep(life);
            killed.store(true, Ordering::SeqCst);
            server.kill9();
        });
        self.outcome.kills += 1;
        self.start_again();
    }

    /// Starts the server, after killing some of its starts, and looks at what it knows.
    fn start_again(&mut self) {
        for _ in 0..STUMBLES_IN_A_ROW {
            if self.random.u32(..STUMBLES) != 0 {
                break;
            }
            self.server.stumble(Duration::from_millis(self.random.u64(START_MILLISECONDS)));
            self.outcome.kills += 1;
            self.outcome.kills_of_starts += 1;
        }
        let begun = Instant::now();
        let client = self.server.restart();
        self.outcome.starts.push(begun.elapsed());
        match check::after_restart(&client, &self.journal, &mut self.random) {
            Ok(running) => self.outcome.interrupted += running,
            Err(failure) => self.broken("the check after a restart", &failure),
        }
        self.check_administration(&client);
    }

    fn check_administration(&mut self, client: &Client) {
        match self.administration.check(client) {
            Ok(violations) => violations.into_iter().for_each(|violation| self.journal.violate(violation)),
            Err(failure) => self.broken("secrets and machines", &failure),
        }
    }

    /// Lets everything end, and compares everything.
    fn full_check(&self, reading: bool) {
        let (client, journal) = (self.server.client(), &self.journal);
        let checked = check::settle(&client, journal).and_then(|()| check::lists(&client, journal));
        let checked =
            checked.and_then(|()| if reading { check::all_again(&client, journal) } else { Ok(()) });
        if let Err(failure) = checked {
            self.broken("a full check", &failure);
        }
    }

    fn broken(&self, about: &str, failure: &CallFailure) {
        self.journal.violate(Violation::new(about, "answers", format!("{failure:?}")));
    }

    /// One more kill, and everything is still as it ended.
    fn end(mut self) -> Outcome {
        if self.is_sound() {
            self.server.kill9();
            self.outcome.kills += 1;
            self.start_again();
            self.full_check(true);
        }
        if self.server.output().contains("panicked at") {
            let output = self.server.output();
            let panics: Vec<&str> = output.lines().filter(|line| line.contains("panicked at")).collect();
            self.journal.violate(Violation::new("the server's output", "no panic", panics.join("\n")));
        }
        Outcome {
            figures: self.journal.figures(),
            changes: self.administration.acknowledged,
            violations: self.journal.violations(),
            ..self.outcome
        }
    }
}

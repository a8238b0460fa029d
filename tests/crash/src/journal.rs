//! What the server has acknowledged so far, on the test's side of the kill.
//!
//! Each new answer is compared with all earlier ones about the same execution: an answer may add, it must never take
//! back. The journal lives in the client, which survives; it must never ask the server anything.

use crate::judge;
use crate::machines::{self, Kind};
use crate::violation::Violation;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use stepwell_it::{execution_arn, extends};

/// Executions without a name: one in so many.
const UNNAMED: usize = 4;

/// All answers. Shared by the threads of a round.
#[derive(Default)]
pub struct Journal {
    entries: Mutex<BTreeMap<usize, Entry>>,
    /// Idempotency keys of executions that were judged; none may come again.
    keys: Mutex<BTreeSet<String>>,
    violations: Mutex<Vec<Violation>>,
}

/// A StopExecution.
#[derive(Clone, Debug, PartialEq)]
enum Stop {
    Sent,
    /// With the answer's `stopDate`.
    Acknowledged(Value),
}

/// What is known of one execution.
#[derive(Clone, Debug)]
struct Entry {
    input: String,
    /// Requests to start it that were sent.
    sent: usize,
    /// The answer to the start; null if it was lost and only the name's being taken proved it.
    started: Value,
    /// Known once its existence is acknowledged.
    arn: Option<String>,
    stop: Option<Stop>,
    /// The last one.
    description: Value,
    /// The last one; empty again once it has ended, because tens of thousands of them do not fit.
    history: Vec<Value>,
    /// Number of events and digest of the history that ended it.
    ended: Option<(usize, u64)>,
}

/// How many of each there are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Executions whose start was acknowledged.
    pub acknowledged: usize,
    /// Of these: seen to have ended.
    pub ended: usize,
    /// Stops that were acknowledged.
    pub stopped: usize,
    /// Events of the histories that have ended.
    pub events: usize,
}

/// Name of an execution; every so many have none.
pub fn name(number: usize) -> Option<String> {
    (!number.is_multiple_of(UNNAMED)).then(|| format!("n-{number}"))
}

impl Journal {
    /// Notes that a start is being sent; returns the request, and whether it was sent before.
    pub fn send(&self, number: usize) -> (Value, bool) {
        let mut entries = self.entries();
        let entry = entries.entry(number).or_insert_with(|| Entry::new(machines::input(number)));
        entry.sent += 1;
        (request(number, &entry.input), entry.sent > 1)
    }

    /// The request that started an execution.
    pub fn request(&self, number: usize) -> Option<Value> {
        self.entries().get(&number).map(|entry| request(number, &entry.input))
    }

    /// Notes the answer to a start; null if all that is known is that the name is taken.
    pub fn acknowledge(&self, number: usize, started: &Value) {
        let mut entries = self.entries();
        let Some(entry) = entries.get_mut(&number) else { return };
        let named = name(number).map(|name| execution_arn(Kind::of(number).name(), &name));
        let arn = started["executionArn"].as_str().map(str::to_owned).or(named);
        if !entry.started.is_null() && entry.started != *started {
            let (first, again) = (entry.started.to_string(), started.to_string());
            self.violate(Violation::new(format!("the repeated start of {number}"), first, again));
        }
        entry.arn = arn;
        entry.started = started.clone();
    }

    /// Whose execution an ARN is that nobody has answered with: one that was started without a name, and whose answer
    /// was lost. False if there can be none.
    pub fn adopt(&self, arn: &str, description: &Value) -> bool {
        let input = description["input"].as_str().unwrap_or_default();
        let mut entries = self.entries();
        let lost = |(number, entry): &(&usize, &mut Entry)| {
            name(**number).is_none() && entry.arn.is_none() && entry.sent == 1 && entry.input == input
        };
        let Some((_, entry)) = entries.iter_mut().find(lost) else { return false };
        entry.arn = Some(arn.to_owned());
        true
    }

    /// Notes that a stop is being sent.
    pub fn send_stop(&self, number: usize) {
        if let Some(entry) = self.entries().get_mut(&number) {
            entry.stop.get_or_insert(Stop::Sent);
        }
    }

    /// Notes the answer to a stop.
    pub fn acknowledge_stop(&self, number: usize, answer: &Value) {
        if let Some(entry) = self.entries().get_mut(&number) {
            entry.stop = Some(Stop::Acknowledged(answer["stopDate"].clone()));
        }
    }

    /// Notes what was read about an execution, the description first, and compares it with all that is known.
    pub fn read(&self, number: usize, description: Value, history: Vec<Value>) {
        let mut entries = self.entries();
        let Some(entry) = entries.get_mut(&number) else { return };
        let about = entry.arn.clone().unwrap_or_default();
        for (promised, found) in entry.compare(&description, &history) {
            self.violate(Violation::new(about.clone(), promised, found));
        }
        if entry.ended.is_some() {
            return;
        }
        if description["status"] == "RUNNING" {
            let problems = judge::problems(&description, &history);
            self.violate_all(&about, "a sound history", &problems, &history);
            entry.history = history;
        } else {
            let natural = description["error"] != crate::load::STOP_ERROR;
            let problems = if natural {
                machines::problems(number, &entry.input, &description, &history)
            } else {
                judge::problems(&description, &history)
            };
            self.violate_all(
                &about,
                "the result that the input asks for, and a sound history",
                &problems,
                &history,
            );
            self.note_keys(&about, &history);
            entry.ended = Some((history.len(), digest(&history)));
            entry.history = Vec::new();
        }
        entry.description = description;
    }

    /// Numbers and ARNs of what is acknowledged, by whether it was seen to have ended.
    pub fn acknowledged(&self, ended: bool) -> Vec<(usize, String)> {
        let entries = self.entries();
        let wanted = entries.iter().filter(|(_, entry)| entry.ended.is_some() == ended);
        wanted.filter_map(|(number, entry)| Some((*number, entry.arn.clone()?))).collect()
    }

    /// The execution's ARN, once acknowledged.
    pub fn arn(&self, number: usize) -> Option<String> {
        self.entries().get(&number).and_then(|entry| entry.arn.clone())
    }

    /// Executions with a name whose start was sent and never answered: it may be repeated.
    pub fn unanswered(&self) -> Vec<usize> {
        let entries = self.entries();
        let lost = entries.iter().filter(|(number, entry)| entry.arn.is_none() && name(**number).is_some());
        lost.map(|(number, _)| *number).collect()
    }

    /// The acknowledged executions of a machine: ARN, and status if it was seen to have ended.
    pub fn of_machine(&self, kind: Kind) -> BTreeMap<String, Option<String>> {
        let entries = self.entries();
        let members = entries.iter().filter(|(number, _)| Kind::of(**number) == kind);
        let known = members.filter_map(|(_, entry)| {
            let status = entry.ended.and(entry.description["status"].as_str()).map(str::to_owned);
            Some((entry.arn.clone()?, status))
        });
        known.collect()
    }

    /// What there is.
    pub fn figures(&self) -> Figures {
        let entries = self.entries();
        let mut figures = Figures::default();
        for entry in entries.values() {
            figures.acknowledged += usize::from(entry.arn.is_some());
            figures.ended += usize::from(entry.ended.is_some());
            figures.stopped += usize::from(matches!(entry.stop, Some(Stop::Acknowledged(_))));
            figures.events += entry.ended.map_or(0, |(events, _)| events);
        }
        figures
    }

    /// Notes a broken promise.
    pub fn violate(&self, violation: Violation) {
        lock(&self.violations).push(violation);
    }

    /// All broken promises so far.
    pub fn violations(&self) -> Vec<Violation> {
        lock(&self.violations).clone()
    }

    fn violate_all(&self, about: &str, promised: &str, problems: &[String], history: &[Value]) {
        if !problems.is_empty() {
            let found = format!("{}\n    history: {}", problems.join("\n              "), json!(history));
            self.violate(Violation::new(about, promised, found));
        }
    }

    fn note_keys(&self, about: &str, history: &[Value]) {
        for (key, _) in judge::told_keys(history) {
            if !lock(&self.keys).insert(key.clone()) {
                self.violate(Violation::new(about, "an idempotency key of its own for each attempt", key));
            }
        }
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<usize, Entry>> {
        lock(&self.entries)
    }
}

impl Entry {
    fn new(input: String) -> Entry {
        let (started, description) = (Value::Null, Value::Null);
        Entry {
            input,
            sent: 0,
            started,
            arn: None,
            stop: None,
            description,
            history: Vec::new(),
            ended: None,
        }
    }

    /// What is promised and not so: pairs of promise and finding.
    fn compare(&self, description: &Value, history: &[Value]) -> Vec<(String, String)> {
        let mut broken = Vec::new();
        let mut expect = |what: &str, promised: &Value, found: &Value| {
            if promised != found {
                broken.push((format!("{what} {promised}"), found.to_string()));
            }
        };
        expect("the input", &json!(self.input), &description["input"]);
        if !self.started.is_null() {
            expect("the start", &self.started["startDate"], &description["startDate"]);
            expect("the ARN", &self.started["executionArn"], &description["executionArn"]);
        }
        if let Some(Stop::Acknowledged(date)) = &self.stop {
            if description["error"] == crate::load::STOP_ERROR {
                expect("the stop, answered with", date, &description["stopDate"]);
            }
            if description["status"] == "RUNNING" {
                broken.push((format!("stopped at {date}"), description.to_string()));
            }
        } else if self.stop.is_none() && description["status"] == "ABORTED" {
            broken.push(("never stopped".to_owned(), description.to_string()));
        }
        if let Some((events, first)) = self.ended {
            if *description != self.description {
                broken.push((format!("ended as {}", self.description), description.to_string()));
            }
            if (history.len(), digest(history)) != (events, first) {
                broken.push((format!("{events} events, digest {first:x}"), json!(history).to_string()));
            }
        } else if !extends(history, &self.history) {
            broken.push((format!("the history {}", json!(self.history)), json!(history).to_string()));
        }
        broken
    }
}

fn request(number: usize, input: &str) -> Value {
    let mut request = json!({"stateMachineArn": Kind::of(number).arn(), "input": input});
    if let Some(name) = name(number) {
        request["name"] = json!(name);
    }
    request
}

fn digest(history: &[Value]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for event in history {
        event.to_string().hash(&mut hasher);
    }
    hasher.finish()
}

/// A poisoned lock means that another thread has already failed the test; its panic is the one to see.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

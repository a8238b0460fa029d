//! The machines that run while the server is hurt: every kind of work that a crash can interrupt.
//!
//! The result of an execution follows from its input alone, so each one can be judged without a second run; it must
//! never depend on how often a task ran or when the server died.

mod chain;
mod evaluate;
mod fan;
mod pause;
mod survivor;

use crate::judge;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use stepwell_it::{Client, guest, machine_arn, stub};

/// A machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Pass states around a task.
    Chain,
    /// Waits until a moment in milliseconds, then for seconds.
    Pause,
    /// A Map of tasks inside a Parallel, with retries.
    Fan,
    /// The same in JSONata.
    Evaluate,
    /// Tasks, retries with a back-off, a Choice, a Wait, errors caught and not caught.
    Survivor,
}

/// All machines.
pub const KINDS: [Kind; 5] = [Kind::Chain, Kind::Pause, Kind::Fan, Kind::Evaluate, Kind::Survivor];

/// One execution in so many has an input that no single stored record can hold.
const LARGE: usize = 13;
/// What is added to a large input, in bytes.
const LARGE_BYTES: usize = 20_000;
/// Longest time for one small execution before the first kill.
const WARM_UP_LIMIT: Duration = Duration::from_mins(2);

/// How often each event is in the history of an execution that ended by itself, by type and name of the state.
type Counts = BTreeMap<(String, String), usize>;

impl Kind {
    /// The machine of an execution.
    pub fn of(number: usize) -> Kind {
        KINDS[number % KINDS.len()]
    }

    /// Name of the machine.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Chain => "chain",
            Kind::Pause => "pause",
            Kind::Fan => "fan",
            Kind::Evaluate => "evaluate",
            Kind::Survivor => survivor::MACHINE,
        }
    }

    /// ARN of the machine.
    pub fn arn(self) -> String {
        machine_arn(self.name())
    }

    fn definition(self) -> Value {
        match self {
            Kind::Chain => chain::definition(),
            Kind::Pause => pause::definition(),
            Kind::Fan => fan::definition(),
            Kind::Evaluate => evaluate::definition(),
            Kind::Survivor => survivor::definition(),
        }
    }
}

/// Uploads the modules, creates the machines, and lets the server compile what it compiles once: an evaluator that
/// takes seconds would begin anew after each kill.
pub fn install(client: &Client) {
    survivor::install(client);
    client.install("key", &stub(&json!({"behaviour": "return_context"})));
    client.install("echo", &guest("stub"));
    for kind in KINDS {
        client.create_machine(kind.name(), &kind.definition());
    }
    let warm_up = client.start(&Kind::Evaluate.arn(), "warm-up", &json!({"number": 0, "items": []}));
    client.ended(&warm_up, WARM_UP_LIMIT);
}

/// Names in the list of executions that are not the load's.
pub const OTHERS: [&str; 1] = ["warm-up"];

/// The input of an execution. It holds the moment that it waits for, so it must be made once and kept.
pub fn input(number: usize) -> String {
    let mut input = match Kind::of(number) {
        Kind::Chain => json!({"number": number}),
        Kind::Pause => pause::input(number),
        Kind::Fan | Kind::Evaluate => fan::input(number),
        Kind::Survivor => survivor::input(number),
    };
    if number.is_multiple_of(LARGE) {
        input["load"] = json!("x".repeat(LARGE_BYTES));
    }
    input.to_string()
}

/// Everything that is wrong with an execution that has ended by itself.
pub fn problems(number: usize, input: &str, description: &Value, history: &[Value]) -> Vec<String> {
    let input: Value = serde_json::from_str(input).unwrap_or_default();
    let mut problems = judge::problems(description, history);
    problems.extend(match Kind::of(number) {
        Kind::Chain => chain::problems(&input, description, history),
        Kind::Pause => pause::problems(&input, description, history),
        Kind::Fan => fan::problems(&input, description, history),
        Kind::Evaluate => evaluate::problems(&input, description, history),
        Kind::Survivor => survivor::problems(number, description, history),
    });
    problems
}

/// The output of an execution as JSON; null if there is none.
fn output(description: &Value) -> Value {
    description["output"].as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// What differs between the events of a history and those that are expected; types that are not named are free.
fn count_problems(history: &[Value], expected: &[(&str, &str, usize)]) -> Vec<String> {
    let mut found = Counts::new();
    for event in history {
        let kind = event["type"].as_str().unwrap_or_default().to_owned();
        let name = judge::name(event);
        *found.entry((kind.clone(), String::new())).or_default() += 1;
        if !name.is_empty() {
            *found.entry((kind, name)).or_default() += 1;
        }
    }
    let count = |kind: &str, name: &str| found.get(&(kind.into(), name.into())).copied().unwrap_or_default();
    let wrong = expected.iter().filter(|(kind, name, wanted)| count(kind, name) != *wanted);
    wrong
        .map(|(kind, name, wanted)| format!("{kind} {name}: {} times, not {wanted}", count(kind, name)))
        .collect()
}

fn differs(what: &str, found: &Value, wanted: &Value) -> Option<String> {
    (found != wanted).then(|| format!("{what} is {found}, not {wanted}"))
}

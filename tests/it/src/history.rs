//! The rules that the history of every execution obeys (API reference, section 3), for machines without branches.
//!
//! In such a machine each event is caused by the one before it, which makes the rules exact. A history must never be
//! judged by comparing it with itself: what is expected comes from the caller.

use serde_json::Value;
use std::collections::BTreeMap;

/// One visit of a state, as its history tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// The state.
    pub state: String,
    /// How often its task was scheduled; 0 for a state without a task.
    pub scheduled: usize,
    /// Whether it was left through an Exited event.
    pub exited: bool,
}

/// Endings of event types that report the failure of a task's attempt.
const FAILURES: [&str; 2] = ["Failed", "TimedOut"];

/// Everything that is wrong with the history of an execution that has ended; empty for a sound one.
pub fn linear_history_problems(events: &[Value]) -> Vec<String> {
    let mut problems = Vec::new();
    number_problems(events, &mut problems);
    let terminal: Vec<usize> = (0..events.len()).filter(|at| is_terminal(kind(&events[*at]))).collect();
    if terminal != [events.len().wrapping_sub(1)] {
        problems.push(format!("terminal events at {terminal:?} of {}, not one at the end", events.len()));
    }
    let starts = events.iter().filter(|event| kind(event) == "ExecutionStarted").count();
    if starts != 1 || events.first().map(kind) != Some("ExecutionStarted") {
        problems.push(format!("{starts} ExecutionStarted, not one at the beginning"));
    }
    order_problems(events, &mut problems);
    problems
}

/// The states that an execution went through, in order.
pub fn visits(events: &[Value]) -> Vec<Visit> {
    let mut visits: Vec<Visit> = Vec::new();
    for event in events {
        if let Some(state) = event["stateEnteredEventDetails"]["name"].as_str() {
            visits.push(Visit { state: state.to_owned(), scheduled: 0, exited: false });
        }
        let Some(visit) = visits.last_mut() else { continue };
        visit.scheduled += usize::from(kind(event).ends_with("Scheduled"));
        visit.exited |= event["stateExitedEventDetails"]["name"] == visit.state.as_str();
    }
    visits
}

/// Whether `longer` begins with all of `shorter`: what was read once is never taken back or changed.
pub fn extends(longer: &[Value], shorter: &[Value]) -> bool {
    longer.starts_with(shorter)
}

fn kind(event: &Value) -> &str {
    event["type"].as_str().unwrap_or("(no type)")
}

fn is_terminal(kind: &str) -> bool {
    let ends = ["ExecutionSucceeded", "ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut"];
    ends.contains(&kind)
}

/// Ids dense from 1, causes, and timestamps that never run backwards.
fn number_problems(events: &[Value], problems: &mut Vec<String>) {
    let mut seen: BTreeMap<u64, usize> = BTreeMap::new();
    let mut latest = f64::MIN;
    for (at, event) in events.iter().enumerate() {
        let (id, expected) = (event["id"].as_u64(), at as u64 + 1);
        if id != Some(expected) {
            problems.push(format!("event {expected} has the id {id:?}"));
        }
        if let Some(first) = id.and_then(|id| seen.insert(id, at)) {
            problems.push(format!("events at {first} and {at} have the same id"));
        }
        // The first Entered event points to nothing, like the start itself; an abort comes from outside (section 3.1).
        let cause = if expected <= 2 || kind(event) == "ExecutionAborted" { 0 } else { expected - 1 };
        if event["previousEventId"] != cause {
            problems.push(format!("event {expected} points to {}, not to {cause}", event["previousEventId"]));
        }
        match event["timestamp"].as_f64() {
            Some(timestamp) if timestamp >= latest => latest = timestamp,
            timestamp => problems.push(format!("event {expected} is dated {timestamp:?}, after {latest}")),
        }
    }
}

/// Where an execution is between two events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place<'a> {
    /// Between states.
    Outside,
    /// In a state whose task, if it has one, was not scheduled yet.
    Inside(&'a str),
    /// The task is scheduled.
    Scheduled(&'a str),
    /// The task is started.
    Started(&'a str),
    /// The task succeeded: the state is left, or its output cannot be made.
    Succeeded(&'a str),
    /// The task failed: it is scheduled again, or the state or the execution ends.
    Failed(&'a str),
    /// The execution has ended.
    Ended,
}

/// Each Entered has one Exited unless the execution fails there; each attempt of a task is scheduled, started and
/// ended once; a new attempt follows a failed one only.
fn order_problems(events: &[Value], problems: &mut Vec<String>) {
    let mut place = Place::Outside;
    for event in events {
        let Some(next) = step(place, event) else {
            problems.push(format!("event {} ({}) cannot follow {place:?}", event["id"], kind(event)));
            return;
        };
        place = next;
    }
    if place != Place::Ended {
        problems.push(format!("the history breaks off at {place:?}"));
    }
}

fn step<'a>(place: Place<'a>, event: &'a Value) -> Option<Place<'a>> {
    let kind = kind(event);
    let entered = event["stateEnteredEventDetails"]["name"].as_str();
    let exited = event["stateExitedEventDetails"]["name"].as_str();
    let attempt_ended = kind.starts_with("Task") || kind.starts_with("LambdaFunction");
    match (place, kind) {
        (Place::Outside, "ExecutionStarted") => Some(Place::Outside),
        (_, "ExecutionAborted" | "ExecutionTimedOut") if place != Place::Ended => Some(Place::Ended),
        // A Fail state, a task that failed for good, or an error inside a state: none of them is exited.
        (Place::Outside, "ExecutionSucceeded")
        | (Place::Inside(_) | Place::Succeeded(_) | Place::Failed(_), "ExecutionFailed") => {
            Some(Place::Ended)
        }
        (Place::Outside, _) if kind.ends_with("StateEntered") => entered.map(Place::Inside),
        (Place::Inside(state) | Place::Succeeded(state) | Place::Failed(state), _)
            if kind.ends_with("StateExited") =>
        {
            (exited == Some(state)).then_some(Place::Outside)
        }
        (Place::Inside(state) | Place::Failed(state), "TaskScheduled" | "LambdaFunctionScheduled") => {
            Some(Place::Scheduled(state))
        }
        (Place::Scheduled(state), "TaskStarted" | "LambdaFunctionStarted") => Some(Place::Started(state)),
        (Place::Started(state), "TaskSucceeded" | "LambdaFunctionSucceeded") => Some(Place::Succeeded(state)),
        (Place::Started(state), _) if attempt_ended && FAILURES.iter().any(|end| kind.ends_with(end)) => {
            Some(Place::Failed(state))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;

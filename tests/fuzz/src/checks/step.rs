//! `step()`: a script of events, right ones and wrong ones, on one machine.
//!
//! Two bytes an action: what happens, and to what. A byte string is easy to mutate, to shrink and to keep.

use super::run::Run;
use super::samples;
use serde_json::Value;
use stepwell_asl::{Activity, BranchId, EventKind, Quotas, StateMachine, Timestamp, WorkId};

/// Most actions of one script, and most events that one "go on" sends: together they bound the time.
const ACTIONS: usize = 48;
const EVENTS_PER_ACTION: usize = 60;
/// Most "go on" actions of one script.
const LONG_ACTIONS: usize = 2;
/// Kinds of actions.
const KINDS: u8 = 16;
/// Quotas that a short script can reach.
const SMALL: Quotas = Quotas { payload_bytes: 3_000, history_events: 60, map_concurrency: 3 };

/// Runs `script` on a machine. Does nothing when this release refuses the definition.
pub fn check(definition: &str, input: &str, script: &[u8]) {
    let Ok(machine) = StateMachine::parse(definition) else { return };
    let Some((&first, actions)) = script.split_first() else { return };
    // Its own input, or any sample.
    let input = match first % 128 {
        0 => serde_json::from_str(input).unwrap_or(Value::Null),
        sample => samples::result(sample),
    };
    let quotas = if first < 128 { Quotas::default() } else { SMALL };
    let mut run = Run::new(&machine, input, quotas);
    let mut long_actions = 0;
    for action in actions.chunks_exact(2).take(ACTIONS) {
        let (kind, argument) = (action[0] % KINDS, action[1]);
        if kind == 3 {
            long_actions += 1;
            if long_actions <= LONG_ACTIONS {
                run.go_on(EVENTS_PER_ACTION.min(usize::from(argument)));
            }
            continue;
        }
        act(&mut run, kind, argument);
    }
}

/// The low half of `argument` says which of the waiting works is meant, the high half which sample.
fn act(run: &mut Run<'_>, kind: u8, argument: u8) {
    let sample = argument >> 4;
    let waiting = run.waiting();
    let chosen = waiting.get(usize::from(argument & 15) % waiting.len().max(1)).copied();
    match (kind, chosen) {
        (0, _) => run.start(),
        (1, Some(work)) => run.answer(work, samples::result(sample)),
        (2, Some(work)) => run.send(EventKind::TaskFailed { work, error: samples::error(sample) }),
        (4, _) => repeat(run, argument),
        (5, _) => unknown(run, u64::from(argument)),
        (6, Some(work)) => wrong_kind(run, work, sample),
        (7, _) => run.now = run.now.plus_milliseconds(1_i64 << (argument % 48)),
        (8, _) => run.send(EventKind::Stop {
            error: samples::error(sample).error,
            cause: samples::error(argument).cause,
        }),
        // A task's own deadline, or a timer that fires too early.
        (9, Some(work)) => run.send(EventKind::TimerFired { work }),
        (10, Some(work)) => echo(run, work),
        (11, _) => run.now = Timestamp(i64::MAX),
        (12, Some(work)) => hand_out(run, work, sample),
        (13, Some(work)) => run.send(EventKind::TaskSubmitted { work, output: samples::result(sample) }),
        (14, Some(work)) => run.send(EventKind::TaskHeartbeat { work }),
        (15, _) => {
            let made = run.execution().progress.redrive.map_or(0, |redrive| redrive.count);
            // The next one, or one that is none.
            run.send(EventKind::Redrive { number: made + u32::from(argument < 224) });
        }
        _ => {}
    }
}

/// What happens to the task of an activity until a worker has it.
fn hand_out(run: &mut Run<'_>, work: WorkId, sample: u8) {
    let worker_name = samples::error(sample).error;
    run.send(match sample % 5 {
        0 => EventKind::ActivityScheduled { work },
        1 => EventKind::TaskReturned { work },
        2 => EventKind::TaskStartedAgain { work, worker_name },
        3 => EventKind::TaskDelivered { work },
        _ => EventKind::TaskStarted { work, worker_name },
    });
}

/// A task that gives back what it got.
fn echo(run: &mut Run<'_>, work: WorkId) {
    let parameters = match run.activity(work) {
        Some(Activity::Task(task)) => task.parameters.clone(),
        Some(
            Activity::Ready { .. }
            | Activity::Waiting { .. }
            | Activity::BackingOff { .. }
            | Activity::Joining,
        )
        | None => return,
    };
    run.answer(work, parameters);
}

/// A late event: one that was sent before comes again.
fn repeat(run: &mut Run<'_>, argument: u8) {
    if let Some(kind) = run.sent.get(usize::from(argument) % run.sent.len().max(1)).cloned() {
        run.send(kind);
    }
}

/// Events about work that never was, in branches that are and in branches that never were.
fn unknown(run: &mut Run<'_>, number: u64) {
    let before = run.execution().clone();
    for branch in [number % 4, number] {
        let work = WorkId { branch: BranchId(branch), serial: 1_000_000 + number };
        run.send(EventKind::TaskSucceeded { work, result: Value::Null });
        run.send(EventKind::TaskFailed { work, error: samples::error(0) });
        run.send(EventKind::TaskHeartbeat { work });
        run.send(EventKind::TimerFired { work });
        run.send(EventKind::Continued { work });
    }
    assert_eq!(run.execution(), &before, "unknown work changes nothing");
}

/// Events of the wrong kinds for the work that they name.
fn wrong_kind(run: &mut Run<'_>, work: WorkId, sample: u8) {
    let before = run.execution().clone();
    let activity = run.activity(work).cloned();
    if !matches!(activity, Some(Activity::Task(_))) {
        run.send(EventKind::TaskSucceeded { work, result: samples::result(sample) });
        run.send(EventKind::TaskFailed { work, error: samples::error(sample) });
        run.send(EventKind::TaskHeartbeat { work });
        run.send(EventKind::TaskStarted { work, worker_name: None });
        run.send(EventKind::TaskSubmitted { work, output: samples::result(sample) });
    }
    if !matches!(activity, Some(Activity::Ready { .. })) {
        run.send(EventKind::Continued { work });
    }
    assert_eq!(run.execution(), &before, "an event of the wrong kind changes nothing");
}

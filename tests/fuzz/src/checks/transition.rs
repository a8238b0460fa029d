//! What every single transition keeps to, whatever the machine and the event.

use std::collections::BTreeSet;
use stepwell_asl::{
    Activity, BranchId, Changed, Command, Event, EventKind, Execution, HistoryDetails, Status, Transition,
    Work, WorkId,
};

/// Names of work and keys of tasks that were given out: they are never used for anything else.
#[derive(Default)]
pub struct Names {
    work: BTreeSet<WorkId>,
    keys: BTreeSet<String>,
}

/// Checks the transition that `event` caused.
pub fn check(before: &Execution, event: &Event, transition: &Transition, names: &mut Names) {
    let after = &transition.execution;
    assert_eq!((&after.context, &after.input), (&before.context, &before.input), "start facts never change");
    if transition.history.is_empty() && transition.commands.is_empty() {
        assert_eq!(after, before, "whatever changes is in the history or among the commands");
    }
    check_history(before, event, transition);
    let redriven = matches!(event.kind, EventKind::Redrive { .. })
        && before.progress.status != Status::Succeeded
        && !transition.history.is_empty();
    if before.progress.status == Status::Running || redriven {
        check_end(event, transition);
    } else {
        assert_eq!(after, before, "what has ended does not change");
    }
    check_commands(before, event, transition, names);
    check_branches(after);
}

/// Checks what the same event does when it comes again: nothing. A timer that fires too early is set again.
pub fn check_repeated(before: &Execution, transition: &Transition) {
    assert_eq!(&transition.execution, before, "a repeated event changes nothing");
    assert_eq!(transition.history, [], "a repeated event has no history");
    assert_eq!(transition.changed, Changed::default(), "a repeated event changes nothing");
    let pending = before.pending();
    for command in &transition.commands {
        let is_early_timer = match command {
            Command::Dispatch(Work::Timer { work, at }) => {
                pending.contains(&Work::Timer { work: *work, at: *at })
            }
            Command::Dispatch(Work::Task(_) | Work::Continue { .. })
            | Command::Cancel(_)
            | Command::StopJob(_) => false,
        };
        assert!(is_early_timer, "a repeated event commands {command:?}");
    }
}

/// Everything that an execution waits for.
pub fn waiting(execution: &Execution) -> Vec<WorkId> {
    let deadline = execution.progress.deadline.filter(|_| execution.progress.status == Status::Running);
    let branches = execution.branches.values().filter_map(|branch| branch.activity.work());
    deadline.map(|_| WorkId::EXECUTION).into_iter().chain(branches).collect()
}

fn check_history(before: &Execution, event: &Event, transition: &Transition) {
    let mut last = before.progress.last_event_id;
    for entry in &transition.history {
        last += 1;
        assert_eq!(entry.id, last, "ids are dense");
        assert!(entry.previous_event_id < entry.id, "causes come first: {entry:?}");
        assert_eq!(entry.timestamp, event.at, "an event happens when it was seen");
        let _ = entry.to_api_json(true);
    }
    assert_eq!(transition.execution.progress.last_event_id, last);
    assert!(last <= before.context.quotas.history_events, "history keeps its quota");
}

/// An execution ends once, with its last history event, and owes nothing afterwards.
fn check_end(event: &Event, transition: &Transition) {
    let after = &transition.execution;
    let progress = &after.progress;
    let ends: Vec<Status> = transition.history.iter().filter_map(|entry| end(&entry.details)).collect();
    if progress.status == Status::Running {
        assert_eq!(ends, []);
        assert!(progress.last_event_id == 0 || !waiting(after).is_empty(), "stuck: {after:?}");
        return;
    }
    assert_eq!(ends, [progress.status], "one end, told in the history");
    assert!(transition.history.last().is_some_and(|entry| end(&entry.details).is_some()));
    assert_eq!(progress.stop_time, Some(event.at));
    assert_eq!(progress.output.is_some(), progress.status == Status::Succeeded);
    assert_eq!(after.pending(), [], "an ended execution owes nothing");
    assert!(after.branches.is_empty() && after.joins.is_empty());
    assert!(after.results.is_empty() && after.variables.is_empty());
    let output = progress.output.as_ref().map(ToString::to_string).unwrap_or_default();
    assert!(output.len() <= after.context.quotas.payload_bytes, "outputs keep their quota");
}

/// The commands say exactly how the work changed, so that a running executor and one that recovers do the same.
fn check_commands(before: &Execution, event: &Event, transition: &Transition, names: &mut Names) {
    let pending = transition.execution.pending();
    let after: BTreeSet<WorkId> = waiting(&transition.execution).into_iter().collect();
    let mut expected: BTreeSet<WorkId> = waiting(before).into_iter().collect();
    if let Some(ended) = named_by(&event.kind).filter(|work| !after.contains(work)) {
        expected.remove(&ended);
    }
    let old = expected.clone();
    let mut new = BTreeSet::new();
    for command in &transition.commands {
        match command {
            Command::Cancel(work) => drop(expected.remove(work)),
            Command::StopJob(job) => {
                assert!(!after.contains(&job.work), "a job is stopped that is waited for: {job:?}");
            }
            Command::Dispatch(work) => {
                let id = id(work);
                expected.insert(id);
                if !after.contains(&id) {
                    continue; // It was cancelled again in the same step.
                }
                assert!(pending.contains(work), "recovery would do something else: {work:?}");
                // The execution's own time-out begins again with a redrive.
                // The second half of a job has the name and the key of the first.
                let goes_on = matches!(work, Work::Task(task) if task.submission.is_some());
                let set_anew = matches!(work, Work::Timer { .. }) || goes_on;
                let set_anew = set_anew && (old.contains(&id) || id == WorkId::EXECUTION);
                assert!(set_anew || !names.work.contains(&id), "work has a name of its own: {work:?}");
                new.insert(id);
                if let Work::Task(task) = work {
                    assert!(
                        goes_on || names.keys.insert(task.idempotency_key.clone()),
                        "every attempt has its key: {work:?}"
                    );
                }
            }
        }
    }
    names.work.append(&mut new);
    assert_eq!(after, expected, "commands and pending work tell the same: {:?}", transition.commands);
}

/// Branches, joins, results and variables belong together.
fn check_branches(execution: &Execution) {
    for (id, branch) in &execution.branches {
        assert!(id.0 <= execution.progress.last_branch.0);
        assert_eq!(
            matches!(branch.activity, Activity::Joining),
            execution.joins.contains_key(id),
            "{branch:?}"
        );
        let orphan = branch.parent.is_some_and(|parent| !execution.joins.contains_key(&parent));
        assert!(!orphan, "a branch without its join: {branch:?}");
    }
    for (id, join) in &execution.joins {
        assert!(execution.branches.contains_key(id), "a join that no branch waits for: {join:?}");
        let children = execution.branches.values().filter(|branch| branch.parent == Some(*id)).count() as u64;
        let ended = execution.results.get(id).map_or(0, |results| results.len() as u64);
        assert_eq!(join.running, children, "{join:?}");
        assert_eq!(join.running + ended, join.next, "{join:?}");
        assert!(join.next <= join.total && join.running <= join.concurrency, "{join:?}");
        assert!(ended < join.total, "a join that has all its results: {join:?}");
    }
    let known = |id: &BranchId| execution.joins.contains_key(id);
    assert!(execution.results.keys().all(known), "results of no join");
    assert!(
        execution.variables.keys().all(|id| execution.branches.contains_key(id)),
        "variables of no branch"
    );
    let values = execution.variables.values().flat_map(|scope| scope.values());
    let bytes: usize = values.map(|value| value.to_string().len()).sum();
    assert_eq!(execution.progress.variable_bytes, bytes as u64);
}

fn id(work: &Work) -> WorkId {
    match work {
        Work::Task(task) => task.work,
        Work::Timer { work, .. } | Work::Continue { work } => *work,
    }
}

fn named_by(kind: &EventKind) -> Option<WorkId> {
    match kind {
        EventKind::Start | EventKind::Redrive { .. } | EventKind::Stop { .. } => None,
        EventKind::TaskStarted { work, .. }
        | EventKind::TaskSubmitted { work, .. }
        | EventKind::TaskHeartbeat { work }
        | EventKind::ActivityScheduled { work }
        | EventKind::TaskReturned { work }
        | EventKind::TaskDelivered { work }
        | EventKind::TaskStartedAgain { work, .. }
        | EventKind::TaskSucceeded { work, .. }
        | EventKind::TaskFailed { work, .. }
        | EventKind::TimerFired { work }
        | EventKind::Continued { work } => Some(*work),
    }
}

fn end(details: &HistoryDetails) -> Option<Status> {
    #[allow(clippy::wildcard_enum_match_arm)] // only the ends matter, and a new one comes with a new Status
    match details {
        HistoryDetails::ExecutionSucceeded { .. } => Some(Status::Succeeded),
        HistoryDetails::ExecutionFailed { .. } => Some(Status::Failed),
        HistoryDetails::ExecutionAborted { .. } => Some(Status::Aborted),
        HistoryDetails::ExecutionTimedOut { .. } => Some(Status::TimedOut),
        _ => None,
    }
}

//! Who is told what executions have done: a trait, for logs, traces and metrics.
//!
//! It is told of transitions that are durable, or for Express executions of those that have happened, in the order of
//! each execution's events. What a crash takes between a commit and the telling is not told again, as Step Functions'
//! own logs are delivered as well as may be: who needs every event reads the history. It must never block, and never
//! decide anything.

use std::time::Duration;
use stepwell_asl::{EventKind, ExecutionContext, HistoryEvent, Status};
use stepwell_store::{ExecutionId, Observation};

/// Events of one transition of one execution.
#[derive(Clone, Debug)]
pub struct Observed<'a> {
    /// Where the store has its history; none of Express executions, which the store does not know.
    pub execution: Option<ExecutionId>,
    /// What its machine asked for when it was started.
    pub observation: &'a Observation,
    /// What is known of it since its start.
    pub context: &'a ExecutionContext,
    /// The trace header that it was started with.
    pub trace_header: Option<&'a str>,
    /// How often it has been redriven.
    pub redrive_count: u64,
    /// What happened, at least one event.
    pub events: Vec<HistoryEvent>,
}

/// What happened in a while, for those who count.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Whether the executions are Express ones.
    pub express: bool,
    /// Events that moved an execution.
    pub transitions: u64,
    /// History events that came of them.
    pub history_events: u64,
    /// Executions that were started.
    pub started: u64,
    /// Executions that had ended and go on.
    pub redriven: u64,
    /// How executions ended.
    pub ended: Vec<Status>,
    /// How long it took to make all this durable.
    pub commit: Duration,
}

impl Tally {
    /// Adds a transition by `event` that led to a status and so many history events.
    pub fn count(&mut self, event: &EventKind, status: Status, history_events: usize) {
        self.transitions += 1;
        self.history_events += history_events as u64;
        self.started += u64::from(matches!(event, EventKind::Start));
        self.redriven += u64::from(matches!(event, EventKind::Redrive { .. }));
        if status != Status::Running {
            self.ended.push(status);
        }
    }
}

/// Watches executions.
pub trait Observer: Send + Sync {
    /// Whether executions with these settings are of interest: others cost nothing. Those without any are not asked about.
    fn observes(&self, observation: &Observation) -> bool;

    /// Is told of one transition, at most once.
    fn observe(&self, observed: Observed<'_>);

    /// Is told what a turn of a shard held, whoever is observed. Called for each commit: it must cost next to nothing.
    fn count(&self, _tally: &Tally) {}
}

/// Watches nothing.
#[derive(Clone, Copy, Debug)]
pub struct NoObserver;

impl Observer for NoObserver {
    fn observes(&self, _: &Observation) -> bool {
        false
    }

    fn observe(&self, _: Observed<'_>) {}
}

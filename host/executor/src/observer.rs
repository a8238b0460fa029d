//! Who is told what executions have done: a trait, for logs, traces and metrics.
//!
//! It is told of transitions that are durable, or for Express executions of those that have happened, in the order of
//! each execution's events. It must never block, and never decide anything.

use stepwell_asl::{ExecutionContext, HistoryEvent};
use stepwell_store::MachineId;

/// Events of one transition of one execution.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'a> {
    /// The machine that it runs.
    pub machine: MachineId,
    /// What is known of it since its start.
    pub context: &'a ExecutionContext,
    /// The trace header that it was started with.
    pub trace_header: Option<&'a str>,
    /// What happened, at least one event.
    pub events: &'a [HistoryEvent],
}

/// Watches executions.
pub trait Observer: Send + Sync {
    /// Whether the executions of a machine are of interest: others cost nothing.
    fn observes(&self, machine: MachineId) -> bool;

    /// Is told of one transition. It may come twice after a crash; ids of events tell.
    fn observe(&self, observed: &Observed<'_>);
}

/// Watches nothing.
#[derive(Clone, Copy, Debug)]
pub struct NoObserver;

impl Observer for NoObserver {
    fn observes(&self, _: MachineId) -> bool {
        false
    }

    fn observe(&self, _: &Observed<'_>) {}
}

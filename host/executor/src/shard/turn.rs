//! One turn of a shard: events become changes; nobody is told yet.

use super::{Occurrence, Shard};
use crate::error::{StartError, StopError};
use crate::limits;
use crate::request::Started;
use stepwell_asl::{Command, Timestamp};
use stepwell_store::{Changes, ExecutionId, StoreError};
use tokio::sync::oneshot;

/// What a turn has gathered.
#[derive(Default)]
pub(super) struct Turn {
    pub(super) changes: Changes,
    /// The first change that could not be put into the batch.
    pub(super) broken: Option<StoreError>,
    /// Changes of the pending work, by execution, in order.
    pub(super) commands: Vec<(ExecutionId, Vec<Command>)>,
    /// Events to try again when the commit fails. Requests are not among them: they are answered.
    pub(super) occurrences: Vec<Occurrence>,
    pub(super) replies: Vec<Reply>,
    /// Executions that the turn has moved.
    pub(super) touched: Vec<ExecutionId>,
    events: usize,
}

/// Who waits for the commit, and what it will be told.
pub(super) enum Reply {
    Start(oneshot::Sender<Result<Started, StartError>>, Started),
    Stop(oneshot::Sender<Result<Timestamp, StopError>>, Timestamp),
}

impl Turn {
    /// Whether the turn must commit before it takes more.
    pub(super) fn is_full(&self) -> bool {
        self.events >= limits::TURN_EVENTS
            || self.changes.bytes() >= limits::TURN_BYTES
            || self.changes.entries() >= limits::TURN_ENTRIES
    }

    /// Counts an event.
    pub(super) fn count(&mut self) {
        self.events += 1;
    }

    /// Remembers the first failure to build the batch; the turn then ends as a failed commit.
    pub(super) fn keep(&mut self, result: Result<(), StoreError>) {
        if let Err(failure) = result {
            self.broken.get_or_insert(failure);
        }
    }
}

impl Shard {
    /// Moves one execution by one event. Unknown executions have ended: the event is late.
    pub(super) fn apply(&mut self, occurrence: Occurrence, turn: &mut Turn) {
        let now = self.clock.now();
        let Some(live) = self.live.get_mut(&occurrence.id) else { return };
        let before = (live.execution.progress.last_event_id, live.execution.progress.last_branch);
        let transition = live.step(now, occurrence.kind.clone());
        if transition.history.is_empty() && transition.commands.is_empty() {
            live.execution = transition.execution;
            return;
        }
        let (id, machine) = (occurrence.id, live.record.machine);
        let (last_event, last_branch) = before;
        let kept = turn.changes.transition(id, machine, &transition, last_branch);
        live.execution = transition.execution;
        turn.keep(kept);
        let logged = turn.changes.log(id, last_event + 1, &occurrence.log);
        turn.keep(logged);
        turn.count();
        turn.touched.push(id);
        turn.commands.push((id, transition.commands));
        turn.occurrences.push(occurrence);
    }
}

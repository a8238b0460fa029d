//! One turn of a shard: events become changes; nobody is told yet.

use super::away::Queued;
use super::hand_out::HandingOut;
use super::live::Before;
use super::{Occurrence, Shard};
use crate::allotment::Lot;
use crate::error::{AnswerError, RedriveError, StartError, StopError};
use crate::limits;
use crate::observer::Tally;
use crate::request::Started;
use stepwell_asl::jsonata::NoEvaluator;
use stepwell_asl::{Command, EventKind, HistoryEvent, Status, Timestamp, Transition, WorkId, step};
use stepwell_store::{Changes, ExecutionId, Moved, StoreError};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// What a turn has gathered.
#[derive(Default)]
pub(super) struct Turn {
    pub(super) changes: Changes,
    /// The first change that could not be put into the batch.
    pub(super) broken: Option<StoreError>,
    /// Changes of the pending work, by execution, in order, with the beginning of the step that made them.
    pub(super) commands: Vec<(ExecutionId, Instant, Vec<Command>)>,
    /// Events to try again when the commit fails. Requests are not among them: they are answered.
    pub(super) occurrences: Vec<Occurrence>,
    pub(super) replies: Vec<Reply>,
    /// Executions that the turn has moved.
    pub(super) touched: Vec<ExecutionId>,
    /// Tasks that others have taken over: nothing runs for them here any more.
    pub(super) submitted: Vec<(ExecutionId, WorkId)>,
    /// Executions that cannot be continued and that the turn has ended.
    pub(super) stranded: Vec<ExecutionId>,
    /// The places of those among the open ones.
    pub(super) leaving: Vec<Lot>,
    /// What those who watch executions are told after the commit, in order.
    pub(super) observed: Vec<(ExecutionId, Vec<HistoryEvent>)>,
    /// For those who count.
    pub(super) tally: Tally,
    events: usize,
    queued: usize,
}

/// Who waits for the commit, and what it will be told.
pub(super) enum Reply {
    Start(oneshot::Sender<Result<Started, StartError>>, Started),
    Stop(oneshot::Sender<Result<Timestamp, StopError>>, Timestamp),
    Redrive(oneshot::Sender<Result<Timestamp, RedriveError>>, Timestamp),
    /// Of whom, and what will be said.
    Answer {
        id: ExecutionId,
        work: WorkId,
        reply: oneshot::Sender<Result<(), AnswerError>>,
        outcome: Result<(), AnswerError>,
    },
    HandOut(Box<HandingOut>),
}

impl Turn {
    /// Whether the turn must commit before it takes more.
    pub(super) fn is_full(&self) -> bool {
        self.events >= limits::TURN_EVENTS
            || self.queued >= limits::TURN_EVENTS
            || self.changes.bytes() >= limits::TURN_BYTES
            || self.changes.entries() >= limits::TURN_ENTRIES
    }

    /// Counts an event.
    pub(super) fn count(&mut self) {
        self.events += 1;
    }

    /// Counts an event that waits for the lane: what the turn has gathered must not wait for a stream of them.
    pub(super) fn count_queued(&mut self) {
        self.queued += 1;
    }

    /// Remembers the first failure to build the batch; the turn then ends as a failed commit.
    pub(super) fn keep(&mut self, result: Result<(), StoreError>) {
        if let Err(failure) = result {
            self.broken.get_or_insert(failure);
        }
    }
}

impl Shard {
    /// Moves one execution by one event, at once or on the lane. What is not in memory has ended, or rests and waits
    /// for no event of this process: the event is late.
    pub(super) fn apply(&mut self, occurrence: Occurrence, turn: &mut Turn) {
        if self.is_laned(occurrence.id) {
            return self.queue(Queued::unasked(occurrence), turn);
        }
        if self.step_now(&occurrence, turn) {
            turn.occurrences.push(occurrence);
        }
    }

    /// Takes a step at once. `false` when it came to nothing.
    pub(super) fn step_now(&mut self, occurrence: &Occurrence, turn: &mut Turn) -> bool {
        let now = self.clock.now();
        let Some(live) = self.live.get_mut(&occurrence.id) else { return false };
        let (before, execution, event) = live.take(now, occurrence.kind.clone());
        let transition = step(&live.machine, execution, event, &NoEvaluator);
        self.absorb(occurrence, before, transition, turn)
    }

    /// An execution that rests until after this time leaves memory.
    pub(super) fn parked_after(&self) -> Timestamp {
        let milliseconds = i64::try_from(limits::PARK_AFTER.as_millis()).unwrap_or(i64::MAX);
        Timestamp(self.clock.now().0.saturating_add(milliseconds))
    }

    /// Puts what a step came to into memory and into the turn. `false` when it came to nothing.
    pub(super) fn absorb(
        &mut self,
        occurrence: &Occurrence,
        before: Before,
        mut transition: Transition,
        turn: &mut Turn,
    ) -> bool {
        let id = occurrence.id;
        let event = &occurrence.kind;
        let mut parked_after = self.parked_after();
        let Some(live) = self.live.get_mut(&id) else { return false };
        let is_last = self.deletions.end(live.tracked.record().machine, event);
        if is_last {
            // It stays in memory for the event that ends it.
            parked_after = Timestamp(i64::MAX);
        }
        if transition.is_nothing() {
            live.execution = transition.execution;
            return false;
        }
        turn.tally.count(event, transition.execution.progress.status, transition.history.len());
        let observation = live.tracked.record().observation.as_ref();
        if !transition.history.is_empty() && observation.is_some_and(|one| self.observer.observes(one)) {
            turn.observed.push((id, transition.history.clone()));
        }
        let moved = Moved { at: before.at, event, transition: &mut transition, parked_after };
        let kept = turn.changes.transition(&mut live.tracked, moved);
        live.execution = transition.execution;
        turn.keep(kept);
        let logged = turn.changes.log(id, before.last_event + 1, &occurrence.log);
        turn.keep(logged);
        turn.count();
        turn.touched.push(id);
        if let EventKind::TaskSubmitted { work, .. } = event {
            turn.submitted.push((id, *work));
        }
        if is_last && live.execution.progress.status == Status::Running {
            // Its machine is being deleted: nothing new begins, and the next event ends it.
            transition.commands.retain(|command| !matches!(command, Command::Dispatch(_)));
            let kind = EventKind::Stop { error: None, cause: None };
            self.ready.push_back(Occurrence { id, kind, log: Vec::new() });
        }
        turn.commands.push((id, before.began, transition.commands));
        true
    }
}

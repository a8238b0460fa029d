//! Executions whose steps are taken on the lane: machines that use JSONata.
//!
//! While a step has the execution, and until its transition is committed, all further events for it wait here in
//! order. So no step ever builds on something that the store may not hold, and an undo finds nothing under way.

use super::hand_out::{HandOut, HandOutRefusal};
use super::live::Before;
use super::redrive::Redriver;
use super::turn::{Reply, Turn};
use super::{Occurrence, Shard};
use crate::error::{AnswerError, RedriveError, StartError, StopError};
use crate::lane::{Home, Job, Stepped};
use crate::limits;
use crate::request::Started;
use crate::revive::Revived;
use std::collections::VecDeque;
use std::sync::Arc;
use stepwell_asl::{EventKind, ExecutionContext, Timestamp, Transition, WorkId};
use stepwell_store::{ExecutionId, StoreError};
use tokio::sync::oneshot;
use tracing::error;

/// What an execution of the lane has beside the others.
pub(super) struct Away {
    pub(super) execution_arn: String,
    pub(super) started_at: Timestamp,
    place: Place,
    /// Events that wait; none while the execution is here.
    queue: VecDeque<Queued>,
    /// Panics of the event under way.
    panics: u32,
}

/// Where the execution is.
enum Place {
    /// In memory as the store has it.
    Here,
    /// With the lane, which knows nothing of what is kept here.
    Lane(Box<Queued>, Before),
    /// In memory, moved by the turn that is not committed yet.
    Uncommitted,
}

/// An event, and who waits for what comes of it.
pub(super) struct Queued {
    pub(super) occurrence: Occurrence,
    /// Empty for events that nobody asked for: those are tried again when the commit fails.
    pub(super) askers: Vec<Asker>,
}

/// Who waits for an event of the lane.
pub(super) enum Asker {
    Start(oneshot::Sender<Result<Started, StartError>>),
    Stop(oneshot::Sender<Result<Timestamp, StopError>>),
    Redrive(Redriver),
    /// For the task that it answers.
    Answer(WorkId, oneshot::Sender<Result<(), AnswerError>>),
    HandOut(Box<HandOut>),
}

/// Why an execution is no longer in memory.
pub(super) enum Gone {
    /// It ended, and that is committed.
    Ended(Timestamp),
    /// Its start was not stored.
    NeverStarted,
    /// It cannot be read back.
    Unread(StoreError),
}

impl Away {
    pub(super) fn new(context: &ExecutionContext) -> Away {
        Away {
            execution_arn: context.execution_arn.clone(),
            started_at: context.start_time,
            place: Place::Here,
            queue: VecDeque::new(),
            panics: 0,
        }
    }

    /// Whether no step of the execution is under way, nor uncommitted.
    pub(super) fn is_here(&self) -> bool {
        matches!(self.place, Place::Here)
    }

    /// Whether no event waits either.
    pub(super) fn is_idle(&self) -> bool {
        self.is_here() && self.queue.is_empty()
    }

    /// Notes that memory holds what the store holds: after a commit, or read back from it.
    pub(super) fn settle(&mut self) {
        if matches!(self.place, Place::Uncommitted) {
            self.place = Place::Here;
        }
    }

    /// Puts an event before all that wait.
    pub(super) fn retry(&mut self, queued: Queued) {
        self.queue.push_front(queued);
    }

    /// Those who wait for the first step, while it is with the lane.
    pub(super) fn starters(&mut self) -> Option<&mut Vec<Asker>> {
        match &mut self.place {
            Place::Lane(queued, _) if matches!(queued.occurrence.kind, EventKind::Start) => {
                Some(&mut queued.askers)
            }
            Place::Lane(..) | Place::Here | Place::Uncommitted => None,
        }
    }

    /// Answers all who wait for an event that will never be.
    pub(super) fn dismiss(self, gone: &Gone) {
        for asker in self.queue.into_iter().flat_map(|queued| queued.askers) {
            asker.dismiss(gone, &self.execution_arn);
        }
    }
}

impl Queued {
    /// An event that nobody asked for.
    pub(super) fn unasked(occurrence: Occurrence) -> Queued {
        Queued { occurrence, askers: Vec::new() }
    }
}

impl Asker {
    /// Callers that no longer wait need no answer.
    fn dismiss(self, gone: &Gone, arn: &str) {
        match (self, gone) {
            (Asker::Start(reply), Gone::Unread(failure)) => {
                drop(reply.send(Err(StartError::Store(failure.clone()))));
            }
            // The asker hears that the outcome is not known, and asks again.
            (Asker::Start(reply), Gone::Ended(_) | Gone::NeverStarted) => {
                drop(reply.send(Err(StartError::Store(StoreError::Unknown))));
            }
            (Asker::Stop(reply), Gone::Ended(at)) => drop(reply.send(Ok(*at))),
            (Asker::Stop(reply), Gone::NeverStarted) => {
                drop(reply.send(Err(StopError::DoesNotExist { arn: arn.to_owned() })));
            }
            (Asker::Stop(reply), Gone::Unread(failure)) => {
                drop(reply.send(Err(StopError::Store(failure.clone()))));
            }
            (Asker::Redrive(redriver), Gone::Unread(failure)) => {
                drop(redriver.reply.send(Err(RedriveError::Store(failure.clone()))));
            }
            // As for a start.
            (Asker::Redrive(redriver), Gone::Ended(_) | Gone::NeverStarted) => {
                drop(redriver.reply.send(Err(RedriveError::Store(StoreError::Unknown))));
            }
            (Asker::Answer(_, reply), Gone::Unread(failure)) => {
                drop(reply.send(Err(AnswerError::Store(failure.clone()))));
            }
            (Asker::Answer(_, reply), Gone::Ended(_) | Gone::NeverStarted) => {
                drop(reply.send(Err(AnswerError::Closed)));
            }
            (Asker::HandOut(hand_out), Gone::Unread(failure)) => {
                drop(hand_out.reply.send(Err(HandOutRefusal::Store(failure.clone()))));
            }
            (Asker::HandOut(hand_out), Gone::Ended(_) | Gone::NeverStarted) => {
                drop(hand_out.reply.send(Err(HandOutRefusal::Gone)));
            }
        }
    }
}

impl Shard {
    /// Whether the steps of an execution are taken on the lane.
    pub(super) fn is_laned(&self, id: ExecutionId) -> bool {
        self.live.get(&id).is_some_and(|live| live.away.is_some())
    }

    /// Queues an event for an execution of the lane.
    pub(super) fn queue(&mut self, queued: Queued, turn: &mut Turn) {
        let id = queued.occurrence.id;
        if let Some(away) = self.live.get_mut(&id).and_then(|live| live.away.as_mut()) {
            away.queue.push_back(queued);
            turn.count_queued();
            self.begin_next(id);
        }
    }

    /// Hands an execution to the lane for the event that has waited longest, unless an earlier one is under way.
    pub(super) fn begin_next(&mut self, id: ExecutionId) {
        let now = self.clock.now();
        let Some(live) = self.live.get_mut(&id) else { return };
        let Some(away) = live.away.as_mut().filter(|away| away.is_here()) else { return };
        let Some(queued) = away.queue.pop_front() else { return };
        let kind = queued.occurrence.kind.clone();
        let (before, execution, event) = live.take(now, kind);
        if let Some(away) = live.away.as_mut() {
            away.place = Place::Lane(Box::new(queued), before);
        }
        let (machine, home) = (Arc::clone(&live.machine), Home::Shard(self.sender.clone()));
        self.lane.submit(Job { id, machine, execution, event, home });
    }

    /// Takes back an execution from the lane. The rest is as if the step had been taken in this turn.
    pub(super) async fn came_back(&mut self, stepped: Stepped, turn: &mut Turn) {
        let Stepped { id, transition } = stepped;
        let Some(away) = self.live.get_mut(&id).and_then(|live| live.away.as_mut()) else { return };
        match (std::mem::replace(&mut away.place, Place::Here), transition) {
            (Place::Lane(queued, before), Some(transition)) => {
                away.panics = 0;
                self.take_over(*queued, before, transition, turn);
            }
            (Place::Lane(queued, _), None) => self.panicked(*queued).await,
            // Nothing else is ever with the lane.
            (place @ (Place::Here | Place::Uncommitted), _) => away.place = place,
        }
    }

    fn take_over(&mut self, queued: Queued, before: Before, transition: Transition, turn: &mut Turn) {
        let Queued { occurrence, askers } = queued;
        let id = occurrence.id;
        let is_heartbeat = matches!(occurrence.kind, EventKind::TaskHeartbeat { .. });
        let moved = self.absorb(&occurrence, before, transition, turn);
        let Some(live) = self.live.get(&id) else { return };
        let (started_at, stopped_at) = (live.started_at(), live.stopped_at());
        if moved && askers.is_empty() {
            turn.occurrences.push(occurrence);
        }
        let execution_arn = live.execution_arn().to_owned();
        for asker in askers {
            match asker {
                Asker::Start(reply) => {
                    let started = Started { execution_arn: execution_arn.clone(), started_at };
                    turn.replies.push(Reply::Start(reply, started));
                }
                Asker::Stop(reply) => {
                    let at = stopped_at.unwrap_or_else(|| self.clock.now());
                    turn.replies.push(Reply::Stop(reply, at));
                }
                Asker::Answer(work, reply) => {
                    // A heartbeat moves nothing where none is asked for; it comes in time if the task still waits.
                    let in_time = moved || (is_heartbeat && self.pending_task(id, work).is_some());
                    let outcome = if in_time { Ok(()) } else { Err(AnswerError::Closed) };
                    turn.replies.push(Reply::Answer { id, work, reply, outcome });
                }
                Asker::HandOut(hand_out) => self.promise(*hand_out, moved, turn),
                Asker::Redrive(redriver) => self.redriven(id, redriver, turn),
            }
        }
        match self.live.get_mut(&id).and_then(|live| live.away.as_mut()) {
            Some(away) if moved => away.place = Place::Uncommitted,
            // A late event changed nothing: there is nothing to commit, and the next may begin.
            Some(_) | None => self.begin_next(id),
        }
    }

    /// Goes back to the stored checkpoint after a panic, and tries the event again, but not without end. Tasks
    /// and timers are those of that checkpoint, since nothing has been committed in between.
    async fn panicked(&mut self, queued: Queued) {
        let id = queued.occurrence.id;
        let stored = self.reviver.revive(id).await;
        let Some(live) = self.live.get_mut(&id) else { return };
        let arn = live.execution_arn().to_owned();
        let Some(away) = live.away.as_mut() else { return };
        away.panics += 1;
        let (tries, last) = (away.panics, away.panics >= limits::STEP_TRIES);
        error!(execution = %arn, tries, last, "a step panicked");
        let gone = match stored {
            Ok(Some(Revived { tracked, execution, .. })) => {
                (live.tracked, live.execution) = (tracked, execution);
                if last {
                    // Its work stays pending in the store: the next start of the server tries it anew.
                    error!(execution = %arn, "the event is dropped; the execution can still be stopped");
                    away.panics = 0;
                    queued.dismiss(&Gone::Unread(StoreError::Unknown), &arn);
                } else {
                    away.retry(queued);
                }
                return self.begin_next(id);
            }
            Ok(None) => Gone::NeverStarted,
            Err(failure) => {
                error!(execution = %arn, %failure, "an execution cannot be read back; it is left to the next start");
                Gone::Unread(failure.into_store_error())
            }
        };
        queued.dismiss(&gone, &arn);
        self.forget(id, &gone);
    }
}

impl Queued {
    fn dismiss(self, gone: &Gone, arn: &str) {
        for asker in self.askers {
            asker.dismiss(gone, arn);
        }
    }
}

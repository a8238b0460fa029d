//! Answers to tasks inside a shard: exactly one ends a task, and heartbeats move its timer on.
//!
//! Nobody is told before the commit, those neither who come too late: what they came too late for is then durable.
//! Heartbeats are kept in memory alone: the stored deadline is the earliest one, and a task whose deadline is from an
//! earlier life of the server gets the whole time anew.

use super::away::{Asker, Queued};
use super::turn::{Reply, Turn};
use super::{Asked, Occurrence, Shard};
use crate::answers::TaskAnswer;
use crate::error::AnswerError;
use crate::limits;
use stepwell_asl::{Activity, EventKind, PendingTask, Timestamp, WorkId};
use stepwell_store::ExecutionId;
use tokio::sync::oneshot;

/// Somebody says something of a task. The token was genuine.
pub(crate) struct Answer {
    pub(crate) id: ExecutionId,
    pub(crate) work: WorkId,
    pub(crate) says: TaskAnswer,
    pub(crate) reply: oneshot::Sender<Result<(), AnswerError>>,
}

impl Shard {
    /// Takes an answer, at once if the execution is in memory, otherwise when it is.
    pub(super) fn answer(&mut self, answer: Answer, turn: &mut Turn) {
        let id = answer.id;
        let Some(live) = self.live.get(&id) else {
            if self.closing.is_some() {
                // The caller may be gone; that changes nothing here.
                let _ = answer.reply.send(Err(AnswerError::ShuttingDown));
            } else if self.reviving.len() >= limits::REVIVALS_ASKED && !self.reviving.contains_key(&id) {
                // Likewise.
                let _ = answer.reply.send(Err(AnswerError::Busy));
            } else {
                self.revive_for(id, Asked::Answer(answer));
            }
            return;
        };
        let is_here = live.away.as_ref().is_none_or(|away| away.is_idle());
        let Answer { work, says, reply, .. } = answer;
        let kind = match says {
            TaskAnswer::Succeeded(result) => EventKind::TaskSucceeded { work, result },
            TaskAnswer::Failed(error) => EventKind::TaskFailed { work, error },
            TaskAnswer::Heartbeat if is_here => {
                let outcome = self.heard_of(id, work);
                turn.replies.push(Reply::Answer { id, work, reply, outcome });
                return;
            }
            TaskAnswer::Heartbeat => EventKind::TaskHeartbeat { work },
        };
        let occurrence = Occurrence { id, kind, log: Vec::new() };
        if self.is_laned(id) {
            return self.queue(Queued { occurrence, askers: vec![Asker::Answer(work, reply)] }, turn);
        }
        // The caller is told when the commit fails, and decides whether to ask again.
        let moved = self.may_answer(id, work) && self.step_now(&occurrence, turn);
        let outcome = if moved { Ok(()) } else { Err(AnswerError::Closed) };
        turn.replies.push(Reply::Answer { id, work, reply, outcome });
    }

    /// Whether somebody outside may have the token of a task: it is pending, and is of a kind that has one.
    fn may_answer(&self, id: ExecutionId, work: WorkId) -> bool {
        self.pending_task(id, work).is_some_and(|task| task.scheduled)
    }

    pub(super) fn pending_task(&self, id: ExecutionId, work: WorkId) -> Option<&PendingTask> {
        match &self.live.get(&id)?.execution.branches.get(&work.branch)?.activity {
            Activity::Task(task) if task.work == work => Some(task),
            Activity::Task(_)
            | Activity::Ready { .. }
            | Activity::Waiting { .. }
            | Activity::BackingOff { .. }
            | Activity::Joining => None,
        }
    }

    /// A heartbeat: the time to the next one begins anew, in memory.
    fn heard_of(&mut self, id: ExecutionId, work: WorkId) -> Result<(), AnswerError> {
        let now = self.clock.now();
        let task = self.pending_task(id, work).ok_or(AnswerError::Closed)?;
        if let Some(at) = next_deadline(task, now) {
            self.move_timer(id, work, at);
        }
        Ok(())
    }

    /// Sets the timer of a task later than the store says. The execution stays in memory from now on: only there it is
    /// known.
    fn move_timer(&mut self, id: ExecutionId, work: WorkId, at: Timestamp) {
        let Some(live) = self.live.get_mut(&id) else { return };
        live.heard_of.insert(work);
        if let Some(earlier) = live.timers.insert(work, at) {
            self.timers.clear(earlier, id, work);
        }
        self.timers.set(at, id, work);
    }

    /// After an execution was read back: heartbeats of an earlier life may have been forgotten, so that the time of
    /// tasks that were waited for then begins with this life.
    pub(super) fn forgive(&mut self, id: ExecutionId) {
        let Some(live) = self.live.get(&id) else { return };
        let earlier = live.execution.branches.values().filter_map(|branch| match &branch.activity {
            Activity::Task(task) => {
                let (due, seconds) = (task.heartbeat_deadline?, task.heartbeat_seconds?);
                let at = next_deadline(task, self.began_at)?;
                (due < self.began_at.plus_seconds(seconds)).then_some((task.work, at))
            }
            Activity::Ready { .. }
            | Activity::Waiting { .. }
            | Activity::BackingOff { .. }
            | Activity::Joining => None,
        });
        for (work, at) in earlier.collect::<Vec<_>>() {
            self.move_timer(id, work, at);
        }
    }
}

/// When a task runs out of time that was heard of at `at`; none where heartbeats do not count, or not yet.
fn next_deadline(task: &PendingTask, at: Timestamp) -> Option<Timestamp> {
    let heartbeat = task.heartbeat_deadline.and(task.heartbeat_seconds)?;
    let next = at.plus_seconds(heartbeat);
    Some(task.deadline.map_or(next, |deadline| deadline.min(next)))
}
